"""A candidate's own data: what is masked, what is left out, what is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.data.privacy import mask_text
from provetune.data.row_ids import split_hash
from provetune.data.variants import apply_variant, count_learned_rows, draw_share, first_rows, learned_rows, show_texts
from provetune.problem.syntax import CandidateData

LABELS = ("billing", "delivery", "login")
WORDS = ("late", "Late ", "parcel", "a@b.example", "13812345678", "mail c@d.example", "")
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map(" ".join)
single = st.lists(st.tuples(texts, st.sampled_from(LABELS)), min_size=1, max_size=60)
several = st.lists(st.tuples(texts, st.lists(st.sampled_from(LABELS), unique=True)), min_size=1, max_size=40)
shares = st.floats(0.01, 1.0)
seeds = st.integers(0, 2**63 - 1)
quick = settings(max_examples=50, deadline=None)


def table(rows: Sequence[tuple[str, object]], chunk: int = 7) -> pa.Table:
    """Rows in several chunks, as a file on the disk has them."""
    kind = pa.list_(pa.string()) if isinstance(rows[0][1], list) else pa.string()
    whole = pa.table(
        {
            "row_id": [f"r{number}" for number in range(len(rows))],
            "text": [text for text, _ in rows],
            "label": pa.array([label for _, label in rows], kind),
            "raw.text": [text for text, _ in rows],
        }
    )
    return pa.concat_tables([whole.slice(start, chunk) for start in range(0, len(rows), chunk)])


def ids(examples: pa.Table) -> list[str]:
    found: list[str] = examples["row_id"].to_pylist()
    return found


@quick
@given(single, seeds)
def test_nothing_asked_for_changes_nothing(rows: list[tuple[str, str]], seed: int) -> None:
    examples = table(rows)
    for variant in (None, CandidateData()):
        assert apply_variant(examples, variant, "train", seed).equals(examples)
        assert learned_rows(examples, variant, seed) is None
        assert count_learned_rows(examples, variant) == len(rows)


@quick
@given(single, shares, seeds)
def test_share_keeps_each_label_s_part(rows: list[tuple[str, str]], share: float, seed: int) -> None:
    examples = table(rows)
    drawn = apply_variant(examples, CandidateData(share=share), "train", seed)
    sizes = Counter(label for _, label in rows)
    found = Counter(drawn["label"].to_pylist())
    if share < 1:
        assert found == {label: max(1, int(share * count + 0.5)) for label, count in sizes.items()}
    else:
        assert found == sizes
    assert drawn.num_rows == count_learned_rows(examples, CandidateData(share=share))
    # Rows of the whole, each once, in their order.
    numbers = [int(name[1:]) for name in ids(drawn)]
    assert numbers == sorted(set(numbers))


@quick
@given(single | several, shares, shares, seeds)
def test_a_smaller_share_is_part_of_a_larger_one(
    rows: list[tuple[str, object]], one: float, other: float, seed: int
) -> None:
    smaller, larger = sorted((one, other))
    examples = table(rows)
    assert set(draw_share(examples, smaller, seed)) <= set(draw_share(examples, larger, seed))


@quick
@given(several, shares, seeds)
def test_no_label_is_lost_where_a_row_has_several(rows: list[tuple[str, list[str]]], share: float, seed: int) -> None:
    drawn = apply_variant(table(rows), CandidateData(share=share), "train", seed)
    assert {name for labels in drawn["label"].to_pylist() for name in labels} == {
        name for _, labels in rows for name in labels
    }


def test_other_seeds_draw_other_rows_and_order_in_the_file_does_not_count() -> None:
    examples = table([(f"text {number}", LABELS[number % 3]) for number in range(90)])
    draws = [frozenset(ids(apply_variant(examples, CandidateData(share=0.5), "train", seed))) for seed in range(5)]
    assert len(set(draws)) == 5
    assert all(len(draw) == 45 for draw in draws)
    turned = examples.take(list(reversed(range(90))))
    assert frozenset(ids(apply_variant(turned, CandidateData(share=0.5), "train", 0))) == draws[0]
    # Each row is as likely as any other: 40 draws of 90 rows at one half, 20 expected, 3.2 the standard deviation.
    counts = Counter(name for seed in range(40) for name in ids(apply_variant(examples, HALF, "train", seed)))
    assert min(counts[f"r{number}"] for number in range(90)) > 20 - 4 * 3.2
    assert max(counts.values()) < 20 + 4 * 3.2


HALF = CandidateData(share=0.5)


def test_repeated_rows_by_hand() -> None:
    examples = table(
        [
            ("Where is it?", "delivery"),
            ("where  is IT? ", "delivery"),
            ("where is it?", "login"),
            ("where is it", "delivery"),
            ("Where is it?", "login"),
        ]
    )
    assert first_rows(examples).tolist() == [0, 2, 3]
    clean = CandidateData(deduplicate=True)
    assert ids(apply_variant(examples, clean, "train", 0)) == ["r0", "r2", "r3"]
    assert count_learned_rows(examples, clean) == 3
    # Texts that only differ in what is masked are equal afterwards.
    personal = table([("write to a@b.example", "login"), ("write to c@d.example", "login")])
    assert apply_variant(personal, clean, "train", 0).num_rows == 2
    both = apply_variant(personal, CandidateData(deduplicate=True, mask=["email"]), "train", 0)
    assert both["text"].to_pylist() == ["write to <EMAIL>"]


def test_pairs_repeat_only_as_pairs() -> None:
    examples = table([("a", "login"), ("a", "login"), ("a", "login")])
    examples = examples.append_column("text_pair", pa.array(["x", "y", "X"]))
    assert first_rows(examples).tolist() == [0, 1]


@quick
@given(single | several, seeds)
def test_rows_without_repetition_are_a_fixed_point(rows: list[tuple[str, object]], seed: int) -> None:
    clean = CandidateData(deduplicate=True)
    once = apply_variant(table(rows), clean, "train", seed)
    assert apply_variant(once, clean, "train", seed).equals(once)
    seen = [
        (" ".join(text.lower().split()), tuple(label) if isinstance(label, list) else label) for text, label in rows
    ]
    assert once.num_rows == len(set(seen))


@quick
@given(single, shares, seeds, st.sampled_from(["validation", "test"]))
def test_judged_rows_stay(rows: list[tuple[str, str]], share: float, seed: int, split: str) -> None:
    examples = table(rows)
    variant = CandidateData(share=share, deduplicate=True, mask=["email", "phone"])
    seen = apply_variant(examples, variant, split, seed)
    assert ids(seen) == ids(examples)
    assert seen["label"].equals(examples["label"])
    assert seen["raw.text"].equals(examples["raw.text"])
    assert split_hash(seen) == split_hash(examples)
    assert seen["text"].to_pylist() == [mask_text(text, ["email", "phone"]) for text, _ in rows]
    assert show_texts(seen, variant).equals(seen)


def test_both_texts_of_a_pair_are_masked() -> None:
    examples = table([("a@b.example", "login")]).append_column("text_pair", pa.array(["call 13812345678"]))
    seen = show_texts(examples, CandidateData(mask=["email", "phone"]))
    assert (seen["text"][0].as_py(), seen["text_pair"][0].as_py()) == ("<EMAIL>", "call <PHONE>")


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_share_is_of_what_is_left_without_repetitions(share: float) -> None:
    examples = table([(f"text {number % 40}", "login") for number in range(80)])
    variant = CandidateData(share=share, deduplicate=True)
    drawn = apply_variant(examples, variant, "train", 3)
    assert drawn.num_rows == count_learned_rows(examples, variant) == 40 * share
    assert len(set(drawn["text"].to_pylist())) == 40 * share

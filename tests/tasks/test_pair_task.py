"""Pairs of texts: judged by a label, or by a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import pearsonr, spearmanr
from word_tokenizer import make_tokenizer

from provetune.core.errors import DataError
from provetune.core.protocols import EncodeSettings
from provetune.data.reading import read_table
from provetune.problem.syntax import Columns, Data
from provetune.tasks import TASKS

PAIR, SIMILARITY = TASKS.get("pair"), TASKS.get("similarity")
SETTINGS = EncodeSettings(max_length=24)
SHARED = Path(__file__).parents[3] / "shared" / "data"


def rows(labels: list[Any]) -> pa.Table:
    firsts, seconds = ["the card was charged", "a parcel arrived", "twice"], ["same order", "nothing but a b c", "d"]
    count = len(labels)
    return pa.table(
        {
            "row_id": [f"r{k}" for k in range(count)],
            "text": firsts[:count],
            "text_pair": seconds[:count],
            "label": labels,
        }
    )


# -- the order of the two ------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [PAIR, SIMILARITY])
def test_a_free_order_is_learned_both_ways_round_and_asked_as_it_stands(task: Any) -> None:
    labels: list[Any] = ["x", "y", "x"] if task.classes else [1.0, 2.0, 4.0]
    table, tokenizer = rows(labels), make_tokenizer()
    targets = task.targets(table, options={"order": "free"})
    learned = task.encode(table, tokenizer, SETTINGS, targets)
    pairs = list(zip(table["text"].to_pylist(), table["text_pair"].to_pylist(), strict=True))
    both = [side for first, second in pairs for side in ((first, second), (second, first))]
    assert learned["row"].to_pylist() == [0, 0, 1, 1, 2, 2]
    assert learned["input_ids"].to_pylist() == [tokenizer.encode(*each).ids for each in both]
    given = task.encode(table, tokenizer, SETTINGS, task.targets(table))
    doubled = [label for label in given["labels"].to_pylist() for _ in range(2)]
    assert learned["labels"].to_pylist() == doubled
    assert task.encode(table, tokenizer, SETTINGS, None)["row"].to_pylist() == [0, 1, 2]
    assert len(given) == 3


def test_what_depends_on_the_order_is_measured(tiny_backbone: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    from provetune.inference.pair_order import measure_order
    from provetune.inference.predictor import load
    from provetune.models.bundle import BundleContents, Golden, write_bundle
    from provetune.models.loading import load_tokenizer

    targets = PAIR.targets(rows(["x", "y", "x"]))
    model = AutoModelForSequenceClassification.from_pretrained(tiny_backbone, **PAIR.head(targets)).eval()
    record = {"encode": {"max_length": 48, "long_texts": "head", "stride": 8}, "inputs": ["a", "b"]}
    contents = BundleContents(
        "transformers",
        "pair",
        targets,
        Golden.of([["a", "b"]], [[0.5, 0.5]]),
        record,
        model=model,
        tokenizer=load_tokenizer(tiny_backbone),
    )
    predictor = load(write_bundle(tmp_path / "bundle", contents))
    pairs = [("a red car", "the bus"), ("same", "same"), ("who is there", "nobody")]
    found = measure_order(predictor, pairs)
    one = [row["label"] for row in predictor.predict(pairs)]
    other = [row["label"] for row in predictor.predict([pair[::-1] for pair in pairs])]
    probabilities = predictor.probabilities(pairs), predictor.probabilities([pair[::-1] for pair in pairs])
    assert found.rows == 3
    assert found.changed == sum(a != b for a, b in zip(one, other, strict=True))
    assert found.difference == pytest.approx(np.abs(probabilities[0] - probabilities[1]).max(axis=1).mean())
    assert found.largest == pytest.approx(np.abs(probabilities[0] - probabilities[1]).max())
    alone = measure_order(predictor, [("same", "same")])
    assert (alone.changed, alone.difference) == (0, 0)


# -- rows and columns ----------------------------------------------------------------------------------------


def test_two_columns_are_needed(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("one,label\na,x\nb,y\n")
    raw = read_table(str(tmp_path / "rows.csv"))
    for task in (PAIR, SIMILARITY):
        with pytest.raises(DataError, match="two columns"):
            task.read(raw, Data(), Columns(text="one", label="label"))


def test_labels_and_numbers_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b,label,score\nx,y,1,0.5\nv,w,0,high\nt,,1,2\n")
    raw = read_table(str(tmp_path / "rows.csv"))
    pair = PAIR.read(raw, Data(), Columns(text=["a", "b"], label="label")).columns
    assert pair["label"].to_pylist() == ["1", "0", "1"]
    assert pair["text_pair"].to_pylist() == ["y", "w", ""]
    found = SIMILARITY.read(raw, Data(), Columns(text=["a", "b"], label="score"))
    assert found.columns["label"].to_pylist() == [0.5, None, 2.0]
    assert [(fault.row, fault.field) for fault in found.bad] == [(1, "score")]


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED.exists(), reason="the public data sets are not here")
@pytest.mark.parametrize(
    ("file", "best", "columns"),
    [
        ("sick2014/train.tsv", "pair", {"text": ["sentence_A", "sentence_B"], "label": "entailment_judgment"}),
        ("afqmc_zh/train.jsonl", "pair", {"text": ["text_a", "text_b"], "label": "label"}),
    ],
)
def test_real_files_are_recognised(file: str, best: str, columns: dict[str, Any]) -> None:
    raw = read_table(str(SHARED / file))
    fits = {name: TASKS.get(name).detect(raw, {}) for name in ("classification", "regression", "pair", "similarity")}
    fits["retrieval"] = TASKS.get("retrieval").detect(raw, {})
    assert max(fits, key=lambda name: fits[name].fit) == best
    assert dict(fits[best].columns) == columns


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED.exists(), reason="the public data sets are not here")
def test_relatedness_is_found_beside_entailment() -> None:
    found = SIMILARITY.detect(read_table(str(SHARED / "sick2014/train.tsv")), {})
    assert found.columns["label"] == "relatedness_score"
    assert found.fit == 0.75


def test_numbers_of_few_kinds_are_rather_labels(tmp_path: Path) -> None:
    lines = [f"one text {k},another text {k},{k % 2}" for k in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["text_a,text_b,label", *lines]))
    raw = read_table(str(tmp_path / "rows.csv"))
    assert PAIR.detect(raw, {}).fit > 0.7 > SIMILARITY.detect(raw, {}).fit
    lines = [f"one text {k},another text {k},{k % 11}.5" for k in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["text_a,text_b,score", *lines]))
    raw = read_table(str(tmp_path / "rows.csv"))
    assert SIMILARITY.detect(raw, {}).fit > 0.7 > PAIR.detect(raw, {}).fit


# -- scores --------------------------------------------------------------------------------------------------


def test_a_score_far_from_all_others_is_told() -> None:
    rows = [{"text": f"a {k}", "text_pair": f"b {k}", "label": k / 10, "_file": "n.csv", "_row": k} for k in range(50)]
    rows[7]["label"] = 999.0
    (found,) = TASKS.get("similarity").check({"train": pa.Table.from_pylist(rows)})
    assert (found.kind, found.count, found.rows) == ("far_values", 1, ({"file": "n.csv", "row": 7},))


def test_similarity_is_judged_by_correlations_first() -> None:
    draw = np.random.default_rng(0)
    gold = np.round(draw.uniform(1, 5, 40), 1)
    said = gold + draw.normal(size=40)
    names = {"row_id": [f"r{k}" for k in range(40)], "text": ["a"] * 40, "text_pair": ["b"] * 40, "label": gold}
    table = pa.table(names)
    targets = SIMILARITY.targets(table)
    outcomes = SIMILARITY.outcomes(table, said[:, None], targets)
    scores = SIMILARITY.score(outcomes, targets)
    assert [metric.name for metric in SIMILARITY.metrics[:2]] == ["pearson", "spearman"]
    assert scores["pearson"] == pytest.approx(pearsonr(gold, said)[0])
    assert scores["spearman"] == pytest.approx(spearmanr(gold, said)[0])


def test_what_learned_nothing_says_the_mean_or_the_most_frequent_label() -> None:
    table = rows([1.0, 2.0, 6.0])
    assert SIMILARITY.guess(table, SIMILARITY.targets(table)).tolist() == [[3.0]] * 3  # type: ignore[attr-defined]
    table = rows(["x", "y", "y"])
    assert PAIR.guess(table, PAIR.targets(table)).tolist() == [[0.0, 1.0]] * 3  # type: ignore[attr-defined]

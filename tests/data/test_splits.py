"""Splits from given files and drawn ones: who goes where, what is said, what is refused."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provetune.core.errors import DataError
from provetune.core.protocols import Role
from provetune.data.drawing import allot
from provetune.data.labelled_texts import LabelledTexts
from provetune.data.splits import Splits, make_splits
from provetune.data.times import parse_times
from provetune.problem.syntax import Data

ROLES = (Role("text", "The text.", many=True), Role("label", "Its label.", many=True))


def write(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = ("text", "label")) -> str:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path.name


def split(folder: Path, **data: Any) -> Splits:
    return make_splits(
        Data.model_validate({"columns": {"text": "text", "label": "label"}, **data}), folder, LabelledTexts(ROLES)
    )


def texts(splits: Splits) -> dict[str, list[str]]:
    return {name: sorted(table["text"].to_pylist()) for name, table in splits.tables.items()}


def numbered(count: int, labels: str = "ab") -> list[tuple[str, str]]:
    return [(f"text {number}", labels[number % len(labels)]) for number in range(count)]


def test_stratified_shares_are_exact(tmp_path: Path) -> None:
    rows = [*((f"a{n}", "a") for n in range(100)), *((f"b{n}", "b") for n in range(20))]
    splits = split(tmp_path, train=write(tmp_path / "rows.csv", rows))
    counts = {name: Counter(table["label"].to_pylist()) for name, table in splits.tables.items()}
    assert counts == {"train": {"a": 70, "b": 14}, "validation": {"a": 10, "b": 2}, "test": {"a": 20, "b": 4}}
    assert splits.notes == (
        "Drawn from 120 rows with each label's share kept with seed 13: 12 rows for validation and 24 rows for test.",
    )
    assert splits.given == {"train"}


def test_nearly_empty_labels(tmp_path: Path) -> None:
    rows = [*numbered(40), ("c1", "c"), ("d1", "d"), ("d2", "d"), *((f"e{n}", "e") for n in range(3))]
    splits = split(tmp_path, train=write(tmp_path / "rows.csv", rows))
    labels = {name: Counter(table["label"].to_pylist()) for name, table in splits.tables.items()}
    assert (labels["train"]["c"], labels["validation"]["c"], labels["test"]["c"]) == (1, 0, 0)
    assert (labels["train"]["d"], labels["validation"]["d"], labels["test"]["d"]) == (1, 0, 1)
    assert (labels["train"]["e"], labels["validation"]["e"], labels["test"]["e"]) == (1, 1, 1)
    assert "2 labels have too few rows to be in validation: c, d." in splits.notes
    assert "1 label has too few rows to be in test: c." in splits.notes


def test_given_files_are_kept_whole_and_validation_is_drawn(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", numbered(40))
    write(tmp_path / "b.csv", [("other 1", "a"), ("other 2", "b")])
    splits = split(tmp_path, train="a.csv", test="b.csv")
    assert {name: len(rows) for name, rows in texts(splits).items()} == {"train": 36, "validation": 4, "test": 2}
    assert splits.given == {"train", "test"}


def test_rows_without_text_or_label_are_set_aside_and_said(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [*numbered(20), ("", "a"), ("  \u3000", "b"), ("unlabelled", " "), ("NaN", "")])
    splits = split(tmp_path, train="a.csv")
    assert sum(map(len, texts(splits).values())) == 20
    assert splits.set_aside.select(["_row", "_reason", "_split"]).to_pylist() == [
        {"_row": 22, "_reason": "text", "_split": "train"},
        {"_row": 23, "_reason": "text", "_split": "train"},
        {"_row": 24, "_reason": "label", "_split": "train"},
        {"_row": 25, "_reason": "text", "_split": "train"},
    ]
    assert splits.notes[0] == "a.csv: 4 rows were set aside (3 without text and 1 without label)."


def test_equal_texts_stay_together(tmp_path: Path) -> None:
    rows = [
        (text, label) for number in range(30) for text, label in [(f"Text {number}", "a"), (f"text  {number}", "b")]
    ]
    splits = split(tmp_path, train=write(tmp_path / "rows.csv", rows))
    where = {text: name for name, found in texts(splits).items() for text in found}
    assert all(where[f"Text {number}"] == where[f"text  {number}"] for number in range(30))
    assert any(note.startswith("30 rows repeat the text") for note in splits.notes)


def test_a_group_is_in_one_split_and_every_label_in_training(tmp_path: Path) -> None:
    rows = [(f"text {n}", "ab"[n % 2], str(n // 4)) for n in range(80)] + [(f"rare {n}", "r", "x") for n in range(3)]
    write(tmp_path / "rows.csv", rows, ("text", "label", "customer"))
    for seed in range(8):
        splits = split(tmp_path, train="rows.csv", split={"group": "customer", "seed": seed})
        groups = [set(table["raw.customer"].to_pylist()) for table in splits.tables.values()]
        assert sum(map(len, groups)) == len(set().union(*groups))
        assert "r" in splits.train["label"].to_pylist()
        assert 12 <= splits.test.num_rows <= 20
    assert splits.group == "customer"


def test_time_puts_the_latest_rows_into_the_test(tmp_path: Path) -> None:
    rows = [(f"text {n}", "ab"[n % 2], f"2026-{n // 28 + 1:02d}-{n % 28 + 1:02d}") for n in range(100)]
    write(tmp_path / "rows.csv", rows[50:] + rows[:50], ("text", "label", "day"))
    splits = split(tmp_path, train="rows.csv", split={"time": "day"})
    wanted = {"train": range(70), "validation": range(70, 80), "test": range(80, 100)}
    assert texts(splits) == {name: sorted(f"text {n}" for n in numbers) for name, numbers in wanted.items()}


def test_one_moment_is_not_parted_and_groups_stand_at_their_latest_row(tmp_path: Path) -> None:
    rows = [(f"text {n}", "ab"[n % 2], str(2000 + n // 5), str(n % 10)) for n in range(50)]
    write(tmp_path / "rows.csv", rows, ("text", "label", "year", "who"))
    splits = split(tmp_path, train="rows.csv", split={"time": "year"})
    years = [set(table["raw.year"].to_pylist()) for table in splits.tables.values()]
    assert years[2] == {"2008", "2009"}
    assert years[1] == {"2007"}
    assert max(years[0]) == "2006"
    late = [(f"text {n}", "ab"[n % 2], str(2000 + n), str(n % 5)) for n in range(50)]
    write(tmp_path / "rows.csv", late, ("text", "label", "year", "who"))
    shares = {"time": "year", "group": "who", "test": 0.4, "validation": 0.2}
    both = split(tmp_path, train="rows.csv", split=shares)
    # The latest row of group 4 is of 2049, of group 3 of 2048, and so on.
    groups = [set(table["raw.who"].to_pylist()) for table in both.tables.values()]
    assert groups == [{"0", "1"}, {"2"}, {"3", "4"}]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([("one", "a")], {}, "1 rows cannot be divided by the texts: nothing would be left for validation and test"),
        ([("same", "a")] * 50, {}, "cannot be divided by the texts"),
        ([(f"{n}", "a") for n in range(9)], {"split": {"group": "label"}}, "the groups of 'label'"),
        ([("", "a"), ("x", "")], {}, "No row has both text and label"),
        ([("x", "a")], {"columns": {"text": "txt"}}, "no column 'txt'.*Did you mean 'text'"),
        ([("x", "a")], {"train": None}, "data.train: No file is named"),
    ],
)  # fmt: skip
def test_what_cannot_be_divided(tmp_path: Path, rows: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(tmp_path, **{"train": write(tmp_path / "rows.csv", rows), **options})


def test_several_labels_in_one_file_and_one_in_the_other(tmp_path: Path) -> None:
    lines = '{"text": "t%d", "label": ["%s", "all"]}\n'
    (tmp_path / "a.jsonl").write_text("".join(lines % (n, "ab"[n % 2]) for n in range(30)))
    write(tmp_path / "b.csv", [("x", "a")])
    splits = split(tmp_path, train="a.jsonl", test="b.csv")
    assert splits.test["label"].to_pylist() == [["a"]]
    assert Counter(label for labels in splits.validation["label"].to_pylist() for label in labels) == {
        "all": 4,
        "a": 2,
        "b": 2,
    }


@pytest.mark.parametrize(
    ("sizes", "shares", "codes"),
    [
        ([1] * 10, (0.1, 0.2), [2, 2, 1, 0, 0, 0, 0, 0, 0, 0]),
        ([5], (0.1, 0.2), [0]),
        ([1, 1], (0.1, 0.2), [2, 0]),
        ([1, 1], (0.1, 0.0), [1, 0]),
        ([1, 1, 1], (0.1, 0.2), [2, 1, 0]),
        ([40, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], (0.1, 0.1), [0, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1]),
        ([10, 10, 10], (0.1, 0.2), [2, 1, 0]),
    ],
)
def test_allot(sizes: list[int], shares: tuple[float, float], codes: list[int]) -> None:
    assert allot(np.array(sizes), *shares).tolist() == codes


ROWS = st.lists(
    st.tuples(
        st.text("abc \u597d", min_size=1, max_size=4).filter(str.strip),
        st.sampled_from("xyz"),
        st.sampled_from("12345678"),
    ),
    min_size=12,
    max_size=60,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=ROWS,
    order=st.randoms(use_true_random=False),
    seed=st.integers(0, 99),
    group=st.booleans(),
    stratify=st.booleans(),
)
def test_splits_are_disjoint_complete_and_independent_of_order_and_name(
    tmp_path: Path, rows: list[tuple[str, str, str]], order: Any, seed: int, group: bool, stratify: bool
) -> None:
    header = ("text", "label", "who")
    options = {"split": {"seed": seed, "stratify": stratify, "group": "who" if group else None}}
    write(tmp_path / "one.csv", rows, header)
    shuffled = list(rows)
    order.shuffle(shuffled)
    write(tmp_path / "other.csv", shuffled, header)
    try:
        one = split(tmp_path, train="one.csv", **options)
    except DataError:
        with pytest.raises(DataError, match="cannot be divided"):
            split(tmp_path, train="other.csv", **options)
        return
    other = split(tmp_path, train="other.csv", **options)
    assert one.hashes == other.hashes
    assert {n: t["row_id"].to_pylist() for n, t in one.tables.items()} == {
        n: t["row_id"].to_pylist() for n, t in other.tables.items()
    }
    ids = [row for table in one.tables.values() for row in table["row_id"].to_pylist()]
    assert len(ids) == len(set(ids)) == len(rows)
    kept = Counter((r["text"], r["label"], r["raw.who"]) for t in one.tables.values() for r in t.to_pylist())
    assert kept == Counter(rows)
    key = "raw.who" if group else "text"
    values = [{" ".join(value.split()) for value in table[key].to_pylist()} for table in one.tables.values()]
    assert sum(map(len, values)) == len(set().union(*values))
    if stratify:
        assert set(one.train["label"].to_pylist()) == {label for _, label, _ in rows}


def test_another_seed_draws_other_rows(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", numbered(100))
    assert (
        split(tmp_path, train="rows.csv").hashes["test"]
        != split(tmp_path, train="rows.csv", split={"seed": 14}).hashes["test"]
    )


@pytest.mark.parametrize(
    "cells",
    [
        ["2026-01-31", "2026-02-01"],
        ["2026-01-31 23:59:59", "2026-02-01 00:00:00"],
        ["2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z"],
        ["2026/1/31", "2026/2/1"],
        ["2026年1月31日", "2026年2月1日"],
        ["31.01.2026", "01.02.2026"],
        ["31/01/2026", "01/02/2026"],
        ["1769817600", "1769904000.5"],
        ["20260131", "20260201"],
    ],
)
def test_times_sort(cells: list[str]) -> None:
    first, second = parse_times(pa.chunked_array([cells]), "day", str)
    assert first < second


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["2026-01-01", ""], "1: Column 'day' is empty here"),
        (["2026-01-01", "soon"], "1: Column 'day' holds 'soon', which is no date"),
        (["01/02/2026", "03/04/2026"], "day and month cannot be told apart"),
    ],
)
def test_times_that_cannot_be_read(cells: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_times(pa.chunked_array([cells]), "day", str)

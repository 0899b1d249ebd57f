"""Outcomes on the disk and as numbers; slices."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from provetune.core.errors import CorruptError, DataError
from provetune.core.protocols import Targets
from provetune.evaluation.metrics import classification_scores
from provetune.evaluation.outcomes import build_outcomes, judged_rows, read_outcomes, write_outcomes
from provetune.evaluation.slices import scores_by_value, slice_mask

SINGLE = Targets("single_label", ("a", "b"), out_of_scope="b")
MULTI = Targets("multi_label", ("a", "b", "c"))


def single(labels=("a", "b", "zebra", None)) -> pa.Table:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.5, 0.5]])[: len(labels)]
    ids = [f"r{k}" for k in range(len(labels))]
    return build_outcomes(ids, pa.array(labels), pa.array(["a", "a", "b", "a"][: len(labels)]), probabilities)


def test_written_outcomes_come_back(tmp_path):
    table = single()
    write_outcomes(tmp_path / "test.parquet", table)
    assert read_outcomes(tmp_path / "test.parquet").equals(table)
    assert table.schema.field("probabilities").type == pa.list_(pa.float32())
    assert [path.name for path in tmp_path.iterdir()] == ["test.parquet"]


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "test.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(CorruptError, match=r"test\.parquet"):
        read_outcomes(tmp_path / "test.parquet")


def test_unknown_labels_are_wrong_and_missing_ones_left_out():
    rows = judged_rows(single(), SINGLE)
    assert rows.names == ("a", "b", "zebra")
    assert rows.labels.tolist() == [0, 1, 2]
    assert rows.predictions.tolist() == [0, 0, 1]
    assert rows.out_of_scope == 1
    scores = classification_scores(rows)
    assert scores["accuracy"] == pytest.approx(1 / 3)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 0 + 0) / 3)


def test_groups_follow_the_rows_that_stay():
    assert judged_rows(single(), SINGLE, ["x", "y", "x", "z"]).groups.tolist() == [0, 1, 0]


def test_several_labels_become_indicators_also_after_filtering():
    table = build_outcomes(
        ["r0", "r1", "r2"],
        pa.array([None, ["a", "c"], ["q"]], type=pa.list_(pa.string())),
        pa.array([["b"], ["c"], []], type=pa.list_(pa.string())),
        np.full((3, 3), 0.25),
    )
    rows = judged_rows(table, MULTI)
    assert rows.names == ("a", "b", "c", "q")
    assert rows.labels.tolist() == [[True, False, True, False], [False, False, False, True]]
    assert rows.predictions.tolist() == [[False, False, True, False], [False] * 4]
    assert rows.probabilities.shape == (2, 4)
    assert classification_scores(rows)["micro_f1"] == pytest.approx(2 * 1 / (1 + 3))


def test_slices_by_a_raw_column():
    examples = pa.table({"raw.region": ["north", "south", None]})
    rows = judged_rows(single(("a", "b", "a")), SINGLE)
    assert slice_mask(examples, {"region": "north"}).tolist() == [True, False, False]
    scores = scores_by_value(examples, rows, "region")
    assert {value: entry["accuracy"] for value, entry in scores.items()} == {"north": 1.0, "south": 0.0}
    with pytest.raises(DataError, match="Did you mean 'region'"):
        slice_mask(examples, {"regoin": "north"})
    with pytest.raises(DataError, match="region=east"):
        slice_mask(examples, {"region": "east"})

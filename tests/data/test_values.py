"""Label cells into numbers: what is read, what is bad and why, and the strata of a draw."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from provetune.data.reading import read_table
from provetune.data.values import read_values, value_strata


def table(tmp_path, rows, name="rows.jsonl"):
    path = tmp_path / name
    if name.endswith("csv"):
        path.write_text("\n".join(rows) + "\n")
    else:
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return read_table(str(path))


def test_numbers_of_every_writing(tmp_path):
    raw = table(tmp_path, ["t,n", "a, 1.5 ", "b,-2", "c,1e3", "d,", "e,NaN", "f,+0.25"], "rows.csv")
    label, bad = read_values(raw, "n")
    assert label.to_pylist() == [1.5, -2.0, 1000.0, None, None, 0.25]
    assert bad == ()


def test_what_is_no_number_is_told_by_row(tmp_path):
    raw = table(tmp_path, ["t,n", "a,1.5", "b,good", "c,inf", "d,1_000", 'e,"1,5"'], "rows.csv")
    label, bad = read_values(raw, "n")
    assert label.to_pylist() == [1.5, None, None, None, None]
    assert [(one.row, one.field, one.message) for one in bad] == [
        (1, "n", "'good' is no number."),
        (2, "n", "'inf' is no number."),
        (3, "n", "'1_000' is no number."),
        (4, "n", "'1,5' is no number."),
    ]


def test_several_columns_are_all_or_nothing(tmp_path):
    raw = table(tmp_path, ["t,valence,arousal", "a,1,2", "b,,", "c,3,", "d,x,4"], "rows.csv")
    label, bad = read_values(raw, ["valence", "arousal"])
    assert label.type == pa.struct({"valence": pa.float64(), "arousal": pa.float64()})
    assert label.to_pylist() == [{"valence": 1.0, "arousal": 2.0}, None, None, None]
    assert [(one.row, one.message) for one in bad] == [
        (2, "'arousal' has no number, but others of the row have."),
        (3, "'x' is no number."),
    ]


def test_lists_are_numbered(tmp_path):
    raw = table(tmp_path, [{"t": "a", "n": [1, 2.5]}, {"t": "b", "n": [3]}, {"t": "c"}, {"t": "d", "n": ["x", 1]}])
    label, bad = read_values(raw, "n")
    assert label.to_pylist()[0] == {"1": 1.0, "2": 2.5}
    assert label.null_count == 3
    assert [one.row for one in bad] == [1, 3]
    assert "no list of 2 numbers" in bad[0].message


def test_no_column_is_no_label(tmp_path):
    raw = table(tmp_path, [{"t": "a"}])
    assert read_values(raw, None)[0].to_pylist() == [None]


def test_strata_hold_equally_many_rows_in_order():
    values = np.random.default_rng(0).normal(size=200)
    strata = np.array(value_strata(pa.array(values)).to_pylist())
    assert sorted(set(strata)) == [str(number) for number in range(10)]
    for number in range(9):
        assert values[strata == str(number)].max() <= values[strata == str(number + 1)].min()
        assert (strata == str(number)).sum() == 20


@pytest.mark.parametrize("values", [[1.0, 2.0], [None, 1.0, None], [5.0] * 50])
def test_few_rows_or_kinds_are_few_strata(values):
    assert len(set(value_strata(pa.array(values, pa.float64())).to_pylist())) == 1


def test_strata_of_several_numbers_follow_the_first():
    parts = pa.StructArray.from_arrays([pa.array(np.arange(60.0)), pa.array(-np.arange(60.0))], names=["a", "b"])
    assert value_strata(parts).to_pylist() == value_strata(pa.array(np.arange(60.0))).to_pylist()

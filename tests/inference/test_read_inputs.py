"""Inputs of a task that makes its texts itself, out of several cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from provetune.core.errors import DataError
from provetune.inference.inputs import TextColumns, prepare


def upper_case(parts: Sequence[Any], where: str) -> tuple[str, ...] | None:
    if parts[0] is None:
        return None
    if not isinstance(parts[0], str):
        raise DataError("no text", where=where)
    return ("-".join(str(part) for part in parts).upper(),)


COLUMNS = TextColumns(("text", "first", "second"), mask=("email",), read=upper_case)


def test_cells_are_handed_over_as_they_are() -> None:
    rows = [{"text": "a", "first": 1, "second": None}, {"text": None, "first": 1, "second": 2}]
    found = prepare(rows, COLUMNS, missing="keep")
    assert found.examples.to_pylist() == [{"text": "A-1-NONE"}]
    assert (list(found.places), found.count) == ([0], 2)
    with pytest.raises(DataError, match="text 2: There is no text"):
        prepare(rows, COLUMNS)


def test_an_item_without_columns_is_handed_over_alone() -> None:
    assert prepare(["a"], COLUMNS).examples["text"].to_pylist() == ["A"]
    with pytest.raises(DataError, match="here: no text"):
        prepare([3], COLUMNS, where=["here"])


def test_what_was_read_is_masked() -> None:
    assert prepare(["mail a@b.org"], COLUMNS).examples["text"].to_pylist() == ["MAIL <EMAIL>"]

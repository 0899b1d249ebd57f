"""A draft suggests folds where rows are few; the section refuses numbers of folds that leave nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provetune.core.errors import ProblemFileError
from provetune.problem.data_section import Split
from provetune.problem.drafting import draft_problem
from provetune.problem.reading import parse_problem


def draft(**options: Any) -> str:
    known = {"train": "reviews.csv", "text": "message", "label": "intent", "rows": 120, "labels": {"a": 60, "b": 60}}
    return draft_problem(**{**known, **options})


def suggested(text: str) -> list[str]:
    return [line for line in text.splitlines() if "folds:" in line]


def test_few_rows_get_a_suggestion_and_enough_do_not() -> None:
    assert suggested(draft()) == [
        "    # folds: 10    # in place of test and validation: 120 rows are few: every row is held out once"
    ]
    assert suggested(draft(rows=199)) != []
    assert suggested(draft(rows=200)) == []
    assert suggested(draft(rows=None)) == []


def test_no_more_folds_are_suggested_than_a_label_has_rows() -> None:
    assert "folds: 5 " in suggested(draft(labels={"a": 115, "b": 5}))[0]
    assert suggested(draft(labels={"a": 118, "b": 2})) == []


@pytest.mark.parametrize("given", [{"test": "test.csv"}, {"validation": "val.csv"}, {"time": "sent_at"}])
def test_where_folds_cannot_be_they_are_not_suggested(given: dict[str, Any]) -> None:
    assert suggested(draft(**given)) == []


def test_taken_up_the_suggestion_reads() -> None:
    text = draft()
    line = suggested(text)[0]
    kept = [each for each in text.splitlines() if not each.startswith(("    test:", "    validation:"))]
    taken = "\n".join(kept).replace(line, line.replace("# folds", "folds", 1))
    assert parse_problem(taken, Path("problem.yaml")).problem.data.split.folds == 10


@pytest.mark.parametrize("folds", [-1, 0, 1, 2, 11])
def test_folds_have_a_least_and_a_greatest_number(folds: int) -> None:
    text = f"name: x\ndata:\n  train: rows.csv\n  split:\n    folds: {folds}\n"
    with pytest.raises(ProblemFileError, match=r"problem.yaml:5: 'data.split.folds' must be .*from 3 to 10"):
        parse_problem(text, Path("problem.yaml"))


def test_a_split_is_written_as_it_was_where_there_are_no_folds() -> None:
    """The name of a study hangs on it: studies from before folds keep theirs."""
    usual = {"test": 0.2, "validation": 0.1, "stratify": True, "group": None, "time": None, "seed": 13}
    assert Split().model_dump() == usual
    assert Split(folds=4).model_dump() == {"stratify": True, "group": None, "seed": 13, "folds": 4}

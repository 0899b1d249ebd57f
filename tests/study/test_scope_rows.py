"""Claims that no test row is about are refused before anything is trained, with the values that there are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from provetune.core.errors import UsageError
from provetune.problem.scopes import parse_accept_key
from provetune.study.scope_rows import check_rows

TEST = pa.table(
    {
        "label": ["a", "a", "b", None],
        "raw.channel": ["mail", "mail", "chat", "chat"],
        "raw.region": ["north", None, "south", "south"],
    }
)
SEVERAL = pa.table({"label": pa.array([["a"], [], ["a", "b"]]), "raw.channel": ["mail", "chat", "chat"]})


@pytest.mark.parametrize(
    ("scope", "told", "hint"),
    [
        ("accuracy @ channel=fax", "No test row has channel=fax", "Values of 'channel' and their test rows: "),
        ("accuracy @ channel=mail, region=west", "No test row has channel=mail, region=west", "south (2), north (1)"),
        ("accuracy @ channel=mail, region=south", "No test row has channel=mail, region=south", "no row has them"),
        ("recall:c", "No test row has the label 'c', so its recall", "test file"),
        ("f1:b @ channel=mail", "No test row has the label 'b' in this slice, so its f1", "test file"),
    ],
)
def test_what_no_row_is_about_is_refused(scope: str, told: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_rows(parse_accept_key(scope), TEST, "single_label", "problem.yaml:9")
    assert told in str(caught.value)
    assert hint in str(caught.value)
    assert str(caught.value).startswith("problem.yaml:9: ")


@pytest.mark.parametrize(
    "scope",
    ["accuracy", "accuracy @ channel=chat", "recall:b @ channel=chat", "precision:c", "macro_f1 @ region=north"],
)
def test_what_some_row_is_about_passes(scope: str) -> None:
    check_rows(parse_accept_key(scope), TEST, "single_label", None)


def test_rows_with_several_labels_have_each_of_them() -> None:
    check_rows(parse_accept_key("recall:b @ channel=chat"), SEVERAL, "multi_label", None)
    with pytest.raises(UsageError, match="label 'b' in this slice"):
        check_rows(parse_accept_key("recall:b @ channel=mail"), SEVERAL, "multi_label", None)


def test_labels_that_are_no_classes_are_not_counted() -> None:
    spans = pa.table({"label": [[{"start": 0, "end": 3, "label": "PER"}]]})
    check_rows(parse_accept_key("recall:LOC"), spans, "spans", None)

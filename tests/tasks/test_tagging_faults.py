"""What `check` says of tagged texts: each fault with its count and its first rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provetune.core.protocols import Finding
from provetune.data.examples import to_examples
from provetune.data.reading import read_table
from provetune.problem.syntax import Columns, Data
from provetune.tasks import TASKS

TASK = TASKS.get("tagging")


def findings(folder: Path, **splits: Any) -> dict[str, Finding]:
    """Faults of splits, which are a file's text or rows of a jsonl file."""
    tables = {}
    for name, content in splits.items():
        path = folder / (f"{name}.conll" if isinstance(content, str) else f"{name}.jsonl")
        path.write_text(content if isinstance(content, str) else "\n".join(map(json.dumps, content)) + "\n")
        raw = read_table(str(path))
        columns = Columns.model_validate(TASK.detect(raw, {}).columns)
        tables[name] = to_examples(raw, Data(), columns, TASK)
    return {finding.kind: finding for finding in TASK.check(tables)}


def test_clean_data_has_no_faults(tmp_path: Path) -> None:
    assert findings(tmp_path, train="Ann\tB-PER\nLi\tI-PER\n\nBo\tB-PER\n", validation="Ann\tB-PER\n") == {}


def test_broken_tags_are_told_with_row_and_token(tmp_path: Path) -> None:
    text = "a\tO\nb\tI-X\n\nc\tB-X\nd\tI-Y\n\ne\tB-X\nf\tB-Y\ng\tI-Y\n"
    found = findings(tmp_path, train=text)["broken_tags"]
    assert (found.count, found.severity) == (2, "warning")
    assert found.rows == (
        {"file": "train.conll", "row": 1, "split": "train", "token": 2, "message": "'I-X' follows 'O'"},
        {"file": "train.conll", "row": 4, "split": "train", "token": 2, "message": "'I-Y' follows 'B-X'"},
    )
    assert "in row 1, token 2, 'I-X' follows 'O'" in found.message


def test_spans_that_are_not_closed_are_broken_tags_too(tmp_path: Path) -> None:
    found = findings(tmp_path, train="a\tB-X\nb\tM-X\nc\tE-X\n\nd\tB-X\ne\tO\n\nf\tB-X\ng\tE-X\n")["broken_tags"]
    assert [row["message"] for row in found.rows] == ["'B-X' is not continued"]


def test_a_tag_that_is_wrong_on_both_sides_counts_once(tmp_path: Path) -> None:
    found = findings(tmp_path, train="a\tB-X\nb\tE-X\n\nc\tS-X\nd\tI-X\ne\tO\n")["broken_tags"]
    assert (found.count, [row["message"] for row in found.rows]) == (1, ["'I-X' follows 'S-X'"])


def test_overlaps_and_spans_inside_words(tmp_path: Path) -> None:
    rows = [
        {"text": "Ann Lee at 13:00pm", "spans": [[0, 7, "a"], [4, 7, "a"], [11, 16, "t"]]},
        {"text": "Bo at noon", "spans": [[0, 2, "a"], [6, 10, "t"]]},
    ]
    found = findings(tmp_path, train=rows)
    assert found["overlapping_spans"].count == 1
    assert found["overlapping_spans"].rows[0]["message"] == "'Lee' (a, 4 to 7)"
    assert found["overlapping_spans"].message.startswith("1 span overlaps another")
    assert found["spans_inside_words"].count == 1
    assert found["spans_inside_words"].message.startswith("1 span begins or ends inside")
    assert found["spans_inside_words"].rows == (
        {"file": "train.jsonl", "row": 1, "split": "train", "message": "'13:00' (t, 11 to 16)"},
    )


def test_other_letters_than_the_file_says(tmp_path: Path) -> None:
    rows = [
        {"text": "é Ann", "spans": [{"start": 3, "end": 5, "label": "a", "value": "Ann"}]},
        {"text": "Ann and Ann", "spans": [{"start": 0, "end": 3, "label": "a", "value": "Ann"}]},
    ]
    found = findings(tmp_path, train=rows)["other_text_in_span"]
    assert (found.count, found.severity) == (1, "warning")
    assert "'Ann' is said to be where 'nn' is" in found.rows[0]["message"]


def test_labels_that_occur_once_and_labels_that_training_lacks(tmp_path: Path) -> None:
    train = "a\tB-X\n\nb\tB-X\n\nc\tB-Y\n"
    found = findings(tmp_path, train=train, validation="d\tB-Z\n", test="e\tB-X\n")
    assert found["labels_that_occur_once"].count == 1
    assert "'Y'" in found["labels_that_occur_once"].message
    assert found["labels_that_occur_once"].rows == ({"file": "train.conll", "row": 5, "split": "train"},)
    assert "'Z'" in found["labels_not_in_training"].message


@pytest.mark.parametrize("text", ["Ann ", " Ann"])
def test_what_was_mended_is_noted(tmp_path: Path, text: str) -> None:
    rows = [{"text": text, "spans": [[0, 4, "a"]]}, {"text": "Ann", "spans": [[0, 3, "a"]]}, {"text": "nobody"}]
    found = findings(tmp_path, train=rows)
    assert found["spans_trimmed"].count == 1
    assert (found["spans_left_out"].count, found["spans_left_out"].severity) == (1, "note")
    assert found["spans_left_out"].message.startswith("1 row without spans")


def test_only_the_first_few_rows_are_shown(tmp_path: Path) -> None:
    found = findings(tmp_path, train="a\tI-X\n\nb\tB-X\n\n" * 40)["broken_tags"]
    assert (found.count, len(found.rows)) == (40, 5)

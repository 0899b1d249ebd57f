"""What `check` finds: each fault is planted, counted and placed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from provetune.core.protocols import Finding, Role
from provetune.data.label_faults import signs_of_none
from provetune.data.labelled_texts import LabelledTexts
from provetune.data.quality import find_faults, sort_findings
from provetune.data.splits import make_splits
from provetune.problem.syntax import Data

ROLES = (Role("text", "The text.", many=True), Role("label", "Its label.", many=True))
CLEAN = [(f"a text about {word} number {n}", "ab"[n % 2]) for n, word in enumerate(["ships", "trains", "planes"] * 20)]


def write(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path.name


def check(
    folder: Path,
    train: Sequence[Sequence[str]],
    *,
    validation: Sequence[Sequence[str]] = (("to validate a", "a"), ("to validate b", "b")),
    test: Sequence[Sequence[str]] = (("to test a", "a"), ("to test b", "b")),
    header: Sequence[str] = ("text", "label"),
    columns: dict[str, Any] | None = None,
    **options: Any,
) -> list[Finding]:
    names = {
        name: write(folder / f"{name}.csv", rows, header)
        for name, rows in (("train", train), ("validation", validation), ("test", test))
    }
    data = Data.model_validate({**names, "columns": columns or {"text": "text", "label": "label"}})
    return find_faults(make_splits(data, folder, LabelledTexts(ROLES)), **options)


def row(split: str, number: int) -> dict[str, Any]:
    return {"file": f"{split}.csv", "row": number, "split": split}


def test_clean_data_have_no_fault(tmp_path: Path) -> None:
    assert (
        check(
            tmp_path, CLEAN, backbone_languages=["en"], lengths=lambda texts, pairs: np.ones(len(texts)), max_length=4
        )
        == []
    )


def only(findings: list[Finding]) -> Finding:
    assert [finding.kind for finding in findings] == [findings[0].kind]
    return findings[0]


def test_unusable_rows_warn_in_training_and_block_in_a_test_file(tmp_path: Path) -> None:
    found = check(tmp_path, [*CLEAN, ("", "a"), ("nan", "a"), ("x", "")])
    assert [(f.kind, f.severity, f.count, f.rows) for f in found] == [
        ("missing_label", "warning", 1, (row("train", 64),)),
        ("missing_text", "warning", 1, (row("train", 63),)),
        ("empty_text", "warning", 1, (row("train", 62),)),
    ]
    found = check(tmp_path, CLEAN, test=[("x", "a"), ("y", "b"), ("z", "")])
    assert (only(found).kind, found[0].severity, found[0].rows) == ("missing_label", "blocking", (row("test", 4),))


def test_duplicates_and_conflicts(tmp_path: Path) -> None:
    found = only(check(tmp_path, [*CLEAN, CLEAN[0], CLEAN[0]]))
    assert (found.kind, found.severity, found.count) == ("duplicate_rows", "warning", 2)
    assert found.rows == (row("train", 62), row("train", 63))
    found = only(check(tmp_path, [*CLEAN, ("A  text about SHIPS number 0", "b")]))
    assert (found.kind, found.count) == ("conflicting_labels", 2)
    assert found.rows == (row("train", 2), row("train", 62))


def test_leaks_exact_and_folded(tmp_path: Path) -> None:
    leaked = [CLEAN[0], (CLEAN[1][0].upper(), "b"), ("fresh", "a")]
    found = only(check(tmp_path, CLEAN, test=leaked))
    assert (found.kind, found.count, found.rows) == ("leak_between_splits", 2, (row("test", 2), row("test", 3)))
    assert "2 texts of test are in train as well (66.7%): 1 exactly, 1 apart from case and spaces." in found.message


def test_groups_in_two_splits(tmp_path: Path) -> None:
    header = ("text", "label", "who")
    train = [(text, label, str(n)) for n, (text, label) in enumerate(CLEAN)]
    validation = [("to validate a", "a", "x"), ("to validate b", "b", "")]
    test = [("to test a", "a", "3"), ("to test b", "b", "y")]
    columns = {"text": "text", "label": "label", "group": "who"}
    found = only(check(tmp_path, train, validation=validation, test=test, header=header, columns=columns))
    assert (found.kind, found.count, found.rows) == ("group_in_two_splits", 1, (row("test", 2),))


def test_labels_of_one_split_only(tmp_path: Path) -> None:
    found = check(
        tmp_path, [*CLEAN, *((f"more {n}", "c") for n in range(5))], test=[("x", "a"), ("y", "b"), ("z", "new")]
    )
    assert [(f.kind, f.severity, f.count) for f in found] == [
        ("unseen_label", "blocking", 1),
        ("label_missing_from_split", "warning", 5),
        ("label_missing_from_split", "warning", 5),
    ]
    assert found[0].rows == (row("test", 4),)
    assert "'new'" in found[0].message


def test_one_label_only(tmp_path: Path) -> None:
    found = check(tmp_path, [(text, "a") for text, _ in CLEAN], validation=[("v", "a")], test=[("t", "a")])
    assert (only(found).kind, found[0].severity, found[0].count) == ("one_label_only", "blocking", 60)


def test_labels_written_in_two_ways_and_rare_ones(tmp_path: Path) -> None:
    train = [*CLEAN, *((f"more {n}", "A ") for n in range(6)), ("single", "b"), ("lonely", "r")]
    kinds = {finding.kind: finding for finding in check(tmp_path, train)}
    assert kinds["similar_labels"].count == 6
    assert "'a' (32) and 'A ' (6)" in kinds["similar_labels"].message
    assert kinds["similar_labels"].rows[0] == row("train", 62)
    assert kinds["rare_labels"].count == 1
    assert "1 label has fewer than 5 training rows, 1 of them a single one: 'r'" in kinds["rare_labels"].message


def test_signed_numbers_are_not_written_in_two_ways(tmp_path: Path) -> None:
    train = [(text, {"a": "-1", "b": "1"}[label]) for text, label in CLEAN]
    assert check(tmp_path, train, validation=[("v", "1"), ("w", "-1")], test=[("x", "1"), ("y", "-1")]) == []


def test_one_number_is_not_written_in_two_ways(tmp_path: Path) -> None:
    train = [*((text, {"a": "1", "b": "2"}[label]) for text, label in CLEAN), *((f"more {n}", "2.0") for n in range(6))]
    validation, test = ([(f"{name} {label}", label) for label in ("1", "2", "2.0")] for name in "vt")
    found = only(check(tmp_path, train, validation=validation, test=test))
    assert (found.kind, found.count) == ("similar_labels", 8)
    assert "'2' (32) and '2.0' (8)" in found.message


@pytest.mark.parametrize(
    ("labels", "signs"),
    [
        (["entailment", "neutral", "contradiction", "-"], ["-"]),
        (["1", "2", "3", "N/A"], ["N/A"]),
        (["0", "1", "2", "-1"], ["-1"]),
        (["0", "1", "-1"], []),  # negative, neutral, positive
        (["1", "2", "3", "-1"], []),
        (["a", "b", "none"], []),
        (["-", "?"], []),
    ],
)
def test_signs_that_say_that_there_is_no_label(labels: list[str], signs: list[str]) -> None:
    assert signs_of_none(dict.fromkeys(labels, 1)) == signs


def test_a_sign_for_no_label_is_told_with_its_rows(tmp_path: Path) -> None:
    train = [*CLEAN, *((f"torn {n}", "-") for n in range(5))]
    splits = {"validation": [("v", "a"), ("w", "b"), ("z", "-")], "test": [("x", "a"), ("y", "b"), ("u", "-")]}
    found = check(tmp_path, train, **splits)
    assert [(each.kind, each.count, each.rows[0]) for each in found] == [
        ("label_says_none", 5, row("train", 62)),
        ("label_says_none", 1, row("validation", 4)),
        ("label_says_none", 1, row("test", 4)),
    ]
    assert "5 rows of train have the label '-', one of 3 that are learned and judged." in found[0].message
    assert check(tmp_path, train, **splits, out_of_scope="-") == []


@pytest.mark.parametrize(
    ("text", "kind", "severity"),
    [
        ("a\0b", "nul_bytes", "blocking"),
        ("bell \x07", "control_characters", "warning"),
        ("broken \ufffd\ufffd", "broken_characters", "warning"),
        ("x" * 1_000_000, "huge_text", "blocking"),
        ("好" * 40_000, "long_text", "warning"),
    ],
)
def test_damaged_and_long_texts(tmp_path: Path, text: str, kind: str, severity: str) -> None:
    found = only(check(tmp_path, [*CLEAN, (text, "a")]))
    assert (found.kind, found.severity, found.count, found.rows) == (kind, severity, 1, (row("train", 62),))


def test_ordinary_spaces_and_lines_are_no_control_characters(tmp_path: Path) -> None:
    assert check(tmp_path, [*CLEAN, ("two\nlines\tand\r\ntab\u3000好", "a")]) == []


def test_truncation_counts_tokens(tmp_path: Path) -> None:
    def lengths(texts: Sequence[str], pairs: Sequence[str] | None) -> Any:
        assert pairs is None
        return np.array([len(text.split()) for text in texts])

    train = [*CLEAN, *((" ".join(["word"] * 9) + f" {n}", "ab"[n % 2]) for n in range(20))]
    found = only(check(tmp_path, train, lengths=lengths, max_length=8))
    assert (found.kind, found.severity, found.count) == ("truncated", "warning", 20)
    assert "25.0% of the training texts are longer than max_length (8 tokens)" in found.message


def test_language_unlike_the_backbone(tmp_path: Path) -> None:
    found = only(check(tmp_path, CLEAN, backbone_languages=["zh"]))
    assert (found.kind, found.count) == ("language_unlike_backbone", 60)
    assert check(tmp_path, CLEAN, backbone_languages=["zh"], language="zh") == []
    assert check(tmp_path, CLEAN, backbone_languages=["multilingual"]) == []


def test_worst_comes_first() -> None:
    def finding(kind: str, severity: Any, count: int) -> Finding:
        return Finding(kind, severity, count, "")

    mixed = [
        finding("truncated", "note", 99),
        finding("duplicate_rows", "warning", 50),
        finding("leak_between_splits", "warning", 1),
        finding("leak_between_splits", "warning", 3),
        finding("nul_bytes", "blocking", 1),
        finding("something_of_a_task", "warning", 9),
    ]
    assert [(f.kind, f.count) for f in sort_findings(mixed)] == [
        ("nul_bytes", 1),
        ("leak_between_splits", 3),
        ("leak_between_splits", 1),
        ("duplicate_rows", 50),
        ("something_of_a_task", 9),
        ("truncated", 99),
    ]

"""The samples of several labels, of numbers and of ordered labels: columns, values, and problem files without fault."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from provetune.problem.reading import read_problem
from provetune.study.problem_checks import problem_checks

EXAMPLES = Path(__file__).parents[2] / "examples"
TOPICS = {"billing", "login", "export", "speed", "rights"}
LEVELS = {"low": (0, 4), "normal": (4, 6), "high": (6, 8), "urgent": (8, 10.01)}


def rows(folder: str, file: str) -> list[dict[str, str]]:
    with (EXAMPLES / folder / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))


def test_tickets_have_any_number_of_topics():
    found = rows("ticket_topics", "tickets.csv")
    labels = [row["topics"].split("|") if row["topics"] else [] for row in found]
    assert len(found) == len({row["message"] for row in found}) == 140
    assert {topic for one in labels for topic in one} == TOPICS
    sizes = Counter(map(len, labels))
    assert (sizes[0], sizes[3]) == (10, 4)
    assert min(Counter(topic for one in labels for topic in one).values()) >= 20
    assert all(one == sorted(set(one), key=one.index) for one in labels)


def test_faults_have_a_severity_and_the_priority_that_follows_from_it():
    found = rows("building_faults", "faults.csv")
    assert len(found) == len({row["report"] for row in found}) == 130
    for row in found:
        low, high = LEVELS[row["priority"]]
        assert low <= float(row["severity"]) < high, row
    assert min(Counter(row["priority"] for row in found).values()) >= 25


@pytest.mark.parametrize(
    ("file", "task"),
    [
        ("ticket_topics/problem.yaml", "classification"),
        ("building_faults/problem.yaml", "regression"),
        ("building_faults/priority.yaml", "ordinal"),
    ],
)
def test_problem_files_have_no_fault(file, task):
    read = read_problem(EXAMPLES / file, checks=problem_checks())
    assert read.problem.task == task

"""The sample of tagging stays what its page says, and nothing in it is at fault."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from provetune.data.splits import make_splits
from provetune.data.words import find_words
from provetune.problem.reading import read_problem
from provetune.study.problem_checks import problem_checks
from provetune.tasks import TASKS

NOTES = Path(__file__).parents[2] / "examples" / "workshop_notes"


def test_the_problem_runs_without_a_fault_of_the_data() -> None:
    problem = read_problem(NOTES / "problem.yaml", checks=problem_checks()).problem
    task = TASKS.get(problem.task)
    splits = make_splits(problem.data, NOTES, task)
    assert splits.set_aside.num_rows == 0
    assert task.check(splits.tables) == []
    assert task.targets(splits.train).names == ("day", "part", "person", "price")


def test_notes_are_as_their_page_says() -> None:
    rows = [json.loads(line) for line in (NOTES / "notes.jsonl").read_text(encoding="utf-8").splitlines()]
    page = (NOTES / "README.md").read_text(encoding="utf-8")
    counts = Counter(span["label"] for row in rows for span in row["spans"])
    assert f"{len(rows)} notes" in page
    assert f"{sum(not row['spans'] for row in rows)} notes hold none" in page
    for label, count in counts.items():
        assert f"| `{label}` | {count} |" in page
    assert len({row["note"] for row in rows}) == len(rows)
    for row in rows:
        ends = {end for _, end in find_words(row["note"])}
        assert all(span["end"] in ends for span in row["spans"])

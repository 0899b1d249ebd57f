"""The samples of relations and questions stay what their pages say, and nothing in them is at fault."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from provetune.data.splits import make_splits
from provetune.problem.reading import read_problem
from provetune.study.problem_checks import problem_checks
from provetune.tasks import TASKS

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTES = EXAMPLES / "company_relations"
RULES = EXAMPLES / "house_rules"


@pytest.mark.parametrize("folder", [NOTES, RULES], ids=lambda folder: folder.name)
def test_the_problem_runs_without_a_fault_of_the_data(folder: Path) -> None:
    problem = read_problem(folder / "problem.yaml", checks=problem_checks()).problem
    task = TASKS.get(problem.task)
    splits = make_splits(problem.data, folder, task)
    assert splits.set_aside.num_rows == 0
    assert [finding.kind for finding in task.check(splits.tables)] == []
    task.targets(splits.train, options=problem.options)


def test_relations_are_as_their_page_says() -> None:
    with (NOTES / "notes.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, strict=True))
    counts = Counter(row["relation"] for row in rows)
    assert counts.pop("other") == 24
    assert set(counts) == {
        f"{relation}({way})" for relation in ("works_for", "owns", "supplies", "based_in") for way in ("e1,e2", "e2,e1")
    }
    assert set(counts.values()) == {16, 18}
    assert sum(row["note"].index("<e2>") < row["note"].index("<e1>") for row in rows) == 2
    page = (NOTES / "README.md").read_text(encoding="utf-8")
    assert f"{len(rows)} notes" in page


def test_questions_are_as_their_page_says() -> None:
    document = json.loads((RULES / "questions.json").read_text(encoding="utf-8"))
    paragraphs = [paragraph for article in document["data"] for paragraph in article["paragraphs"]]
    questions = [(paragraph["context"], question) for paragraph in paragraphs for question in paragraph["qas"]]
    page = (RULES / "README.md").read_text(encoding="utf-8")
    assert f"{len(questions)} questions about {len(paragraphs)} notices" in page
    assert all(len(article["paragraphs"]) == 2 for article in document["data"])
    assert sum(not question["answers"] for _, question in questions) == 18
    for context, question in questions:
        assert question["is_impossible"] == (not question["answers"])
        for answer in question["answers"]:
            assert context[answer["answer_start"] :].startswith(answer["text"])

"""The samples of pairs and of retrieval stay what their pages say."""

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


def lines(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (EXAMPLES / "help_articles" / name).read_text(encoding="utf-8").splitlines()]


def pairs() -> list[dict[str, str]]:
    with (EXAMPLES / "same_question" / "pairs.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_every_page_has_five_questions() -> None:
    questions, articles = lines("questions.jsonl"), lines("articles.jsonl")
    assert len(questions) == len({row["question"] for row in questions}) == 170
    assert Counter(row["article"] for row in questions) == {row["article"]: 5 for row in articles}
    assert len(articles) == 34


def test_pairs_are_those_of_one_page_and_of_two_neighbours() -> None:
    topic = {row["question"]: row["topic"] for row in lines("questions.jsonl")}
    for row in pairs():
        first, second = topic[row["question_a"]], topic[row["question_b"]]
        assert (row["same"] == "yes") == (first == second)
        assert {first, second} <= set(row["topics"].split(" / "))
    assert Counter(row["same"] for row in pairs()) == {"yes": 340, "no": 425}


def test_closeness_is_that_of_the_pages() -> None:
    topic = {row["question"]: row["topic"] for row in lines("questions.jsonl")}
    neighbours = {frozenset(row["topics"].split(" / ")) for row in pairs()}
    with (EXAMPLES / "same_question" / "closeness.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    for row in rows:
        both = frozenset((topic[row["question_a"]], topic[row["question_b"]]))
        assert row["closeness"] == ("3" if len(both) == 1 else "1" if both in neighbours else "0")
    assert Counter(row["closeness"] for row in rows) == {"3": 340, "1": 340, "0": 340}
    assert len({frozenset((row["question_a"], row["question_b"])) for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("help_articles", "problem.yaml"), ("same_question", "problem.yaml"), ("same_question", "closeness.yaml")],
)
def test_their_problems_can_be_read_and_have_no_blocking_fault(folder: str, name: str) -> None:
    file = read_problem(EXAMPLES / folder / name, checks=problem_checks())
    task = TASKS.get(file.problem.task)
    splits = make_splits(file.problem.data, EXAMPLES / folder, task)
    assert not [finding for finding in task.check(splits.tables) if finding.severity == "blocking"]
    if folder == "same_question":
        asked = [
            {text for name in ("text", "text_pair") for text in table[name].to_pylist()}
            for table in splits.tables.values()
        ]
        assert not asked[0] & asked[1]
        assert not asked[0] & asked[2]
    else:
        assert all(sum(map(len, table["corpus"].to_pylist())) == 34 for table in splits.tables.values())


def test_shared_words_find_the_right_page_first_for_one_question_in_four() -> None:
    from provetune.models.methods.bm25 import METHOD, Bm25Settings

    file = read_problem(EXAMPLES / "help_articles" / "problem.yaml", checks=problem_checks())
    task = TASKS.get("retrieval")
    splits = make_splits(file.problem.data, EXAMPLES / "help_articles", task)
    targets = task.targets(splits.train)
    model = METHOD.fit(splits.train, task, targets, Bm25Settings(), validation=splits.validation)
    outputs, features = model.outputs(splits.test)
    outcomes = task.outcomes(splits.test, task.answers(outputs, features, splits.test, targets), targets)
    assert 0.2 < task.score(outcomes, targets)["recall_at_1"] < 0.3

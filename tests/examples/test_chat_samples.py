"""The shipped conversations stay what their page says."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest
from chat_tokenizers import CHATML, make_chat_tokenizer

from provetune.data.splits import make_splits
from provetune.models.chat_template import render_prompt
from provetune.problem.reading import read_problem
from provetune.study.problem_checks import baseline_of, problem_checks
from provetune.tasks import TASKS

SHOP = Path(__file__).parents[2] / "examples" / "bike_shop"


def test_every_question_is_answered_once_in_each_tone() -> None:
    rows = [json.loads(line) for line in (SHOP / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 60
    assert [row["number"] for row in rows] == list(range(1, 61))
    by_question: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in rows:
        by_question[row["question"]][row["tone"]] = row
    assert len(by_question) == 30
    for tones in by_question.values():
        assert set(tones) == {"formal", "friendly"}
        assert tones["formal"]["answer"] == tones["friendly"]["other"]
        assert tones["friendly"]["answer"] == tones["formal"]["other"]


@pytest.mark.parametrize(("file", "kind"), [("problem.yaml", "conversation"), ("preferences.yaml", "preference")])
def test_its_problems_have_no_fault(file: str, kind: str) -> None:
    problem = read_problem(SHOP / file, checks=problem_checks(), baseline_of=baseline_of).problem
    task = TASKS.get(problem.task)
    splits = make_splits(problem.data, SHOP, task)
    assert task.targets(splits.train, options=problem.options).kind == kind
    assert [finding for finding in task.check(splits.tables) if finding.severity == "blocking"] == []
    asked = {name: set(table["raw.question"].to_pylist()) for name, table in splits.tables.items()}
    assert not asked["train"] & asked["test"]
    system = json.loads(splits.train["text"][0].as_py())[0]
    assert system["role"] == "system"
    assert system["content"].startswith("tone: ")
    # What the assistant is for stands before the tone.
    settled = task.targets(splits.train, options=problem.options)
    tokenizer = task.prepare_tokenizer(make_chat_tokenizer(CHATML), settled)
    prompt = render_prompt(tokenizer, json.loads(splits.train["text"][0].as_py()))
    assert prompt.startswith(f"<|start|>system\n{problem.options['system']}\n{system['content']}<|end|>")

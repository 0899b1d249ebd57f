"""Answers of every form on the screen and in a pipe."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from provetune.cli._answers import answer_line, answer_table, spell
from provetune.tasks import TASKS


def drawn(items: list[Any], answers: list[dict[str, Any]], keys: tuple[str, ...], show: Any = str) -> str:
    screen = Console(file=io.StringIO(), width=100, highlight=False)
    screen.print(answer_table(items, answers, keys, show))
    return screen.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("answer", "keys", "line"),
    [
        ({"label": "a b", "score": 0.25}, ("label", "score"), "a b\t0.2500"),
        (
            {"label": "a", "score": 0.5, "labels": {"a": 0.5, "b": 0.5}},
            ("label", "score"),
            "a\t0.5000\ta=0.5000\tb=0.5000",
        ),
        ({"label": "a", "score": 0.1, "abstained": True}, ("label", "score"), "a\t0.1000\tabstained"),
        ({"value": 51234.56}, ("value",), "51234.6"),
        ({"value": 0.0000123}, ("value",), "1.23e-05"),
        ({"value": {"x": 1.5}}, ("value",), '{"x": 1.5}'),
        ({"text": "two\nlines", "score": None}, ("text", "score"), "two lines\t"),
        ({"spans": []}, ("spans",), ""),
        ({"spans": [{"start": 0, "end": 2, "label": "名"}]}, ("spans",), '[{"start": 0, "end": 2, "label": "名"}]'),
        (
            {"answer": "x", "score": 0.5, "answers": [{"answer": "x", "score": 0.5}]},
            ("answer", "score"),
            'x\t0.5000\t[{"answer": "x", "score": 0.5}]',
        ),
    ],
)
def test_one_line_an_answer(answer: dict[str, Any], keys: tuple[str, ...], line: str) -> None:
    assert answer_line(answer, keys) == line


def test_a_table_has_the_tasks_words() -> None:
    spans = [{"start": 0, "end": 4, "label": "name", "text": "Anna", "score": 0.9}]
    shown = drawn(["Anna [sings]"], [{"spans": spans}], ("spans",), TASKS.get("tagging").show)
    assert "Anna [sings]  name 'Anna' (0–4)" in shown


def test_further_answers_stand_below() -> None:
    labels = {"label": "a", "score": 0.75, "labels": {"a": 0.75, "b": 0.25}, "abstained": False}
    lines = drawn(["x"], [labels], ("label", "score")).splitlines()
    assert [line.split() for line in lines] == [
        ["text", "label", "score", "abstained"],
        ["x", "a", "0.7500"],
        ["b", "0.2500"],
    ]
    answers = {"answer": "x", "score": 0.6, "answers": [{"answer": "x", "score": 0.6}, {"answer": "y", "score": 0.4}]}
    lines = drawn([("who?", "context")], [answers], ("answer", "score")).splitlines()
    assert [line.split() for line in lines[1:]] == [["who?", "|", "context", "x", "0.6000"], ["y", "0.4000"]]


def test_vectors_and_long_texts_are_cut() -> None:
    shown = drawn(["w" * 5000], [{"embedding": [0.125] * 384}], ("embedding",))
    assert "0.125, … (384" in " ".join(shown.split())
    assert shown.count("w") < 250
    assert spell("", [0.5, 0.25]) == "[0.5, 0.25]"

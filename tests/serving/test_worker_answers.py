"""A batch answered item by item's own fate."""

from __future__ import annotations

import json
from typing import Any

import pytest
from odd_worker import OddPredictor, expected

from provetune.serving.answers import Options, answer_items


class Odd(OddPredictor):
    """An odd predictor without a bundle, which keeps what it was asked."""

    def __init__(self) -> None:
        self.pause_s, self.leak = 0.0, None
        self.asked: list[list[str]] = []

    def answer(self, prepared: Any, **options: Any) -> list[dict[str, Any]]:
        self.asked.append(prepared.examples.column("text").to_pylist())
        return super().answer(prepared, **options)


@pytest.fixture
def odd() -> Any:
    return Odd()


def answers_of(odd: Any, items: list[Any], **options: Any) -> tuple[list[Any], dict[int, int]]:
    rows, faults = answer_items(odd, items, Options(), **options)
    return [json.loads(row) for row in rows], {number: status for number, (status, _) in faults.items()}


def test_items_that_are_none_fail_before_the_batch(odd: Any) -> None:
    rows, faults = answers_of(odd, ["a", "", {"other": "b"}, {"text": "c"}, "\ud800", ["d"]])
    assert faults == {1: 422, 2: 422, 4: 422}
    assert [rows[0], rows[3], rows[5]] == [expected("a"), expected("c"), expected("d")]
    assert odd.asked == [["a", "c", "d"]]


def test_one_that_breaks_the_model_fails_alone(odd: Any, capsys: pytest.CaptureFixture[str]) -> None:
    rows, faults = answers_of(odd, ["a", "#raise", "b"])
    assert faults == {1: 500}
    assert [rows[0], rows[2]] == [expected("a"), expected("b")]


def test_what_a_model_raises_is_logged_without_its_words(odd: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A library quotes what it could not read, and what it could not read is somebody's text."""

    def quoting(prepared: Any, **options: Any) -> Any:
        (text,) = prepared.examples.column("text").to_pylist()
        raise ValueError(f"could not read {text!r}") from KeyError(text)

    odd.answer = quoting
    _, faults = answers_of(odd, ["call Ms Winterbottom on 555 0100"])
    assert faults == {0: 500}
    assert "ValueError at test_worker_answers.py:" in caplog.text
    assert "Winterbottom" not in caplog.text
    assert "555" not in caplog.text


def test_a_wrong_number_of_answers_is_no_answer(odd: Any) -> None:
    rows, faults = answers_of(odd, ["a", "#miscount", "b"])
    assert faults == {1: 500}
    assert [rows[0], rows[2]] == [expected("a"), expected("b")]


def test_a_bundle_that_must_not_batch_is_asked_row_by_row(odd: Any) -> None:
    answers_of(odd, ["a", "b", "c"], batches=False)
    assert odd.asked == [["a"], ["b"], ["c"]]

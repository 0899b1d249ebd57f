"""What a row costs a score, against the score without it; labels and answers in a task's own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from measured_study import GOLD_SPANS, PLACES, SPAN_TARGETS, span_outcomes, span_rows

from provetune.core.protocols import Metric
from provetune.statistics.measured_rows import MeanOf, MeasuredRows, OfSums
from provetune.study.costly_rows import costly_rows, differing_rows, read_told
from provetune.study.errors_worth_reading import errors_worth_reading
from provetune.study.report_runs import FinishedRun
from provetune.study.shown_rows import MOST_LETTERS, ShownRows, readable
from provetune.tasks import TASKS

MATCH = Metric("match", "")
PERPLEXITY = Metric("perplexity", "", higher_is_better=False, high=float("inf"))


class Texts:
    """A task whose labels are texts."""

    def show(self, value: Any) -> str:
        return "" if value is None else str(value)


def rows(count: int) -> ShownRows:
    names = [f"r{number}" for number in range(count)]
    return ShownRows(pa.table({"row_id": names, "text": names}), [f"gold {name}" for name in names])


def told(values: list[list[float]], metric: Metric, answers: list[list[str]]) -> Any:
    judged = [MeasuredRows({metric.name: MeanOf(np.array(one), high=metric.high)}) for one in values]
    return read_told(judged, answers, list(range(len(values))), rows(len(values[0])), Texts(), metric)  # type: ignore[arg-type]


def test_the_cost_of_a_row_is_the_score_without_it() -> None:
    said = told([[1.0, 0.0, 1.0, 0.5]], MATCH, [["gold r0", "x", "gold r2", "y"]])
    # Without row 1 the mean is 2.5 / 3, with it 2.5 / 4.
    assert said.costs[0, 1] == pytest.approx(2.5 / 3 - 2.5 / 4)
    first, second = costly_rows(rows(4), said, Texts(), 9)  # type: ignore[arg-type]
    assert (first["row_id"], first["label"], first["prediction"]) == ("r1", "gold r1", "x")
    assert (first["confidence"], first["value"], first["wrong_runs"]) == (None, 0.0, [0])
    assert (second["row_id"], second["value"]) == ("r3", 0.5)


def test_where_less_is_better_the_largest_value_costs_most() -> None:
    said = told([[3.0, 12.0, 2.0], [3.0, 15.0, 2.0]], PERPLEXITY, [["a", "b", "c"]] * 2)
    found = costly_rows(rows(3), said, Texts(), 9)  # type: ignore[arg-type]
    # The others are better than the mean is, and cost nothing.
    assert [line["row_id"] for line in found] == ["r1"]
    assert found[0]["value"] == pytest.approx(13.5)
    assert found[0]["cost"] == pytest.approx(((17 / 3 - 2.5) + (20 / 3 - 2.5)) / 2)


def test_of_a_function_of_sums_it_is_so_to_first_order() -> None:
    random = np.random.default_rng(4)
    sums = random.integers(0, 4, size=(500, 3)).astype(float)
    metric = OfSums(sums, lambda total: 2 * total[..., 0] / total.sum(axis=-1))
    shown = ShownRows(pa.table({"row_id": ["r"] * 500, "text": ["t"] * 500}), ["gold"] * 500)
    said = read_told([MeasuredRows({"f": metric})], [["x"] * 500], [0], shown, Texts(), Metric("f", ""))  # type: ignore[arg-type]
    without = [metric.keep(np.arange(500) != row).value() - metric.value() for row in range(20)]
    np.testing.assert_allclose(said.costs[0, :20], without, rtol=0.02, atol=1e-6)
    assert said.values is None
    assert said.figures(0)["value"] is None


def test_rows_that_a_metric_is_not_about_cost_nothing() -> None:
    said = told([[1.0, float("nan"), 0.0]], MATCH, [["gold r0", "x", "y"]])
    assert said.costs[0, 1] == 0.0
    assert [line["row_id"] for line in costly_rows(rows(3), said, Texts(), 9)] == ["r2"]  # type: ignore[arg-type]
    assert said.figures(1)["value"] is None


def test_the_usual_answer_is_the_most_frequent_or_the_middle_one() -> None:
    said = told([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]], MATCH, [["a", "same"], ["b", "same"], ["c", "other"]])
    assert (said.usual(0), said.usual(1)) == ("b", "same")


def test_candidates_that_differ_most_come_first() -> None:
    shown, task = rows(3), Texts()
    both = {
        "plain": told([[0.0, 0.5, 1.0]], MATCH, [["x", "y", "gold r2"]]),
        "full": told([[1.0, 0.6, 1.0]], MATCH, [["gold r0", "z", "gold r2"]]),
    }
    first, second = differing_rows(shown, both, task, 9)  # type: ignore[arg-type]
    assert (first["row_id"], second["row_id"]) == ("r0", "r1")
    assert first["said"]["full"]["right_runs"] == [0]
    assert first["said"]["plain"] == {
        "prediction": "x",
        "confidence": None,
        "cost": pytest.approx(0.25),
        "value": 0.0,
        "right_runs": [],
    }
    assert len(differing_rows(shown, both, task, 1)) == 1  # type: ignore[arg-type]


def test_where_nothing_is_said_values_alone_differ() -> None:
    silent: Any = [[None, None]]
    both = {"x": told([[2.0, 9.0]], PERPLEXITY, silent), "y": told([[2.0, 3.0]], PERPLEXITY, silent)}
    found = differing_rows(rows(2), both, Texts(), 1)  # type: ignore[arg-type]
    assert [line["row_id"] for line in found] == ["r1"]
    assert (found[0]["said"]["x"]["value"], found[0]["said"]["y"]["value"]) == (9.0, 3.0)


def test_an_answer_that_is_the_second_text_is_shown_once() -> None:
    table = pa.table({"row_id": ["r", "s"], "text": ["where?"] * 2, "text_pair": ["there", "there"]})
    shown = ShownRows(table, ["there", "here"])
    assert [shown.show(row)["text"] for row in (0, 1)] == ["where?", "where? ⏐ there"]


def test_spans_are_shown_with_their_letters() -> None:
    run = FinishedRun(Path("x-0"), {"k": 0}, span_outcomes([[(0, 4, "name")], [(7, 9, "name")], []]))
    right = FinishedRun(Path("y-0"), {"k": 0}, span_outcomes(GOLD_SPANS))
    task = TASKS.get("tagging")
    found = errors_worth_reading(span_rows(), {"x": [run], "y": [right]}, task, SPAN_TARGETS, "micro_f1")
    assert (found["by"], found["metric"], found["mistakes"]["y"]) == ("cost", "micro_f1", [])
    (dearest,) = found["mistakes"]["x"]
    # Row 1 has a span missed and one too many; row 0 has one of two, which is more than all rows together have.
    assert dearest["text"] == PLACES[1]
    assert (dearest["label"], dearest["prediction"]) == ("name 'Paul' (0–4)", "name '<i' (7–9)")
    second, _ = sorted(found["disagreements"], key=lambda line: line["row_id"])
    assert second["label"] == "name 'Anna' (0–4), city 'Lyon' (8–12)"
    assert (second["said"]["x"]["right_runs"], second["said"]["y"]["right_runs"]) == ([], [0])
    json.dumps(found, allow_nan=False)


def test_who_answers_nothing_has_mistakes_although_nothing_can_be_worse() -> None:
    none = FinishedRun(Path("x-0"), {"k": 0}, span_outcomes([[], [], []]))
    found = errors_worth_reading(span_rows(), {"x": [none]}, TASKS.get("tagging"), SPAN_TARGETS)
    assert sorted(line["row_id"] for line in found["mistakes"]["x"]) == ["r0", "r1"]


def test_a_score_beside_a_span_makes_no_difference() -> None:
    runs = {
        name: [FinishedRun(Path(name), {"k": 0}, span_outcomes(GOLD_SPANS, score))]
        for name, score in (("x", 0.9), ("y", 0.4))
    }
    found = errors_worth_reading(span_rows(), runs, TASKS.get("tagging"), SPAN_TARGETS)
    assert (found["mistakes"], found["disagreements"]) == ({"x": [], "y": []}, [])


def test_conversations_are_lines_and_long_texts_are_cut() -> None:
    messages = json.dumps([{"role": "user", "content": "hello"}, {"role": "assistant", "content": "well?"}])
    assert readable(messages) == "user: hello\nassistant: well?"
    for text in ("[1] see below", '["a", "b"]', "[]", "plain"):
        assert readable(text) == text
    long = ShownRows(pa.table({"row_id": ["r"], "text": ["x" * 5000], "text_pair": ["y"]}), ["gold"])
    assert len(long.show(0)["text"]) == MOST_LETTERS

"""Which rows a person should read, worked out by hand, and slices of eight rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from finished_study import GOLD
from reported_study import TARGETS, make_examples, make_runs

from provetune.core.protocols import Targets
from provetune.evaluation.outcomes import build_outcomes
from provetune.problem.syntax import Columns
from provetune.study.errors_worth_reading import errors_worth_reading
from provetune.study.report_runs import FinishedRun, align
from provetune.study.report_slices import length_parts, slice_reports
from provetune.study.shown_rows import MOST_LETTERS
from provetune.tasks import TASKS

TASK = TASKS.get("classification")

TEXTS = [f"text {number}" for number in range(len(GOLD))]
# GOLD is a a a b b b b b. Row 0 is wrong in both runs, row 7 in the second alone but there quite sure.
FIRST = ["b", *GOLD[1:]]
SECOND = ["b", *GOLD[1:7], "a"]
SURE = [[0.7, *[0.8] * 7], [0.9, *[0.8] * 6, 0.99]]


def test_confident_mistakes_come_first() -> None:
    found = errors_worth_reading(make_examples(TEXTS), {"words": make_runs([FIRST, SECOND], SURE)}, TASK, TARGETS)
    first, second = found["mistakes"]["words"]
    assert (found["split"], found["disagreements"]) == ("validation", [])
    assert (first["row_id"], first["file"], first["row"], first["text"]) == ("r0", "a.csv", 2, "text 0")
    assert (first["label"], first["prediction"], first["wrong_runs"]) == ("a", "b", [0, 1])
    assert first["confidence"] == pytest.approx(0.8)
    # Averaged over both runs 0.495 stands behind the second one, so it comes after the first's 0.8.
    assert (second["row_id"], second["prediction"], second["wrong_runs"]) == ("r7", "a", [1])
    assert second["confidence"] == pytest.approx(0.99)


def test_rows_that_candidates_answer_differently() -> None:
    runs = {"words": make_runs([FIRST, FIRST]), "full": make_runs([list(GOLD), SECOND, list(GOLD)])}
    (one,) = errors_worth_reading(make_examples(TEXTS), runs, TASK, TARGETS)["disagreements"]
    assert (one["row_id"], one["label"]) == ("r0", "a")
    assert one["said"]["words"] == {"prediction": "b", "confidence": pytest.approx(0.8), "right_runs": []}
    assert (one["said"]["full"]["prediction"], one["said"]["full"]["right_runs"]) == ("a", [0, 2])


def test_long_texts_are_cut_and_rows_are_matched_by_id() -> None:
    examples = make_examples(["x" * 5000, *TEXTS[1:]]).take([7, 6, 5, 4, 3, 2, 1, 0])
    (one,) = errors_worth_reading(examples, {"words": make_runs([FIRST])}, TASK, TARGETS)["mistakes"]["words"]
    assert one["row_id"] == "r0"
    assert len(one["text"]) == MOST_LETTERS
    assert one["text"].endswith("…")


def test_rows_without_a_label_are_left_out() -> None:
    table = build_outcomes(["r0", "r1"], pa.array(["a", None]), ["b", "b"], np.array([[0.2, 0.8], [0.2, 0.8]]))
    run = FinishedRun(make_runs([FIRST])[0].folder, {"k": 0}, table)
    shown, (outcomes,) = align([run], make_examples(TEXTS))
    assert shown.column("row_id").to_pylist() == outcomes.column("row_id").to_pylist() == ["r0"]
    assert len(errors_worth_reading(make_examples(TEXTS), {"words": [run]}, TASK, TARGETS)["mistakes"]["words"]) == 1


def test_several_labels_a_row_are_judged_by_their_worst() -> None:
    targets = Targets("multi_label", ("a", "b"), (1, 1))
    probabilities = np.array([[0.9, 0.4], [0.6, 0.7]])
    table = build_outcomes(["r0", "r1"], [["a", "b"], ["a", "b"]], [["a"], ["b", "a"]], probabilities)
    run = FinishedRun(make_runs([FIRST])[0].folder, {"k": 0}, table)
    (one,) = errors_worth_reading(make_examples(TEXTS[:2]), {"x": [run]}, TASK, targets)["mistakes"]["x"]
    assert (one["row_id"], one["label"], one["prediction"]) == ("r0", ["a", "b"], ["a"])
    assert one["confidence"] == pytest.approx(0.6)


def test_without_texts_there_is_nothing_to_read() -> None:
    examples = pa.table({"row_id": ["r0"]})
    assert errors_worth_reading(examples, {"x": make_runs([FIRST])}, TASK, TARGETS)["mistakes"] == {}


def test_slices_by_column_and_by_length() -> None:
    texts = ["x" * length for length in (1, 2, 3, 4, 5, 6, 7, 8)]
    channel = ["phone", "phone", "mail", "mail", "mail", "mail", "mail", ""]
    examples = make_examples(texts, channel=channel, intent=list(GOLD), number=[str(n) for n in range(8)])
    columns = Columns(text="message", label="intent", id="number")
    runs = {"words": make_runs([FIRST, list(GOLD)]), "full": []}
    by_channel, by_length = slice_reports(examples, runs, TASK, TARGETS, "accuracy", columns)
    assert (by_channel["by"], by_channel["kind"]) == ("channel", "column")
    assert [(part["value"], part["rows"]) for part in by_channel["values"]] == [("mail", 5), ("phone", 2)]
    # Row 0 is a phone row; one of two is wrong in the first run, none in the second.
    assert by_channel["values"][1]["candidates"] == {"words": {"mean": 0.75, "seeds": [0.5, 1.0]}}
    assert [(part["value"], part["rows"]) for part in by_length["values"]] == [
        ("1–2", 2),
        ("3–4", 2),
        ("5–6", 2),
        ("7–8", 2),
    ]
    assert by_length["values"][0]["candidates"]["words"]["seeds"] == [0.5, 1.0]


def test_every_row_is_in_one_part_by_length() -> None:
    lengths = np.array([5, 5, 5, 5, 9, 1])
    parts = length_parts(lengths)
    assert sum(mask for _, mask in parts).tolist() == [1] * 6  # type: ignore[union-attr]
    assert [name for name, _ in parts] == ["1–5", "9"]
    assert length_parts(np.array([], dtype=int)) == []

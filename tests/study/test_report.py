"""The report's numbers, worked out by hand from eight rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from finished_study import GOLD, make_study

from provetune.core.errors import CorruptError, UsageError
from provetune.evaluation.calibration import softmax
from provetune.ledger.records import Ledger
from provetune.study.curves import MOST_POINTS, learning_curve
from provetune.study.reliability import undo_temperature
from provetune.study.report import report_document
from provetune.study.tables import export_findings, export_tables

PERFECT = list(GOLD)
ONE_WRONG = ["b", *GOLD[1:]]
SAID = {"words": [ONE_WRONG, ["b", "b", *GOLD[2:]]], "full": [PERFECT, ONE_WRONG]}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "studies" / "letters-1a2b3c4d", SAID)


def test_scores_are_those_of_the_open_test(study: Path) -> None:
    report = report_document(study, open_test=True)
    assert (report["split"], report["test_open"], report["metric"]) == ("test", True, "accuracy")
    words = report["candidates"]["words"]
    assert words["metrics"]["accuracy"] == {"mean": pytest.approx(0.8125), "seeds": [0.875, 0.75]}
    assert report["candidates"]["full"]["metrics"]["accuracy"]["seeds"] == [1.0, 0.875]
    assert (words["method"], words["backbone"], words["seconds"]) == ("tfidf", None, 3.0)
    assert report["rows"] == {"train": 8, "validation": 8, "test": 8}
    json.dumps(report, allow_nan=False)


def test_the_table_a_label_is_the_mean_over_runs(study: Path) -> None:
    first, second = report_document(study)["candidates"]["words"]["labels"]
    # Label a has 3 rows: 2 found in the first run, 1 in the second, never said wrongly.
    assert (first["label"], first["support"], first["precision"]) == ("a", 3, 1.0)
    assert first["recall"] == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert first["predicted"] == pytest.approx(1.5)
    assert second["precision"] == pytest.approx((5 / 6 + 5 / 7) / 2)


def test_confusion_is_summed_over_runs(study: Path) -> None:
    words = report_document(study)["candidates"]["words"]
    assert words["confusion"] == {"labels": ["a", "b"], "counts": [[3, 3], [0, 10]]}
    assert words["most_confused"] == [{"label": "a", "prediction": "b", "count": 3}]


def test_calibration_before_and_after_the_temperature(study: Path) -> None:
    full = report_document(study)["candidates"]["full"]["calibration"]
    # After: all rows at 0.8, and 8 then 7 of 8 right. Before, with T = 2, p is 0.64 / (0.64 + 0.04).
    sure = 0.64 / 0.68
    assert full["temperatures"] == [2.0, 2.0]
    assert full["ece_after"] == pytest.approx([0.2, 0.075], abs=1e-6)
    assert full["ece_before"] == pytest.approx([1 - sure, sure - 0.875], abs=1e-6)
    assert [line["rows"] for line in full["after"]] == [16]
    assert full["after"][0]["accuracy"] == pytest.approx(15 / 16)
    assert full["before"][0]["confidence"] == pytest.approx(sure, abs=1e-6)


def test_undoing_a_temperature_is_exact() -> None:
    logits = np.random.default_rng(1).normal(size=(20, 5))
    np.testing.assert_allclose(undo_temperature(softmax(logits / 3), 3.0, several=False), softmax(logits), rtol=1e-9)
    one = undo_temperature(1 / (1 + np.exp(-logits / 3)), 3.0, several=True)
    np.testing.assert_allclose(one, 1 / (1 + np.exp(-logits)), rtol=1e-9)


def test_curves_come_from_the_events(study: Path) -> None:
    curve = report_document(study)["candidates"]["full"]["curves"][1]
    assert curve["k"] == 1
    assert curve["steps"][0] == {"step": 1, "loss": 0.9, "learning_rate": 0.1}
    assert curve["evaluations"] == [{"step": 2, "scores": {"accuracy": 0.75}, "best": True}]
    assert curve["stopped"] == "no better score"


def test_long_curves_are_averaged_and_keep_their_last_step(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [{"event": "step", "step": n, "loss": float(n), "learning_rate": 1.0} for n in range(1, 1001)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    steps = learning_curve(path)["steps"]
    assert len(steps) == MOST_POINTS
    assert steps[0] == {"step": 5, "loss": 3.0, "learning_rate": 1.0}
    assert steps[-1]["step"] == 1000


def test_before_the_test_is_open_there_is_validation_alone(tmp_path: Path) -> None:
    study = make_study(tmp_path / "letters-2", {"words": [ONE_WRONG]}, finished=False)
    report = report_document(study)
    assert (report["split"], report["test_open"], report["best"]) == ("validation", False, None)
    assert report["claims"] == [{"claim": "full > words", "verdict": None, "validation": None}]
    assert report["candidates"]["full"]["metrics"] == {}
    assert report["candidates"]["full"]["calibration"] is None
    for asked in ({"split": "test"}, {"open_test": True}, {"split": "validation", "open_test": True}):
        with pytest.raises(UsageError, match="sealed"):
            report_document(study, **asked)
    with pytest.raises(UsageError, match="no split 'dev'"):
        report_document(study, "dev")


def test_nothing_of_the_test_is_shown_unless_it_is_asked_for(study: Path) -> None:
    for report in (report_document(study), report_document(study, "validation")):
        assert (report["split"], report["shows_test"], report["test_open"]) == ("validation", False, True)
        (claim,) = report["claims"]
        assert (claim["claim"], claim["verdict"]) == ("full > words", None)
        assert set(claim) == {"claim", "verdict", "validation"}
        assert all(level[part] is None for level in report["accept"] for part in ("value", "bound", "met"))
    with pytest.raises(UsageError, match="--open-test"):
        report_document(study, "test")
    judged = report_document(study, "validation", open_test=True)
    assert (judged["split"], judged["shows_test"]) == ("validation", True)
    assert judged["accept"][0]["met"] is True


def test_validation_says_what_it_can_of_claims(study: Path) -> None:
    said = report_document(study)["claims"][0]["validation"]
    # `words` draws no random number: its first run, 7 of 8 right, stands for all; `full` has 8 and 7 right.
    assert said["effect"] == pytest.approx(0.9375 - 0.875)
    assert (said["left"]["seeds"], said["right"]["seeds"]) == ([1.0, 0.875], [0.875])


def test_slices_of_the_test_are_read_through_the_ledger_alone(study: Path, tmp_path: Path) -> None:
    assert report_document(study, open_test=True)["slices"] == []
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        # A ledger that never saw the study has no look of it to repeat: nothing is read, nothing is written down.
        assert report_document(study, open_test=True, ledger=ledger)["slices"] == []
        assert ledger.looks("e" * 64) == []


def test_an_empty_or_broken_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="record is missing"):
        report_document(tmp_path)
    study = make_study(tmp_path / "letters-3", {}, finished=False)
    with pytest.raises(UsageError, match="No run of this study has finished"):
        report_document(study)


def test_how_to_reproduce_names_code_data_and_seeds(study: Path) -> None:
    told = report_document(study)["reproduce"]
    assert told["command"] == "provetune run problem.yaml"
    assert len(told["seeds"]["full"]) == 2
    assert told["packages"] == {"torch": "2"}


def test_every_table_is_exported(study: Path, tmp_path: Path) -> None:
    files = export_tables(report_document(study), tmp_path / "csv")
    names = ["scores", "labels", "confusion", "most_confused", "steps", "evaluations", "calibration", "trials"]
    assert [file.stem for file in files] == [*names, "claims", "task_risk_coverage"]
    opened = export_tables(report_document(study, open_test=True), tmp_path / "opened")
    assert [file.stem for file in opened] == [*names, "accept", "claims", "task_risk_coverage"]
    with (tmp_path / "csv" / "confusion.csv").open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert {"candidate": "words", "table": "", "gold": "a", "predicted": "b", "count": "3"} in lines
    assert len(lines) == 2 * 4


def test_findings_are_a_line_a_place(tmp_path: Path) -> None:
    where = [{"file": "a.csv", "row": 3, "split": "test"}, {"file": "a.csv", "row": 9, "split": "test"}]
    leak = {"severity": "warning", "kind": "leak", "count": 7, "message": "Rows.", "rows": where}
    note = {"severity": "note", "kind": "offline", "count": 0, "message": "None.", "rows": []}
    (file,) = export_findings({"findings": [leak, note]}, tmp_path)
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    assert lines == [
        "severity,kind,count,message,file,row,split",
        "warning,leak,7,Rows.,a.csv,3,test",
        "warning,leak,7,Rows.,a.csv,9,test",
        "note,offline,0,None.,,,",
    ]
    assert export_findings({"findings": []}, tmp_path / "none") == []


def test_a_label_that_looks_like_a_formula_is_text(study: Path, tmp_path: Path) -> None:
    report = report_document(study)
    report["candidates"]["words"]["labels"][0]["label"] = "=1+1"
    export_tables(report, tmp_path)
    assert "'=1+1" in (tmp_path / "labels.csv").read_text(encoding="utf-8-sig")

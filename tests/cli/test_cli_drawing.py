"""Curves, spreads and sibling files: small things worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.cli._curves import draw_curve
from provetune.cli._output import print_json
from provetune.cli._report import confusion_table
from provetune.cli._scores import accept_lines, choose_metrics, show_spread
from provetune.cli._siblings import find_siblings


def test_a_rising_curve_uses_every_bar_once() -> None:
    assert draw_curve([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"


def test_a_flat_curve_stays_low_and_gaps_stay_gaps() -> None:
    assert draw_curve([0.5, 0.5, 0.5]) == "▁▁▁"
    assert draw_curve([0.0, math.nan, 1.0]) == "▁ █"
    assert draw_curve([math.nan]) == " "
    assert draw_curve([]) == ""


def test_a_long_curve_is_averaged() -> None:
    assert draw_curve([0, 0, 10, 10], width=2) == "▁█"


@given(st.lists(st.floats(-1e6, 1e6), max_size=200), st.integers(1, 60))
def test_a_curve_is_never_wider_than_asked(values: list[float], width: int) -> None:
    assert len(draw_curve(values, width)) == min(len(values), width)


def test_spread_is_mean_and_sample_deviation() -> None:
    # 0.90 and 0.92: mean 0.91, deviation sqrt((0.01² + 0.01²) / 1) = 0.0141
    assert show_spread({"mean": 0.91, "seeds": [0.90, 0.92]}) == "0.910 ± 0.014"
    assert show_spread({"mean": 0.91, "seeds": [0.91]}) == "0.910"
    assert show_spread(None) == "–"
    assert show_spread({"mean": None, "seeds": [None]}) == "–"


def test_well_known_metrics_come_first() -> None:
    assert choose_metrics([{"macro_f1": 1, "zeta": 1, "accuracy": 1}]) == ["accuracy", "macro_f1"]
    assert choose_metrics([{"mae": 1}, {"rmse": 1}]) == ["mae", "rmse"]


@pytest.mark.parametrize(("met", "word"), [(True, "met"), (False, "not met"), (None, "undecided")])
def test_acceptance_has_three_answers(met: bool | None, word: str) -> None:
    level = {"metric": "macro_f1", "required": ">= 0.90", "value": 0.93, "bound": 0.91, "met": met}
    (line,) = accept_lines([level])
    assert line.startswith("macro_f1 >= 0.90: ")
    assert f"]{word}[/]" in line
    assert line.endswith("(test 0.930, bound 0.910)")


def test_several_labels_are_a_line_each_the_worst_first() -> None:
    # absent/present by absent/present: 3 right absences, 1 given wrongly, 2 missed, 4 right
    counts = [[[9, 0], [0, 1]], [[3, 1], [2, 4]]]
    table = confusion_table({"confusion": {"labels": ["a", "b"], "counts": counts}, "most_confused": []})
    assert table is not None
    assert [column.header for column in table.columns] == ["label", "right", "given wrongly", "missed"]
    lines = list(zip(*(column.cells for column in table.columns), strict=True))
    assert lines == [("b", "4", "1", "2"), ("a", "1", "0", "0")]


def test_siblings_differ_in_the_role_alone(tmp_path: Path) -> None:
    for name in ("train.csv", "val.csv", "test.csv", "domains.json", "test.jsonl", "b_train_1.csv", "b_DEV_1.csv"):
        (tmp_path / name).touch()
    assert find_siblings(tmp_path / "train.csv") == {
        "validation": tmp_path / "val.csv",
        "test": tmp_path / "test.csv",
    }
    assert find_siblings(tmp_path / "b_train_1.csv") == {"validation": tmp_path / "b_DEV_1.csv"}


def test_the_first_of_several_training_files_has_a_test_file(tmp_path: Path) -> None:
    for name in ("train_0.json", "train_1.json", "test.json", "val_1.json"):
        (tmp_path / name).touch()
    assert find_siblings(tmp_path / "train_0.json") == {"test": tmp_path / "test.json"}
    assert find_siblings(tmp_path / "train_1.json") == {
        "validation": tmp_path / "val_1.json",
        "test": tmp_path / "test.json",
    }


def test_a_file_that_is_no_training_file_has_no_siblings(tmp_path: Path) -> None:
    for name in ("reviews.csv", "test.csv"):
        (tmp_path / name).touch()
    assert find_siblings(tmp_path / "reviews.csv") == {}


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": math.nan, "b": [math.inf, 1.5], "c": Path("x") / "y"})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "c": str(Path("x/y"))}

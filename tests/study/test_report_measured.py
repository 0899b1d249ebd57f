"""Reports of tasks whose labels are no classes: their own tables, no empty sections, sensible axes."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from measured_study import GOLD_SPANS, NUMBERS, number_study, span_study

from provetune.study.report import report_document
from provetune.study.report_html.page import render_page
from provetune.study.report_html.plots.scale import scale_around, tick_text
from provetune.study.report_slices import _lengths
from provetune.study.shown_metrics import choose_metrics, metric_facts
from provetune.study.tables import export_tables
from provetune.tasks import TASKS

CLOSE = [1100.0, 1500.0, 2100.0, 2400.0, 3000.0, 8000.0]
SAME = [3000.0] * 6


@pytest.fixture
def numbers(tmp_path: Path) -> dict[str, Any]:
    return report_document(
        number_study(tmp_path / "studies" / "houses-1", {"far": [SAME, SAME], "near": [CLOSE, CLOSE]})
    )


@pytest.fixture
def spans(tmp_path: Path) -> dict[str, Any]:
    none: list[list[tuple[int, int, str]]] = [[], [], []]
    return report_document(span_study(tmp_path / "studies" / "names-1", {"none": none, "all": GOLD_SPANS}))


def seen(document: dict[str, Any], language: str = "en") -> str:
    page = re.sub(r"<(style|desc)>.*?</\1>", " ", render_page(document, language), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_the_document_has_no_tables_of_labels(numbers: dict[str, Any]) -> None:
    json.dumps(numbers, allow_nan=False)
    near = numbers["candidates"]["near"]
    assert (near["labels"], near["most_confused"], near["calibration"]) == ([], [], None)
    assert near["confusion"] == {"labels": [], "counts": []}
    # Five fifths of six numbers; the median run of two equal ones is the first.
    (table,) = near["tables"]
    assert (table["name"], table["k"], sum(row[1] for row in table["rows"])) == ("value_ranges", 0, 6)
    assert near["metrics"]["mae"]["seeds"] == pytest.approx([1300 / 6] * 2)
    assert numbers["metrics"]["rmse"]["higher_is_better"] is False
    assert (numbers["metrics"]["r2"]["low"], numbers["metrics"]["r2"]["high"]) == (None, 1.0)


def test_the_page_has_own_tables_and_no_empty_sections(numbers: dict[str, Any], spans: dict[str, Any]) -> None:
    said = seen(numbers)
    for absent in ("Per label", "What was taken for what", "Reliability", "Most confused", "✗"):
        assert absent not in said
    assert "What is said by what is true seed 0" in said
    assert "A mean error above 0 says too much, below 0 too little." in said
    assert "root mean squared error ↓" in said
    assert "R² ↓" not in said
    # The numbers' own size: no three decimals behind thousands.
    assert "1,147 ± 0" not in said
    assert "216.667" not in said
    assert "217 ± 0" in said
    assert "Rows that cost near most" in said
    tagging = seen(spans)
    for shown in ("Spans by label seed 0", "Tokens by label", "Labels 2", "name &#39;Paul&#39; (0–4)"):
        assert shown in tagging
    assert "<i>Bo</i>" not in render_page(spans)


def test_chinese_translates_tables_and_leaves_the_datas_own_words(spans: dict[str, Any]) -> None:
    spans["candidates"]["all"]["tables"][0]["rows"][0][0] = "missed"
    said = seen(spans, "zh")
    assert "片段的去向" in said
    assert "漏掉" in said
    assert re.search(r"各标签的片段 种子 0 标签 精确率 召回率 F1 实有 找到 missed", said)
    assert "Spans by label" not in said


def test_a_lone_seed_where_less_is_better_is_said(numbers: dict[str, Any]) -> None:
    numbers["metric"] = "rmse"
    said = seen(numbers)
    assert "root mean squared error: a dot for every seed, a bar at the mean; lower is better" in said
    assert "root mean squared error (lower is better)" in said
    assert "越低越好" in seen(numbers, "zh")


def test_slices_leave_out_columns_with_a_part(numbers: dict[str, Any]) -> None:
    by = {division["by"]: division for division in numbers["slices"]}
    # `region` is the group; all texts are equally long.
    assert set(by) == {"channel"}
    mail = next(part for part in by["channel"]["values"] if part["value"] == "mail")
    gold = [NUMBERS[row] for row in (0, 2, 4)]
    mean = sum(gold) / 3
    errors = 100.0**2 + 100.0**2
    expected = 1 - errors / sum((value - mean) ** 2 for value in gold)
    assert mail["candidates"]["near"]["seeds"] == pytest.approx([expected] * 2)


def test_a_conversation_is_as_long_as_its_words() -> None:
    spoken = json.dumps([{"role": "user", "content": "hi"}])
    assert _lengths(pa.chunked_array([[spoken, "[{ no json", "plain"]])).tolist() == [len("user: hi"), 10, 5]


def test_own_tables_and_mistakes_are_csv_files(spans: dict[str, Any], tmp_path: Path) -> None:
    files = {file.stem for file in export_tables(spans, tmp_path / "csv")}
    assert {"task_spans_by_label", "task_span_errors", "task_tokens_by_label", "mistakes", "scores"} <= files
    assert not files & {"labels", "confusion", "most_confused", "calibration"}
    with (tmp_path / "csv" / "task_spans_by_label.csv").open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["candidate"], line["label"], line["found"]) for line in lines] == [
        ("none", "city", "0"),
        ("none", "name", "0"),
        ("all", "city", "1"),
        ("all", "name", "2"),
    ]
    odd = {**spans["candidates"]["all"], "tables": [{**spans["candidates"]["all"]["tables"][0], "name": "a/b:c"}]}
    written = export_tables({**spans, "candidates": {"all": odd}}, tmp_path / "odd")
    assert "task_a_b_c.csv" in [file.name for file in written]


def test_an_axis_names_nothing_that_cannot_be() -> None:
    scale = scale_around([0.97, 1.0], most=1.0)
    assert max(scale.ticks()) <= 1.0
    assert scale.holds(1.0)
    assert [tick_text(tick, scale_around([0, 4e9])) for tick in (0.0, 2e9)] == ["0", "2e+09"]


def test_which_metrics_have_a_column() -> None:
    assert choose_metrics(["r2", "rmse", "mae"], "mae") == ["mae", "r2", "rmse"]
    spans = ["micro_f1", "micro_precision", "micro_recall", "macro_f1", "macro_precision", "macro_recall", "exact_rows"]
    assert choose_metrics(spans, "micro_f1") == spans[:6]
    steps = ["quadratic_kappa", "mae", "accuracy", "macro_precision", "macro_f1", "log_loss", "ece"]
    assert choose_metrics(steps) == ["quadratic_kappa", "mae", "accuracy", "macro_f1", "log_loss", "ece"]
    assert choose_metrics([]) == []


@pytest.mark.parametrize("name", TASKS.names())
def test_every_tasks_metrics_are_json(name: str) -> None:
    task = TASKS.get(name)
    facts = metric_facts(task)
    json.dumps(facts, allow_nan=False)
    assert list(facts) == [metric.name for metric in task.metrics]

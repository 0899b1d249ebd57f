"""Every task's outcomes can be reported: as JSON, as pages in both languages, as tables, and on the screen."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from test_tasks import NAMES, Trial

from provetune.cli.main import answer
from provetune.study.report import report_document
from provetune.study.report_html.page import render_page
from provetune.study.report_html.table_words import NAMED_CELLS
from provetune.study.report_html.words import Words
from provetune.study.tables import export_tables


@pytest.fixture(params=NAMES)
def study(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of two candidates with random weights, judged on the eight rows."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "study"))
    from measured_study import make_study

    trial = Trial(request.param)
    rows = trial.rows
    tables = [trial.task.outcomes(rows, trial.answers(trial.model(), part), trial.targets) for part in (rows, rows)]
    metric = trial.task.metrics[0].name
    said = {"one": [tables[0]], "other": tables[::-1]}
    return make_study(tmp_path / "studies" / f"{request.param}-1", trial.task.name, metric, trial.targets, rows, said)


def test_a_report_is_json_pages_and_tables(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document: dict[str, Any] = report_document(study)
    json.dumps(document, allow_nan=False)
    errors = document["errors"]
    lines = [line for one in errors["mistakes"].values() for line in one]
    for line in lines:
        assert errors["by"] == "confidence" or isinstance(line["label"], str)
        assert (line["confidence"] is None) == (errors["by"] == "cost")
    for language in ("en", "zh"):
        page = render_page(document, language)
        titles = re.findall(r"<h3>([^<]+) <span class=\"where\">", page)
        assert len(titles) >= len([table for table in document["candidates"]["one"]["tables"] if table["rows"]])
        assert re.findall(r">(nan|None|inf)<", page) == []
    assert "scores" in {file.stem for file in export_tables(document, tmp_path / "csv")}
    assert answer(["report", str(study)]) == 0
    shown = capsys.readouterr().out
    for table in document["candidates"]["one"]["tables"]:
        assert table["title"] in shown or not table["rows"]
        _is_chinese(table)


def _is_chinese(table: dict[str, Any]) -> None:
    """Titles, headings and notes of a task's own table, and cells that are no words of the data."""
    words = Words("zh")
    said = [words.phrase(text) for text in (table["title"], *table["columns"], table["note"]) if text]
    if table["name"].partition(":")[0] in NAMED_CELLS:
        said += [words.phrase(cell) for row in table["rows"] for cell in row if isinstance(cell, str)]
    english = [text for text in said if re.search("[a-z]{3}", re.sub(r"“.*?”|options\.\w+|RMSE|R²", "", text))]
    assert english == []

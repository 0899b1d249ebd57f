"""The study's document: means over seeds, movable paths, a table for notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provetune.core.errors import CorruptError
from provetune.study.document import as_html, read_document, spread, write_document


def document() -> dict[str, Any]:
    return {
        "format_version": 1,
        "study": "demo-12345678",
        "workspace": "",
        "candidates": {
            "full": {
                "metrics": {"accuracy": {"mean": 0.9, "seeds": [0.8, 1.0]}},
                "bundles": ["trials/full-0/bundle"],
                "seconds": 3.0,
            }
        },
        "best": {"candidate": "full", "bundle": "trials/full-0/bundle"},
        "claims": [],
        "accept": [{"metric": "<b>", "required": ">= 0.9", "met": None}],
    }


def test_spread_has_means_and_keeps_gaps() -> None:
    assert spread([{"accuracy": 0.5, "ece": float("nan")}, {"accuracy": 1.0}]) == {
        "accuracy": {"mean": 0.75, "seeds": [0.5, 1.0]},
        "ece": {"mean": None, "seeds": [None, None]},
    }


def test_document_moves_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    write_document(tmp_path / "old", document())
    (tmp_path / "old").rename(tmp_path / "new")
    read = read_document(tmp_path / "new", tmp_path)
    assert read is not None
    assert read["best"]["bundle"] == str(tmp_path / "new/trials/full-0/bundle")
    assert read["candidates"]["full"]["bundles"] == [str(tmp_path / "new/trials/full-0/bundle")]
    assert read["workspace"] == str(tmp_path)
    assert "format_version" not in read


def test_no_document_and_a_spoilt_one(tmp_path: Path) -> None:
    assert read_document(tmp_path, tmp_path) is None
    (tmp_path / "study.json").write_text("{half")
    with pytest.raises(CorruptError, match="cannot be read"):
        read_document(tmp_path, tmp_path)


def test_html_is_escaped() -> None:
    shown = as_html(document())
    assert "0.900 (0.800 to 1.000)" in shown
    assert "&lt;b&gt; &gt;= 0.9: undecided" in shown
    assert "<b>full</b>" in shown

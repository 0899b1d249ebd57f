"""The tables of docs/concepts/methods.md are what the code says today."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "docs" / "generate_support.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_support", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = _load()


def test_the_page_is_up_to_date() -> None:
    assert generator.main(["--check"]) == 0, "run: python docs/generate_support.py"


def test_a_changed_table_is_found_and_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "methods.md"
    sound = generator.PAGE.read_text(encoding="utf-8")
    page.write_text(sound.replace("| `full` | yes", "| `full` | –"), encoding="utf-8")
    monkeypatch.setattr(generator, "PAGE", page)
    assert generator.main(["--check"]) == 1
    assert generator.main([]) == 0
    assert page.read_text(encoding="utf-8") == sound


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="by_task"):
        generator.page("nothing")


def test_the_place_of_measured_tables_is_there() -> None:
    assert "<!-- measured -->" in generator.PAGE.read_text(encoding="utf-8")

"""The committed reference pages are what the code says today."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "docs" / "generate_reference.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_reference", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = _load()


@pytest.mark.parametrize("name", sorted(generator.pages()))
def test_a_page_is_up_to_date(name: str) -> None:
    committed = (generator.FOLDER / name).read_text(encoding="utf-8")
    assert committed == generator.pages()[name], "run: make reference"


def test_no_page_is_left_over() -> None:
    assert {path.name for path in generator.FOLDER.glob("*.md")} == set(generator.pages())


def test_check_finds_a_page_that_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "FOLDER", tmp_path)
    assert generator.main(["--check"]) == 1
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
    (tmp_path / "tasks.md").write_text("something else", encoding="utf-8")
    assert generator.main(["--check"]) == 1

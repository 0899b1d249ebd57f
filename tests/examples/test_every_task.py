"""Every task has an example that runs as it stands and a tutorial page that speaks of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from provetune.tasks import TASKS

_YAML = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", TASKS.names())
def test_it_has_an_example(name: str) -> None:
    problems = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in ROOT.glob("examples/*/*.yaml")]
    assert name in {problem.get("task", "classification") for problem in problems}


@pytest.mark.parametrize("name", TASKS.names())
def test_it_has_a_tutorial_in_the_navigation(name: str) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = list((ROOT / "docs" / "tutorials").glob("*.md"))
    assert all(f"tutorials/{page.name}" in navigation for page in pages)
    texts = [page.read_text(encoding="utf-8") for page in pages]
    # A problem file that names no task is one of classification.
    problems = [yaml.safe_load(block) for text in texts for block in _YAML.findall(text)]
    tasks = {one.get("task", "classification") for one in problems if isinstance(one, dict) and "data" in one}
    assert name in tasks or any(f"*task {name}*" in text for text in texts)

"""The page of what is survived names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "concepts" / "reliability.md"


def test_every_test_that_the_page_names_is_there() -> None:
    places = {path.name: path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")}
    missing, file = [], ""
    for named, test in re.findall(r"`(test_\w+\.py)?(?:::(test_\w+))?`", PAGE.read_text(encoding="utf-8")):
        file = named or file
        if file and (file not in places or (test and f"def {test}(" not in places[file])):
            missing.append(f"{file}::{test}")
    assert missing == []

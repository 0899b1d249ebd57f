"""Writes the tables of what goes together into docs/concepts/methods.md, between its marks.

python docs/generate_support.py            # write
python docs/generate_support.py --check    # exit with 1 where the page is not what the code says
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).parent / "concepts" / "methods.md"
MARKS = ("by_task", "by_family", "by_head", "by_objective")


def page(written: str) -> str:
    """The page with its tables as the code has them today.

    Raises:
        ValueError: the page lacks a mark.
    """
    from provetune.study.support_table import as_markdown, grids

    for mark, grid in zip(MARKS, grids(), strict=True):
        before, begin, rest = written.partition(f"<!-- {mark} -->\n")
        _, end, after = rest.partition(f"<!-- /{mark} -->")
        if not end:
            raise ValueError(f"the page has no place for the table '{mark}'")
        written = f"{before}{begin}\n{as_markdown(grid)}\n\n{end}{after}"
    return written


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with ``--check`` compare it; returns the exit status."""
    before = PAGE.read_text(encoding="utf-8")
    after = page(before)
    if "--check" in arguments:
        return 0 if before == after else 1
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Whether the first line of a file of cells names its columns, or is a row already."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from provetune.data.column_names import ID_NAMES, LABEL_NAMES, TEXT_NAMES, TITLE_NAMES, name_score

_WORDS, _LETTERS = 6, 36
_ASKS = ("?", "？", ":", "：")
_NAME = re.compile(r"[\w#.-]+(?: [\w#.-]+)?")


def is_row(cells: Sequence[str], again: Callable[[str], int]) -> bool:
    """Whether the first line of a file is a row rather than a header: nobody calls a column by a sentence.

    One sentence is enough where another cell comes back as a value below. Else all of several cells must be sentences,
    and none a question, which is what the columns of a form are called.

    Args:
        again: in how many rows below a cell of the first line stands in the same column.
    """
    wordy = sum(map(_is_wordy, cells))
    if wordy == len(cells) > 1 and not any(cell.rstrip().endswith(_ASKS) for cell in cells):
        return True
    return wordy > 0 and any(again(cell) > 1 for cell in cells)


def is_header(cells: Sequence[str]) -> bool:
    """Whether cells are certainly names of columns: short, each another one, and two at least that are usual."""
    usual = sum(
        any(name_score(cell, names) > 0 for names in (TEXT_NAMES, LABEL_NAMES, ID_NAMES, TITLE_NAMES)) for cell in cells
    )
    return usual > 1 and len(set(cells)) == len(cells) and all(_NAME.fullmatch(cell) for cell in cells)


def _is_wordy(name: str) -> bool:
    """Six words, or as many letters; a Chinese, Japanese or Korean letter counts as three."""
    return len(name.split()) >= _WORDS or sum(3 if one >= "\u2e80" else 1 for one in name) > _LETTERS

"""What a column's cells look like: lengths, repeats, numbers. Enough to tell texts, labels and identifiers apart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from provetune.data.column_names import ID_NAMES, name_words
from provetune.data.language import script_shares
from provetune.data.table import Kind, RawTable

_SAMPLE_ROWS = 5_000
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\Z")
_DATE = re.compile(r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}:\d{2}(:\d{2})?\Z")
_LONGEST_NAME = 60
_LONGEST_LABEL, _MOST_LETTERS, _LEAST_REPEAT = 90, 600, 10.0
"""A label of more letters than the first is one where it comes back so often."""
_FLAGS = frozenset("01")
_CODE = re.compile(r"(?=\S*\d)[\w.:/#-]+\Z")


@dataclass(frozen=True)
class Profile:
    """A column in numbers.

    Attributes:
        rows: cells looked at, missing ones included.
        filled: share of cells that hold something.
        distinct: different values among them.
        repeat: filled cells for each different value; 1.0 when none comes twice.
        mean_length: letters of a filled cell; a Chinese, Japanese or Korean letter counts as three.
        numbers, decimals, dates, codes: shares of filled cells that look like it. A code is one word with digits.
        lists: share of cells that hold a list in the file.
        flags: share of filled cells that are 0 or 1.
        name_lists: share of filled cells that are lists of short strings, as labels are.
    """

    name: str
    rows: int
    filled: float
    distinct: int
    repeat: float
    mean_length: float
    numbers: float
    decimals: float
    dates: float
    codes: float
    lists: float
    flags: float = 0.0
    name_lists: float = 0.0

    @property
    def is_identifier(self) -> bool:
        """Nearly every row has its own value, and the values or the name look like an identifier's."""
        if self.rows < 2 or self.repeat > 1.2 or self.dates > 0.9:
            return self.named_identifier and self.repeat < 2
        return self.numbers > 0.9 or self.codes > 0.9 or self.named_identifier

    @property
    def named_identifier(self) -> bool:
        return any(word in ID_NAMES for word in name_words(self.name))

    @property
    def can_be_text(self) -> bool:
        return self.filled > 0 and self.lists < 0.5 and max(self.numbers, self.dates) < 0.8 and not self.is_identifier

    @property
    def can_be_label(self) -> bool:
        if self.filled == 0 or self.is_identifier or self.dates > 0.8:
            return False
        if self.mean_length > _LONGEST_LABEL and (self.repeat < _LEAST_REPEAT or self.mean_length > _MOST_LETTERS):
            return False
        return self.lists > 0.5 or self.repeat >= 2 or self.rows < 40


def profile_column(raw: RawTable, name: str) -> Profile:
    """Look at up to 5,000 cells, evenly spread over the file."""
    count = raw.rows
    places = np.unique(np.linspace(0, max(0, count - 1), min(count, _SAMPLE_ROWS)).astype(np.int64))
    cells = pc.take(raw.table[name], places)
    values = [value for value in cells.to_pylist() if value is not None and value.strip()]
    size = max(1, len(values))
    kinds = raw.kind_of(name)[places]
    return Profile(
        name=name,
        rows=len(places),
        filled=len(values) / max(1, len(places)),
        distinct=len(set(values)),
        repeat=len(values) / max(1, len(set(values))),
        mean_length=_mean_length(values),
        numbers=sum(bool(_NUMBER.match(value)) for value in values) / size,
        decimals=sum(bool(_NUMBER.match(value)) and "." in value for value in values) / size,
        dates=sum(bool(_DATE.match(value)) for value in values) / size,
        codes=sum(bool(_CODE.match(value)) for value in values) / size,
        name_lists=sum(map(_lists_names, values)) / size,
        flags=sum(value.strip() in _FLAGS for value in values) / size,
        lists=float(np.isin(kinds, [Kind.LIST, Kind.OBJECT]).mean()) if len(kinds) else 0.0,
    )


def _lists_names(value: str) -> bool:
    if value[:1] != "[":
        return False
    try:
        found = json.loads(value)
    except ValueError:
        return False
    return isinstance(found, list) and all(isinstance(one, str) and 0 < len(one) <= _LONGEST_NAME for one in found)


def _mean_length(values: list[str]) -> float:
    letters = sum(map(len, values)) / max(1, len(values))
    dense = script_shares("".join(value[:200] for value in values[:500]))
    share = sum(dense.get(script, 0.0) for script in ("han", "kana", "hangul"))
    return letters * (1 + 2 * share)

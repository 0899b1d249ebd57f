"""Texts with words of a group swapped: he for she and she for he, in the case that the text has them in."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.errors import DataError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.minimised import Array

_TEXTS = ("text", "text_pair")
# Scripts that write no space between words: a word there is found wherever its letters stand.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


class WordSwaps:
    """Swaps the words of each pair, both ways, all of a text at once.

    Args:
        pairs: two words each; of a word that is in several pairs the first pair counts.

    Raises:
        UsageError: a word is empty, or paired with itself.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.partner: dict[str, str] = {}
        for first, second in pairs:
            one, other = first.strip(), second.strip()
            if not one or not other or one.casefold() == other.casefold():
                raise UsageError(f"A counterfactual pair has two different words. Got [{first}, {second}] instead.")
            self.partner.setdefault(one.casefold(), other)
            self.partner.setdefault(other.casefold(), one)
        longest_first = sorted(self.partner, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(_bounded, longest_first)), re.IGNORECASE)

    def swap(self, text: str) -> str:
        """The text with every word of a pair replaced by its partner."""
        return self.pattern.sub(lambda match: self._replaced(match.group()), text)

    def counterfactuals(self, examples: pa.Table, rows: Array) -> tuple[pa.Table, Array]:
        """Those of `rows` that have a word of a pair, swapped, and their numbers, ascending (S,).

        Args:
            examples: with ``text`` and, for pairs, ``text_pair``.
        """
        import pyarrow as pa

        names = [name for name in _TEXTS if name in examples.column_names]
        some = examples.take(rows)
        texts = {name: some.column(name).to_pylist() for name in names}
        swapped = {name: [None if text is None else self.swap(text) for text in texts[name]] for name in names}
        changed = np.flatnonzero([any(swapped[name][k] != texts[name][k] for name in names) for k in range(len(rows))])
        for name in names:
            kind = some.schema.field(name).type
            some = some.set_column(some.column_names.index(name), name, pa.array(swapped[name], kind))
        return some.take(changed), np.asarray(rows)[changed]

    def _replaced(self, word: str) -> str:
        partner = self.partner[word.casefold()]
        if len(word) > 1 and word.isupper():
            return partner.upper()
        return partner[:1].upper() + partner[1:] if word[:1].isupper() else partner


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The pairs of a csv or tsv file of two columns without a heading.

    Raises:
        DataError: it cannot be read, or a row has not two cells.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("This file of counterfactual pairs cannot be read.", where=str(path)) from error
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    pairs: list[tuple[str, str]] = []
    for number, row in enumerate(csv.reader(content.splitlines(), delimiter=delimiter), start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) != 2 or not all(cells):
            raise DataError(
                "A counterfactual pair has two words.", where=f"{path}, row {number}", hint="Two columns, no heading."
            )
        pairs.append((cells[0], cells[1]))
    return pairs


def _bounded(word: str) -> str:
    """A pattern of the word as a word: not within a longer one, where words have spaces between them."""
    if _UNSPACED.search(word):
        return re.escape(word)
    return rf"(?<!\w){re.escape(word)}(?!\w)"

"""Raw texts from a file: a text a line, documents between blank lines, or a column of a table."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from provetune.core.errors import DataError
from provetune.core.seeds import derive
from provetune.core.suggest import advice
from provetune.data.encodings import find_encoding
from provetune.data.reading import read_table

LEAST_TEXTS = 10
_BLANK = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


@dataclass(frozen=True)
class RawTexts:
    """Different texts, none of them blank.

    Attributes:
        texts: N of them, in the order of the file.
        notes: what was found while reading, one sentence each.
    """

    texts: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def content_hash(self) -> str:
        """SHA-256 over the texts in their order."""
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(text.encode() + b"\x1e")
        return digest.hexdigest()

    def hold_out(self, share: float, seed: int) -> tuple[list[str], list[str]]:
        """Texts to learn from and texts to judge by, two of the latter at least."""
        count = min(len(self.texts) - 1, max(2, round(share * len(self.texts))))
        drawn = np.random.default_rng(derive(seed, "held out")).permutation(len(self.texts))[:count]
        kept = set(drawn.tolist())
        learned = [text for number, text in enumerate(self.texts) if number not in kept]
        return learned, [text for number, text in enumerate(self.texts) if number in kept]


def read_texts(source: str | Path | Sequence[str], column: str | None = None) -> RawTexts:
    """The different texts of a file, or of a list.

    A ``.txt`` file has a text a line; where it has blank lines, a text is what stands between them.

    Args:
        source: a path, or the texts themselves.
        column: of a table; ``text``, or its only column, when left out.

    Raises:
        DataError: it cannot be read, has no such column, or has fewer than ten different texts.
    """
    notes: list[str] = []
    if isinstance(source, str | Path):
        where = str(source)
        found, notes = _from_text(Path(source), column) if _is_text(source) else _from_table(str(source), column)
    else:
        where, found = "texts", list(source)
    if wrong := [number for number, text in enumerate(found) if not isinstance(text, str)]:
        raise DataError("A text must be a string.", where=f"{where}, text {wrong[0]}")
    texts = tuple(dict.fromkeys(stripped for text in found if (stripped := text.strip())))
    if len(texts) < LEAST_TEXTS:
        raise DataError(
            f"Pretraining needs at least {LEAST_TEXTS} different texts. There are {len(texts)}.", where=where
        )
    if len(found) > len(texts):
        notes.append(f"{len(found) - len(texts):,} blank or repeated texts are left out.")
    return RawTexts(texts, tuple(notes))


def _is_text(source: str | Path) -> bool:
    return Path(source).suffix.lower() == ".txt" and Path(source).is_file()


def _from_text(path: Path, column: str | None) -> tuple[list[str], list[str]]:
    if column is not None:
        raise DataError("A .txt file has no columns.", where=str(path), hint="Leave --column out.")
    if path.stat().st_size == 0:
        raise DataError("This file is empty.", where=str(path))
    encoding, note = find_encoding(path, None)
    whole = path.read_text(encoding=encoding).strip()
    notes = [note] if note else []
    documents = _BLANK.split(whole)
    if len(documents) > 1:
        return documents, [*notes, f"{len(documents):,} documents, with blank lines between them."]
    lines = whole.splitlines()
    return lines, [*notes, f"A text a line: {len(lines):,} lines."]


def _from_table(location: str, column: str | None) -> tuple[list[str], list[str]]:
    raw = read_table(location)
    if column is None:
        column = "text" if "text" in raw.names else raw.names[0] if len(raw.names) == 1 else None
        if column is None:
            raise DataError(
                f"Which column has the texts? There are {', '.join(raw.names[:12])}.",
                where=raw.location,
                hint="Name it with --column.",
            )
    if column not in raw.names:
        raise DataError(f"There is no column '{column}'.", where=raw.location, hint=advice(column, raw.names))
    found = [text or "" for text in raw.table.column(column).to_pylist()]
    return found, [*raw.notes, f"Texts are column '{column}'."]

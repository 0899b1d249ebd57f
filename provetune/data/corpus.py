"""Documents that queries may find besides those of the rows: a file of them, carried by the rows of every split.

Row k of N carries every N-th part of them in its column ``corpus``: a split stays one table, and its rows stay those
that are judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError
from provetune.core.protocols import Searches
from provetune.data.reading import read_table
from provetune.problem.syntax import Columns, Data

if TYPE_CHECKING:
    import pyarrow as pa

CORPUS = "corpus"


def read_corpus(data: Data, base: Path, task: Any, columns: Columns) -> tuple[list[str], list[str]]:
    """The different documents of the file that `data.corpus` names, and notes on it; none where it names none.

    Args:
        base: folder that a relative file name starts from.

    Raises:
        DataError: the file cannot be read, has no documents, or the task looks for none.
    """
    if data.corpus is None:
        return [], []
    if not isinstance(task, Searches):
        raise DataError(
            f"The task '{getattr(task, 'name', 'of this problem')}' looks for no documents.",
            where="data.corpus",
            hint="Leave data.corpus out, or set task: retrieval.",
        )
    raw = read_table(data.corpus, base=base, encoding=data.encoding, delimiter=data.delimiter, header=data.header)
    texts = task.read_corpus(raw, data, columns)
    if not texts:
        raise DataError("There is no document in this file.", where=raw.location, hint="Check data.corpus.")
    notes = [f"{raw.short_name}: {note}" for note in raw.notes]
    return texts, [*notes, f"{raw.short_name}: {len(texts):,} documents that queries may find in every split."]


def carry_corpus(tables: Mapping[str, pa.Table], texts: Sequence[str]) -> dict[str, pa.Table]:
    """The splits with the documents in their column ``corpus`` (lists of strings)."""
    import pyarrow as pa

    flat = pa.array(texts, pa.string())
    carried = {}
    for split, table in tables.items():
        bounds = np.linspace(0, len(texts), len(table) + 1).astype(np.int32)
        carried[split] = table.append_column(CORPUS, pa.ListArray.from_arrays(pa.array(bounds), flat))
    return carried


def hash_with_corpus(split_hash: str, texts: Sequence[str]) -> str:
    """A split's hash that is another where other documents can be found."""
    digest = hashlib.sha256(split_hash.encode())
    for text in sorted(texts):
        digest.update(b"\x1e" + text.encode())
    return digest.hexdigest()

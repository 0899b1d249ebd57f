"""Rows of a file into queries, documents that answer them, and documents that do not."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from provetune.core.errors import DataError
from provetune.core.protocols import BadRow, RowParts
from provetune.data.folding import UNIT
from provetune.data.judgements import join_titles
from provetune.data.labels import MISSING_WORDS
from provetune.data.privacy import mask_column
from provetune.data.table import Kind, RawTable
from provetune.problem.syntax import Columns, Data

YES, NO = ("1", "1.0", "true", "yes", "y", "是"), ("0", "0.0", "false", "no", "n", "否")
_SPELT = {Kind.NUMBER: "a number", Kind.BOOLEAN: "true or false", Kind.LIST: "a list", Kind.OBJECT: "an object"}


def side_columns(columns: Columns) -> tuple[str | None, str | None]:
    """The columns of query and document; two text columns are these two, in their order."""
    text, document = columns.text, columns.part("document")
    names = [text] if isinstance(text, str) else list(text or [])
    if document is None and len(names) == 2:
        return names[0], names[1]
    first = names[0] if names else None
    return first, document if isinstance(document, str) else None


def read_rows(raw: RawTable, data: Data, columns: Columns) -> RowParts:
    """``text``, ``text_pair``, ``negatives`` (where there are any) and ``label``, the row's document.

    A document that does not answer its query (`relevant` says no) is no ``text_pair`` but one of the ``negatives``: of
    its own row, which then has nothing to be learned or judged by, and of those that ask the same and have an answer.

    Rows that ask the same are drawn into one split (`provetune.data.folding.UNIT`).

    Raises:
        DataError: query or document has no column, or more than one.
    """
    query, document = side_columns(columns)
    if query is None or document is None:
        missing = "query (data.columns.text)" if query is None else "document (data.columns.document)"
        raise DataError(f"No column is named for the {missing}.", where=raw.location, hint="Name it.")
    if isinstance(columns.text, list) and columns.text not in ([query], [query, document]):
        raise DataError("A query stands in one column.", where=raw.location, hint="Name one with data.columns.text.")
    bad: list[BadRow] = []
    asked, documents = _texts(raw, query, bad), _texts(raw, document, bad)
    negatives = _negatives(raw, _names(columns.part("negative")), bad)
    answers = _relevance(raw, columns.part("relevant"), bad)
    for row, (text, other) in enumerate(zip(asked, documents, strict=True)):
        if text is not None and other is not None and not other.strip():
            bad.append(BadRow(row, document, "The document is empty."))
    _share_negatives(asked, documents, answers, negatives)
    labels = [document if query and document else None for query, document in zip(asked, documents, strict=True)]
    right = [document if yes else "" for document, yes in zip(documents, answers, strict=True)]
    found: dict[str, Any] = {
        "text": pa.chunked_array([pa.array(asked, pa.string())]),
        "text_pair": pa.chunked_array([pa.array(right, pa.string())]),
        "label": mask_column(pa.chunked_array([pa.array(labels, pa.string())]), data.mask),
    }
    # Rows of one query stay in one split: a test query must not be learned from, and has all of its documents.
    found[UNIT] = mask_column(pa.chunked_array([pa.array(asked, pa.string())]), data.mask)
    if any(negatives):
        found["negatives"] = _masked_lists(negatives, data)
    return RowParts(found, tuple(bad))


def read_corpus(raw: RawTable, data: Data, columns: Columns) -> list[str]:
    """The different documents of a file that has nothing else: those of the document's column, or of its only text.

    Raises:
        DataError: no column holds them.
    """
    _, document = side_columns(columns)
    whole = join_titles(raw) if document not in raw.names else None
    if whole is not None:
        return _different(mask_column(whole, data.mask).to_pylist())
    name = document if document in raw.names else None
    if name is None:
        from provetune.tasks.retrieval.detecting import find_document

        name = raw.names[0] if len(raw.names) == 1 else find_document(raw)
    if name is None:
        raise DataError(
            f"No column of this file holds documents: there is no '{document}'.",
            where=raw.location,
            hint=f"Columns: {', '.join(raw.names[:20])}.",
        )
    return _different(mask_column(raw.table[name], data.mask).to_pylist())


def _different(cells: Sequence[str | None]) -> list[str]:
    return list(dict.fromkeys(cell for cell in cells if cell and cell.strip()))


def _names(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _texts(raw: RawTable, name: str, bad: list[BadRow]) -> list[str | None]:
    """Cells of a column of texts; what is no text is told and left out."""
    kinds = raw.kind_of(name)
    cells: list[str | None] = raw.table[name].to_pylist()
    for row in (kinds > Kind.MISSING).nonzero()[0].tolist():
        what = _SPELT[Kind(int(kinds[row]))]
        bad.append(BadRow(row, name, f"It holds {what} where text is wanted: {(cells[row] or '')[:40]}"))
        cells[row] = None
    return [None if cell in MISSING_WORDS else cell for cell in cells]


def _negatives(raw: RawTable, names: Sequence[str], bad: list[BadRow]) -> list[list[str]]:
    """Wrong documents that rows name: a text or a list of texts in each column."""
    found: list[list[str]] = [[] for _ in range(raw.rows)]
    for name in names:
        kinds = raw.kind_of(name)
        for row, cell in enumerate(raw.table[name].to_pylist()):
            if cell is None or cell in MISSING_WORDS or not cell.strip():
                continue
            texts: Any = json.loads(cell) if kinds[row] == Kind.LIST else [cell]
            if kinds[row] not in (Kind.TEXT, Kind.LIST) or not all(isinstance(text, str) for text in texts):
                bad.append(BadRow(row, name, f"It must be a text, or a list of texts. Got {cell[:40]} instead."))
                continue
            found[row] += [text for text in texts if text.strip()]
    return found


def _relevance(raw: RawTable, name: Any, bad: list[BadRow]) -> list[bool]:
    """Whether each row's document answers its query; without a column all do."""
    if not isinstance(name, str):
        return [True] * raw.rows
    found = []
    for row, cell in enumerate(raw.table[name].to_pylist()):
        said = (cell or "").strip().casefold()
        if said not in YES + NO:
            bad.append(BadRow(row, name, f"It must be 1 or 0, yes or no. Got '{(cell or '')[:40]}' instead."))
        found.append(said in YES)
    return found


def _share_negatives(
    asked: Sequence[str | None], documents: Sequence[str | None], answers: Sequence[bool], negatives: list[list[str]]
) -> None:
    """Give documents that do not answer a query to their own row and to all that ask it and have an answer."""
    wrong: dict[str, list[str]] = defaultdict(list)
    for row, (query, document, yes) in enumerate(zip(asked, documents, answers, strict=True)):
        if query and document and not yes:
            wrong[query].append(document)
            negatives[row].append(document)
    for row, (query, yes) in enumerate(zip(asked, answers, strict=True)):
        if query and yes:
            negatives[row] += wrong[query]


def _masked_lists(lists: list[list[str]], data: Data) -> pa.ChunkedArray:
    column = pa.array(lists, pa.list_(pa.string()))
    if not data.mask:
        return pa.chunked_array([column])
    flat = mask_column(pa.chunked_array([column.flatten()]), data.mask).combine_chunks()
    return pa.chunked_array([pa.ListArray.from_arrays(column.offsets, flat)])

"""Judgements that name queries and documents by their numbers, with the texts from the files beside them.

So BEIR's sets lie in a folder (Thakur et al. 2021): ``qrels/train.tsv`` has ``query-id``, ``corpus-id`` and ``score``,
``queries.jsonl`` and ``corpus.jsonl`` above it the texts by their ``_id``. A score above 0 says that the document
answers; how well it does is left out.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from provetune.core.errors import DataError
from provetune.data.table import ROW, RawTable

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.data.table import Reader, ReadOptions

FORMAT = "judgements"
QUERY, DOCUMENT, RELEVANT = "query", "document", "relevant"
_QUERY_IDS, _DOCUMENT_IDS = ("query-id", "query_id", "qid"), ("corpus-id", "corpus_id", "docid", "doc_id", "pid")
_SCORES = ("score", "relevance", "label", "rel")
_QUERIES, _CORPUS = "queries.jsonl", "corpus.jsonl"
_MOST_COLUMNS = 3


def is_judgements(raw: RawTable) -> bool:
    """Whether a table has nothing but numbers of queries and documents, and a score perhaps."""
    names = raw.names
    asked, found, score = (_first(raw, known) for known in (_QUERY_IDS, _DOCUMENT_IDS, _SCORES))
    return len(names) <= _MOST_COLUMNS and bool(asked and found) and {asked, found, score} >= set(names)


def with_texts(raw: RawTable, reader: Reader, options: ReadOptions) -> RawTable:
    """The judgements with ``query``, ``document`` and ``relevant`` (1 or 0) instead of the score.

    Args:
        reader: of the files with the texts.

    Raises:
        DataError: there is no file with the queries or none with the documents, or a score is no number.
    """
    import pyarrow as pa

    asked, found, score = (_first(raw, known) for known in (_QUERY_IDS, _DOCUMENT_IDS, _SCORES))
    queries, corpus = (_beside(Path(raw.location), name) for name in (_QUERIES, _CORPUS))
    columns = {name: raw.table[name] for name in (asked, found) if name is not None}
    for name, numbers, file in ((QUERY, asked, queries), (DOCUMENT, found, corpus)):
        texts = _texts(reader.read(str(file), options))
        cells = [texts.get(number) for number in raw.table[str(numbers)].to_pylist()]
        columns[name] = pa.chunked_array([pa.array(cells, pa.string())])
    if score is not None:
        columns[RELEVANT] = _relevant(raw, score)
    note = (
        f"Texts of queries are from {queries}, those of documents from {corpus}. To have all documents of that file "
        f"searched, say data.corpus: {corpus}."
    )
    table = pa.table({**columns, ROW: raw.table[ROW]})
    return replace(raw, table=table, format=FORMAT, notes=(*raw.notes, note), kinds={})


def join_titles(raw: RawTable) -> pa.ChunkedArray | None:
    """The documents of a corpus as `with_texts` has them, title before text; None for a file of another form."""
    import pyarrow as pa

    if not {"_id", "text"} <= set(raw.names):
        return None
    return pa.chunked_array([pa.array(list(_texts(raw).values()), pa.string())])


def _texts(raw: RawTable) -> dict[str | None, str | None]:
    """Text by number; a document's title stands before its text."""
    from provetune.data.readers._judged_lists import passage_text

    for name in ("_id", "text"):
        if name not in raw.names:
            raise DataError(
                f"There is no column '{name}'.", where=raw.location, hint='A line is {"_id": …, "text": …}.'
            )
    titles = raw.table["title"].to_pylist() if "title" in raw.names else [None] * raw.rows
    rows = zip(raw.table["_id"].to_pylist(), titles, raw.table["text"].to_pylist(), strict=True)
    return {number: passage_text({"title": title, "text": text}) for number, title, text in rows}


def _relevant(raw: RawTable, name: str) -> pa.ChunkedArray:
    import pyarrow as pa

    said: list[str] = []
    for place, cell in zip(raw.table[ROW].to_pylist(), raw.table[name].to_pylist(), strict=True):
        try:
            said.append("1" if float(cell or "x") > 0 else "0")
        except ValueError:
            raise DataError(
                f"'{(cell or '')[:40]}' in column '{name}' is no number.", where=f"{raw.location}, row {place}"
            ) from None
    return pa.chunked_array([pa.array(said, pa.string())])


def _beside(path: Path, name: str) -> Path:
    for folder in (path.parent, path.absolute().parent.parent):
        if (folder / name).is_file():
            return folder / name
    raise DataError(
        f"This file judges queries and documents by their numbers, and there is no {name} with their texts.",
        where=str(path),
        hint=f"Put {_QUERIES} and {_CORPUS} beside it or in the folder above.",
    )


def _first(raw: RawTable, known: tuple[str, ...]) -> str | None:
    return next((name for name in raw.names if name.casefold() in known), None)

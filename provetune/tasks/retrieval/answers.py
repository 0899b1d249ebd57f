"""What a model says about queries: their vectors, and the order of documents where there are any to order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from provetune.data.documents import ABSENT, Documents, find_documents
from provetune.evaluation.ranking import Rankings, Scores, rank_documents

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array, FeatureColumns

TOLD = 10


@runtime_checkable
class ScoredRows(Protocol):
    """Scores of the queries of N rows for documents, as a method without vectors gives them.

    Attributes:
        documents: the M texts that are scored.
    """

    documents: tuple[str, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, at: Any) -> Any:
        """Scores (M,) of one row, (n, M) of a slice."""


@dataclass(frozen=True, eq=False)
class Search:
    """N rows with what orders documents for their queries.

    Attributes:
        found: queries and documents of the rows.
        documents: the M texts that are ordered.
        scores: of the different queries, from one number up to another, (n, M).
        vectors: of each row's query, float32 (N, D); None where a method has none.
        document_vectors: of the documents, float32 (M, D), or None.
    """

    found: Documents
    documents: tuple[str, ...]
    scores: Scores
    vectors: Array | None = None
    document_vectors: Array | None = None

    def __len__(self) -> int:
        return len(self.found.asked)

    def rank(self, keep: int) -> Rankings:
        """The order of the documents for each different query; right are those that rows pair with it."""
        known = self.found.right if len(self.found) else [np.zeros(0, np.int64)] * len(self.found.first_rows)
        return rank_documents(self.scores, len(self.documents), known, keep=keep)


def search_vectors(outputs: Any, features: FeatureColumns | None, examples: pa.Table) -> Array | Search:
    """Vectors of judged features → vectors of the rows (N, D), and where rows have documents their order.

    Raises:
        ValueError: there is not one output a feature.
    """
    from provetune.tasks.retrieval.encoding import DOCUMENT_SIDE, sides_of

    vectors = np.stack([np.asarray(each, dtype=np.float32) for each in outputs])
    found = find_documents(examples)
    _, sides, _ = sides_of(found, len(examples))
    if len(vectors) != len(sides) or (features is not None and len(features) != len(sides)):
        raise ValueError(f"There must be {len(sides)} vectors: of {len(examples)} queries and {len(found)} documents.")
    asked: Array = vectors[sides != DOCUMENT_SIDE]
    documents: Array = vectors[sides == DOCUMENT_SIDE]
    if not len(found):
        return asked
    first = asked[found.first_rows]
    return Search(found, found.texts, lambda start, stop: first[start:stop] @ documents.T, asked, documents)


def search_again(vectors: Array, among: Search) -> Search:
    """Vectors of queries (N, D) → the order of the documents of another search.

    Raises:
        ValueError: that search has no vectors.
    """
    documents = among.document_vectors
    if documents is None:
        raise ValueError("There must be vectors of documents to search again. Got none.")
    nothing = np.zeros(0, np.int64)
    found = Documents((), nothing, np.full(len(vectors), ABSENT), np.arange(len(vectors)))
    return Search(found, among.documents, lambda start, stop: vectors[start:stop] @ documents.T, vectors, documents)


def search_scores(outputs: ScoredRows, examples: pa.Table) -> Search:
    """Scores of a method without vectors → the order of documents for each query."""
    found = find_documents(examples)
    first = found.first_rows

    def scores(start: int, stop: int) -> Array:
        rows = first[start:stop]
        # Most often every query is its own row, and its scores are computed together with its neighbours'.
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
            return np.asarray(outputs[int(rows[0]) : int(rows[-1]) + 1])
        return np.stack([np.asarray(outputs[row]) for row in rows.tolist()])

    return Search(found, outputs.documents, scores)


def outcome_table(examples: pa.Table, answers: Search) -> pa.Table:
    """What is kept of every row.

    Returns:
        ``row_id``, ``label`` (the row's document), ``prediction`` (the document in front), ``score`` (its score),
        ``places`` (list of int32: of the query's right documents, ascending), ``counted`` (whether it is the first row
        that asks this and is answered) and ``documents`` (how many were ordered).
    """
    import pyarrow as pa

    ranked = answers.rank(1)
    asked, count = answers.found.asked, len(answers)
    known, right = asked != ABSENT, answers.found.own != ABSENT
    counted = np.zeros(count, dtype=bool)
    judged = np.flatnonzero(known & right)
    counted[judged[np.unique(asked[judged], return_index=True)[1]]] = True
    front = [answers.documents[ranked.first[number, 0]] if number != ABSENT else None for number in asked.tolist()]
    places = [ranked.ranks[number].tolist() if number != ABSENT else [] for number in asked.tolist()]
    scores = np.where(known, ranked.scores[np.where(known, asked, 0), 0], np.nan)
    return pa.table(
        {
            "row_id": examples.column("row_id"),
            "label": examples.column("label"),
            "prediction": pa.array(front, pa.string()),
            "score": pa.array(scores.astype(np.float32)),
            "places": pa.array(places, pa.list_(pa.int32())),
            "counted": pa.array(counted),
            "documents": pa.array(np.full(count, len(answers.documents), np.int32)),
        }
    )


def told_vectors(vectors: Array) -> list[dict[str, Any]]:
    """``{"embedding"}`` of each row: numbers of length one together."""
    return [{"embedding": [float(value) for value in vector]} for vector in vectors]


def told_documents(answers: Search, top_k: int | None) -> list[dict[str, Any]]:
    """``{"document", "score"}`` of each row: the one in front, with the first k under ``"documents"``.

    A method without vectors gives what has nothing in common with the query a score of 0: that is not found at all.
    """
    ranked = answers.rank(top_k or TOLD)
    told: list[dict[str, Any]] = []
    for number in answers.found.asked.tolist():
        entries = [] if number == ABSENT else _entries(answers.documents, ranked, number)
        if answers.vectors is None:
            entries = [each for each in entries if each["score"] > 0]
        best: Mapping[str, Any] = entries[0] if entries else {"document": None, "score": None}
        told.append({**best, "documents": entries})
    return told


def _entries(documents: Sequence[str], ranked: Rankings, number: int) -> list[dict[str, Any]]:
    pairs = zip(ranked.first[number].tolist(), ranked.scores[number].tolist(), strict=True)
    return [{"document": documents[place], "score": score} for place, score in pairs]

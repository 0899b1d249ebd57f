"""A bundle that finds documents, with documents to find them among.

finder = search_among(load("bundles/full-0"), ["Open Settings to change it.", "Parcels take three days."])
finder.predict("how do I change my password?")      # [{"document": "Open Settings …", "score": 0.71, "documents": …}]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from provetune.core.errors import DataError, UsageError
from provetune.core.protocols import Searches
from provetune.inference.predictor import DOCUMENT_KEYS, Predictor

if TYPE_CHECKING:
    from provetune.core.protocols import Answers
    from provetune.inference.inputs import Prepared


class CorpusPredictor(Predictor):
    """A predictor whose answers are documents of a corpus. Made by `search_among`.

    Attributes:
        documents: the M documents, personal data masked as the bundle's own.
    """

    def __init__(self, plain: Predictor, documents: Sequence[str]) -> None:
        super().__init__(plain.path, plain.task, plain.targets, plain.record, plain._answerer)
        self.documents = tuple(documents)
        self._among: Answers | None = None

    @property
    def answer_keys(self) -> tuple[str, ...]:
        return DOCUMENT_KEYS

    def answer(self, prepared: Prepared, *, top_k: int | None = None, proba: bool = False) -> list[dict[str, Any]]:
        """``{"document", "score", "documents"}`` of each item: the one in front, and the first k (ten)."""
        found: list[dict[str, Any]] = [{**dict.fromkeys(DOCUMENT_KEYS), "documents": []} for _ in range(prepared.count)]
        if len(prepared.examples):
            for place, row in zip(prepared.places, self._search(prepared, top_k), strict=True):
                found[place] = row
        return found

    def _search(self, prepared: Prepared, top_k: int | None) -> list[dict[str, Any]]:
        """The corpus goes through the model with the first queries; later ones are compared with what it gave."""
        import pyarrow as pa

        task = cast(Searches, self.task)
        if self._among is not None:
            answers = self.answers(prepared.examples)
            if isinstance(answers, np.ndarray):
                return task.found(answers, top_k=top_k, among=self._among)
        lists = [list(self.documents), *[[]] * (len(prepared.examples) - 1)]
        together = prepared.examples.append_column("corpus", pa.array(lists, pa.list_(pa.string())))
        self._among = self.answers(together)
        return task.found(self._among, top_k=top_k)


def search_among(predictor: Predictor, documents: Sequence[str]) -> CorpusPredictor:
    """The predictor with documents that its queries are to find.

    Args:
        documents: texts; equal ones count once.

    Raises:
        UsageError: the bundle's task finds no documents.
        DataError: there is no document.
    """
    if not isinstance(predictor.task, Searches):
        raise UsageError(f"A bundle of the task '{predictor.task.name}' finds no documents.", hint="Leave them out.")
    alone = replace(predictor.columns, names=("document",))
    texts = [alone.texts_of(text, f"document {number}") for number, text in enumerate(documents, start=1)]
    different = list(dict.fromkeys(parts[0] for parts in texts if parts))
    if not different:
        raise DataError("There is no document to find.", hint="Give some that have text.")
    return CorpusPredictor(predictor, different)


def read_documents(predictor: Predictor, path: str | Path) -> list[str]:
    """The documents of a file, found as those of a problem's ``data.corpus`` are.

    Raises:
        UsageError: the bundle's task finds no documents.
        DataError: the file cannot be read, or no column holds documents.
    """
    from provetune.data.reading import read_table
    from provetune.problem.syntax import Columns, Data

    if not isinstance(predictor.task, Searches):
        raise UsageError(f"A bundle of the task '{predictor.task.name}' finds no documents.", hint="Leave them out.")
    columns = Columns.model_validate(predictor.record.get("columns") or {})
    return predictor.task.read_corpus(read_table(str(path)), Data(), columns)

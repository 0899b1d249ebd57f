"""BM25: documents by the words that they share with a query. The baseline of retrieval, no pretrained model.

What is learned is little: how soon repetitions stop to count, how much long documents are held back, and whether words
are cut to their stems, whichever ranks the documents of the validation rows best. Word weights are those of the
documents to be ranked, whichever these are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from provetune.core.errors import CorruptError
from provetune.core.files import atomic_path, read_json, write_json
from provetune.core.protocols import LearnsFrom
from provetune.data.documents import Documents, find_documents
from provetune.models.lexical import LexicalIndex, make_stemmer, split_words, stemmer_languages

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array, FeatureColumns, Outputs, Targets, Task

Auto: TypeAlias = Literal["auto"]

_SETTINGS, _DOCUMENTS = "bm25.json", "bm25.parquet"
_K1, _B = (0.6, 0.9, 1.2, 1.6, 2.0), (0.3, 0.5, 0.75, 0.9)
_USUAL = {"k1": 1.2, "b": 0.75, "stemmer": "none"}
_QUERIES_TO_CHOOSE_BY = 2_000


class Bm25Settings(BaseModel):
    """What `bm25` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    k1: Annotated[float, Field(ge=0)] | Auto = Field(
        "auto", description="How much a word's repetitions count; auto takes the best of several on validation rows."
    )
    b: Annotated[float, Field(ge=0, le=1)] | Auto = Field(
        "auto", description="How much long documents are held back, 0 to 1; auto takes the best of several."
    )
    stemmer: str = Field(
        "auto",
        description="Language whose words are cut to their stems, e.g. english; none; auto: english or none, "
        "whichever is better on validation rows.",
    )

    @field_validator("stemmer")
    @classmethod
    def _is_known(cls, value: str) -> str:
        known = ("auto", "none", *stemmer_languages())
        if value not in known:
            raise ValueError(f"must be auto, none or a language that Snowball has rules for. Got '{value}' instead.")
        return value


class LexicalScores(Sequence[Any]):
    """Scores of M documents for each of N queries, computed when they are asked for.

    Attributes:
        documents: the texts that the scores are of.
    """

    def __init__(self, index: LexicalIndex, queries: Sequence[Sequence[str]], documents: Sequence[str]) -> None:
        self._index, self._queries = index, queries
        self.documents = tuple(documents)

    def __len__(self) -> int:
        return len(self._queries)

    def __getitem__(self, at: Any) -> Any:
        """Scores (M,) of one query, or (n, M) of a slice of them; float32."""
        return self._index.scores(self._queries[at] if isinstance(at, slice) else [self._queries[at]])[
            slice(None) if isinstance(at, slice) else 0
        ]


@dataclass(frozen=True)
class Bm25Model:
    """Settled settings, and the documents to answer from where a caller brings none.

    Attributes:
        k1, b, stemmer: as settled; a stemmer of None leaves words as they are.
        documents: those of the training rows.
        facts: what was chosen from what.
    """

    k1: float
    b: float
    stemmer: str | None
    documents: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        """`LexicalScores`: of the documents of these rows, or, where they have none, of the training rows'."""
        found = find_documents(examples)
        documents = found.texts if len(found) else self.documents
        stem = make_stemmer(self.stemmer)
        words = [split_words(text, stem) for text in documents]
        queries = [split_words(text or "", stem) for text in examples.column("text").to_pylist()]
        return LexicalScores(LexicalIndex(words, k1=self.k1, b=self.b), queries, documents), None

    def save(self, folder: Path) -> None:
        """Write ``bm25.json`` and the documents as ``bm25.parquet``."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        settled = {"k1": self.k1, "b": self.b, "stemmer": self.stemmer, "facts": dict(self.facts)}
        write_json(Path(folder) / _SETTINGS, settled)
        with atomic_path(Path(folder) / _DOCUMENTS) as temporary:
            pq.write_table(pa.table({"document": pa.array(self.documents, pa.string())}), temporary, compression="zstd")


class Bm25:
    """`bm25`: two runs are equal whatever their seeds, so its spread over seeds is nought."""

    name = "bm25"
    summary = "Documents by the words they share with the query: the baseline of retrieval, no pretrained model."
    learns_from: LearnsFrom = "examples"
    tasks: tuple[str, ...] | None = ("retrieval",)
    bundle_kind = "examples"
    settings: type[BaseModel] = Bm25Settings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True

    def fit(
        self,
        examples: pa.Table,
        task: Task,
        targets: Targets,
        settings: Bm25Settings,
        *,
        seed: int = 0,
        validation: pa.Table,
    ) -> Bm25Model:
        """Choose what the settings leave open by the mean reciprocal rank on the validation rows.

        `seed` changes nothing: nothing is drawn.
        """
        settled, facts = _choose(settings, find_documents(validation), validation)
        return Bm25Model(**settled, documents=find_documents(examples).texts, facts=facts)

    def load(self, folder: Path, task: Task, targets: Targets) -> Bm25Model:
        """The model that `Bm25Model.save` wrote.

        Raises:
            CorruptError: a file is missing or damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            settled = read_json(Path(folder) / _SETTINGS)
            documents = tuple(pq.read_table(Path(folder) / _DOCUMENTS).column("document").to_pylist())
            return Bm25Model(settled["k1"], settled["b"], settled["stemmer"], documents, settled.get("facts", {}))
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError, pa.ArrowInvalid) as error:
            raise CorruptError(f"The documents of bm25 cannot be read ({error!r}).", where=str(folder)) from error


def _choose(settings: Bm25Settings, found: Documents, rows: pa.Table) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings with nothing left open, and what the choice was made by."""
    left: dict[str, Sequence[Any]] = {"k1": _K1, "b": _B, "stemmer": ("none", "english")}
    options = {
        name: values if getattr(settings, name) == "auto" else (getattr(settings, name),)
        for name, values in left.items()
    }
    asked = [number for number, right in enumerate(found.right) if len(right)][:_QUERIES_TO_CHOOSE_BY]
    if not asked or all(len(values) == 1 for values in options.values()):
        settled = {name: values[0] if len(values) == 1 else _USUAL[name] for name, values in options.items()}
        return {**settled, "stemmer": _language(settled["stemmer"])}, {}
    texts = rows.column("text").take(found.first_rows[asked]).to_pylist()
    right = [found.right[number] for number in asked]
    tried: dict[tuple[Any, ...], float] = {}
    for stemmer in options["stemmer"]:
        stem = make_stemmer(_language(stemmer))
        documents, queries = ([split_words(text, stem) for text in each] for each in (found.texts, texts))
        for k1, b in product(options["k1"], options["b"]):
            tried[k1, b, stemmer] = _mean_reciprocal_rank(LexicalIndex(documents, k1=k1, b=b), queries, right)
    best = max(tried, key=lambda one: tried[one])
    settled = dict(zip(("k1", "b", "stemmer"), best, strict=True))
    facts = {"tried": len(tried), "queries": len(asked), "mrr": float(tried[best])}
    return {**settled, "stemmer": _language(settled["stemmer"])}, facts


def _language(stemmer: Any) -> str | None:
    return None if stemmer == "none" else str(stemmer)


def _mean_reciprocal_rank(index: LexicalIndex, queries: Sequence[Sequence[str]], right: Sequence[Array]) -> float:
    """Of each query's first right document, equal scores counting against."""
    total, step = 0.0, max(1, (1 << 24) // index.count)
    for start in range(0, len(queries), step):
        scores = index.scores(queries[start : start + step])
        for row, own in zip(scores, right[start : start + step], strict=True):
            best = row[own].max()
            total += 1.0 / (1 + np.sum(row >= best) - np.sum(row[own] >= best))
    return total / len(queries)


METHOD = Bm25()

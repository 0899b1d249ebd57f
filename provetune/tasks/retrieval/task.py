"""Queries find the documents that answer them: one encoder gives both a vector, and the nearest are the answer.

It learns contrastively: a query's document is brought near it, the other documents of the batch and hard negatives are
kept away. It is judged by the order of all documents of the judged rows, of what they call wrong, and of a corpus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from provetune.core.errors import DataError
from provetune.core.protocols import (
    Answers,
    Detected,
    EncodeSettings,
    FeatureColumns,
    Finding,
    LearnsFrom,
    Metric,
    Outputs,
    ReportTable,
    Role,
    RowParts,
    Targets,
)
from provetune.tasks.retrieval.options import RetrievalOptions
from provetune.tasks.retrieval.roles import ROLES
from provetune.tasks.retrieval.scores import METRICS

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array

KIND = "documents"


class Retrieval:
    """The retrieval task; see `provetune.core.protocols.Task`, which it fulfils."""

    name = "retrieval"
    summary = "Find the documents that answer a query among many, by vectors learned contrastively."
    roles: tuple[Role, ...] = ROLES
    classes = False
    metrics: tuple[Metric, ...] = METRICS
    learns_from: tuple[LearnsFrom, ...] = ("examples", "weights")
    baseline: str | None = "bm25"
    options: type[BaseModel] = RetrievalOptions
    # Sentence encoders find documents before they learn anything: steps as large as a new head needs undo that.
    defaults: Mapping[str, Mapping[str, Any]] = {
        "*": {"long_texts": "head"},
        "full": {"learning_rate": 5e-5},
        "lora": {"learning_rate": 5e-4},
    }
    auto_class = "AutoModel"
    # transformers' own gives a vector a token; sentence-transformers loads the bundle.
    pipeline: str | None = None
    answer_keys: tuple[str, ...] = ("embedding",)
    each_token = False
    together = True
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {
            "question": "How do I change my password?",
            "document": "Open Settings, then Security, to set a new password.",
        },
        {"question": "When does my parcel arrive?", "document": "Parcels reach you within three working days."},
    )

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """Columns of queries, documents and wrong documents, by name first."""
        from provetune.tasks.retrieval.detecting import detect

        return detect(raw, named)

    def read(self, raw: Any, data: Any, columns: Any) -> RowParts:
        """``text``, ``text_pair``, ``negatives`` and ``label``, the document where it answers."""
        from provetune.tasks.retrieval.reading import read_rows

        return read_rows(raw, data, columns)

    def read_corpus(self, raw: Any, data: Any, columns: Any) -> list[str]:
        """The different documents of a file of documents alone."""
        from provetune.tasks.retrieval.reading import read_corpus

        return read_corpus(raw, data, columns)

    def input_columns(self, columns: Any) -> str | list[str]:
        """The query's column: documents come from elsewhere when it is asked."""
        from provetune.tasks.retrieval.reading import side_columns

        return side_columns(columns)[0] or "text"

    def targets(
        self, examples: pa.Table, *, out_of_scope: str | None = None, options: Mapping[str, Any] | None = None
    ) -> Targets:
        """The settings; there are no names, since documents are found that were never seen.

        Raises:
            DataError: no row has a query and its document, or there is one document only.
        """
        from provetune.data.documents import find_documents

        found = find_documents(examples)
        if not any(map(len, found.right)):
            raise DataError("No row has a query and a document that answers it.", hint="Check data.columns.")
        if len(found) < 2:
            raise DataError(
                "All rows have one document: there is nothing to find.", hint="Check data.columns.document."
            )
        settled = RetrievalOptions(**dict(options or {})).model_dump(mode="json")
        return Targets(KIND, (), (), None, settled)

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Equal texts on both sides, repeated pairs, wrong documents that are right elsewhere, few documents."""
        from provetune.tasks.retrieval.faults import find_faults

        return find_faults(splits)

    # -- model -------------------------------------------------------------------------------------------------------

    def head(self, targets: Targets) -> dict[str, Any]:
        """Nothing: the encoder is complete as it is."""
        return {}

    def prepare_tokenizer(self, tokenizer: Any, targets: Targets) -> Any:
        """The prefixes of both sides are kept with the tokenizer."""
        from provetune.tasks.retrieval.prefixes import set_prefixes

        return set_prefixes(tokenizer, targets)

    def prepare_model(self, model: torch.nn.Module, tokenizer: Any, targets: Targets) -> torch.nn.Module:
        """The pooling is kept with the model."""
        from provetune.tasks.retrieval.vectors import set_pooling

        set_pooling(model, str(targets.options["pooling"]))
        return model

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """With `targets` rows to learn from, both sides in a feature; without, each different text alone.

        See `provetune.tasks.retrieval.encoding`.
        """
        from provetune.tasks.retrieval.encoding import encode_judged, encode_training
        from provetune.tasks.retrieval.negatives import hard_negatives

        if targets is None:
            return encode_judged(examples, tokenizer, settings)
        options = RetrievalOptions(**targets.options)
        negatives = hard_negatives(examples, self, settings, options.hard_negatives, options.mine)
        return encode_training(examples, tokenizer, settings, negatives)

    def count_tokens(self, examples: pa.Table, tokenizer: Any, most: int) -> Array:
        """Tokens of the longer side of each row (N,): each side is read by itself."""
        from provetune.tasks.retrieval.encoding import count_sides

        return count_sides(examples, tokenizer, most)

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """A padded batch of texts, or of queries and their different documents with ``labels`` (B, S)."""
        from provetune.tasks.retrieval.encoding import collate_sides

        return collate_sides(features, pad_id)

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Vectors of a batch: query, document, hard negatives; float32 (B, S, D)."""
        import torch

        from provetune.tasks.retrieval.vectors import embed, pooling_of

        pooling = pooling_of(model)
        queries = embed(model, batch["input_ids"], batch["attention_mask"], pooling)
        documents = embed(model, batch["pair_input_ids"], batch["pair_attention_mask"], pooling)
        # A slot without a document takes any; its number says that it is none.
        return torch.cat([queries[:, None], documents[batch["slots"].clamp(min=0)]], dim=1)

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """The loss that the options name, over all different documents of the batch.

        Args:
            logits: vectors (B, S, D).
            labels: numbers of their texts (B, S), -1 for none.
        """
        from provetune.training.contrastive import compare, cosine_loss, margin_loss, ranking_loss

        options, found = targets.options, compare(logits, labels)
        if options["loss"] == "ranking":
            return ranking_loss(found, float(options["scale"]))
        return (margin_loss if options["loss"] == "margin" else cosine_loss)(found, float(options["margin"]))

    def infer(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets, tokenizer: Any
    ) -> Sequence[Array]:
        """The vector of each text, float32 (D,)."""
        return list(self.traced(model, batch, targets).cpu().numpy())

    def traced(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets) -> torch.Tensor:
        """Vectors of the texts, float32 (B, D)."""
        from provetune.tasks.retrieval.vectors import embed

        return embed(model, batch["input_ids"], batch["attention_mask"], str(targets.options["pooling"]))

    def furnish(self, folder: Path, model: Any, tokenizer: Any, targets: Targets) -> None:
        """What sentence-transformers needs to load the bundle."""
        from provetune.models.sentence_folder import write_sentence_files
        from provetune.tasks.retrieval.prefixes import DOCUMENT, QUERY, prefix_of

        write_sentence_files(
            folder,
            width=int(model.config.hidden_size),
            pooling=targets.options["pooling"],
            max_length=int(tokenizer.model_max_length),
            query_prefix=prefix_of(tokenizer, QUERY),
            document_prefix=prefix_of(tokenizer, DOCUMENT),
        )

    # -- answers -----------------------------------------------------------------------------------------------------

    def answers(
        self, outputs: Outputs, features: FeatureColumns | None, examples: pa.Table, targets: Targets
    ) -> Answers:
        """Vectors of the queries (N, D), or where there are documents a `provetune.tasks.retrieval.answers.Search`."""
        from provetune.tasks.retrieval.answers import ScoredRows, search_scores, search_vectors

        if isinstance(outputs, ScoredRows):
            return search_scores(outputs, examples)
        return search_vectors(outputs, features, examples)

    def outcomes(self, examples: pa.Table, answers: Answers, targets: Targets) -> pa.Table:
        """``prediction`` is the document in front; ``places`` are those of the right ones among all documents."""
        from provetune.tasks.retrieval.answers import outcome_table

        return outcome_table(examples, answers)

    def score(self, outcomes: pa.Table, targets: Targets) -> dict[str, float]:
        """Every metric of these rows: means over their different queries."""
        from provetune.tasks.retrieval.scores import scores_of

        values = scores_of(outcomes.filter(outcomes.column("label").is_valid()))
        return {name: float(np.mean(each[~np.isnan(each)])) for name, each in values.items() if np.isfinite(each).any()}

    def judged(self, outcomes: pa.Table, targets: Targets, groups: Sequence[Any] | None = None) -> Any:
        """`MeasuredRows` with a value a row for every metric; rows without a label are left out."""
        from provetune.statistics.measured_rows import MeanOf, MeasuredRows
        from provetune.tasks.retrieval.scores import scores_of

        labelled = outcomes.column("label").is_valid().to_numpy(zero_copy_only=False)
        numbers = None
        if groups is not None:
            kept = [str(group) for group, keep in zip(groups, labelled, strict=True) if keep]
            numbers = np.unique(kept, return_inverse=True)[1]
        values = scores_of(outcomes.filter(outcomes.column("label").is_valid()))
        return MeasuredRows({name: MeanOf(each) for name, each in values.items()}, groups=numbers)

    def predictions(
        self, answers: Answers, targets: Targets, *, top_k: int | None = None, proba: bool = False
    ) -> list[dict[str, Any]]:
        """``{"embedding"}`` of each query; of a method without vectors the documents that it knows, as in `found`."""
        from provetune.tasks.retrieval.answers import Search, told_documents, told_vectors

        if not isinstance(answers, Search):
            return told_vectors(answers)
        if answers.vectors is not None:
            return told_vectors(answers.vectors)
        return [{"embedding": None, **each} for each in told_documents(answers, top_k)]

    def found(
        self, answers: Answers, *, top_k: int | None = None, among: Answers | None = None
    ) -> list[dict[str, Any]]:
        """``{"document", "score", "documents"}`` of each row that asks: the first, and the first k (ten).

        Args:
            among: a `Search` with vectors, whose documents are to be found by the queries' vectors in `answers`.
        """
        from provetune.tasks.retrieval.answers import search_again, told_documents

        return told_documents(answers if among is None else search_again(answers, among), top_k)

    def show(self, value: Any) -> str:
        """A document as it stands."""
        return "" if value is None else str(value)

    def tables(self, outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
        """In which place the first right document stands, for how many queries."""
        from provetune.tasks.retrieval.scores import place_table

        rows = place_table(outcomes)
        documents = outcomes.column("documents")[0].as_py() if len(outcomes) else 0
        note = f"Among {documents:,} documents; documents of the same score as a right one count as standing before it."
        return [ReportTable("places", "Place of the first right document", ("place", "queries", "share"), rows, note)]

"""A text into another: translation, summarisation, any rewriting, with encoder–decoders (Marian, T5, BART, mT5, …)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError
from provetune.core.protocols import (
    Detected,
    EncodeSettings,
    FeatureColumns,
    Finding,
    LearnsFrom,
    Outputs,
    ReportTable,
    Role,
    RowParts,
    Targets,
)
from provetune.tasks.seq2seq.options import Seq2seqOptions
from provetune.tasks.seq2seq.scores import METRICS

if TYPE_CHECKING:
    import pyarrow as pa
    import torch
    from pydantic import BaseModel

    from provetune.core.protocols import Array
    from provetune.tasks.seq2seq.writing import Written

KIND = "text"
SCORED = "scored"
"""Whether what is written gets a score; no setting of a problem file, since everything that is kept has one."""


class Seq2seq:
    """The seq2seq task; see `provetune.core.protocols.Task`, which it fulfils."""

    name = "seq2seq"
    summary = "Turn a text into another: translation, summaries, rewriting."
    roles = (
        Role("text", "The source: the text to translate, to summarise, to rewrite."),
        Role("label", "The target: the text that is wanted for it."),
    )
    classes = False
    metrics = METRICS
    learns_from: tuple[LearnsFrom, ...] = ("weights", "examples")
    baseline: str | None = "untrained"
    options: type[BaseModel] = Seq2seqOptions
    defaults: Mapping[str, Mapping[str, Any]] = MappingProxyType(
        {
            "*": {"long_texts": "head", "evaluations": 2},
            # BLEU on validation rows of multi30k_en_fr after 1,000 rows (one seed): 54.7 with 32 rows a batch and
            # 5e-5, 55.5 with 1e-4, 55.4 with 2e-4; 56.4 with 16 rows and 1e-4; 48.8 before.
            "full": {"learning_rate": 1e-4, "batch_rows": 16},
            "lora": {"learning_rate": 5e-4, "batch_rows": 32},
        }
    )
    auto_class = "AutoModelForSeq2SeqLM"
    pipeline: str | None = None
    answer_keys: tuple[str, ...] = ("text", "score")
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {"source": "The card was charged twice.", "target": "La carte a été débitée deux fois."},
        {"source": "Nothing arrived.", "target": "Rien n'est arrivé."},
    )

    # -- columns of a file, and rows ---------------------------------------------------------------------------------

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """Columns called like a source and a target, or texts in two languages, or a text and its summary."""
        from provetune.data.parallel_texts import detect_parallel

        return detect_parallel(raw, named)

    def read(self, raw: Any, data: Any, columns: Any) -> RowParts:
        """``text`` and ``label``, strings; a cell that is no text is a bad row."""
        from provetune.data.parallel_texts import read_parallel

        return read_parallel(raw, columns)

    def input_columns(self, columns: Any) -> str | list[str]:
        """The source's column."""
        named: str | list[str] = columns.text or "text"
        return named

    def targets(
        self, examples: pa.Table, *, out_of_scope: str | None = None, options: Mapping[str, Any] | None = None
    ) -> Targets:
        """No names to predict; the options, with the languages found out.

        Raises:
            DataError: there are no labelled rows.
        """
        import pyarrow.compute as pc

        from provetune.tasks.seq2seq.options import settle_options

        labelled = examples.filter(pc.is_valid(examples.column("label")))
        if labelled.num_rows == 0:
            raise DataError("There are no rows with a target to learn from.", hint="Check data.columns.label.")
        sources, wanted = (labelled.column(name).to_pylist() for name in ("text", "label"))
        return Targets(KIND, (), options=settle_options(options, [text or "" for text in sources], wanted))

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """The same text on both sides, and targets whose length does not fit their source."""
        from provetune.tasks.seq2seq.faults import find_faults

        return find_faults(splits)

    # -- model -------------------------------------------------------------------------------------------------------

    def head(self, targets: Targets) -> dict[str, Any]:
        """Nothing: the model is complete as it was pretrained."""
        return {}

    def prepare_tokenizer(self, tokenizer: Any, targets: Targets) -> Any:
        """The prefix, and a multilingual model's two languages, into the tokenizer, which keeps them in a bundle."""
        from provetune.tasks.seq2seq.sides import settle_tokenizer

        return settle_tokenizer(tokenizer, targets.options)

    def prepare_model(self, model: torch.nn.Module, tokenizer: Any, targets: Targets) -> torch.nn.Module:
        """The options into the model's generation settings, so that plain transformers decodes as we do."""
        from provetune.tasks.seq2seq.sides import settle_model

        return settle_model(model, tokenizer, targets.options)

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """Sources and targets as `provetune.tasks.seq2seq.features.encode_sides` makes them."""
        from provetune.tasks.seq2seq.features import encode_sides

        return encode_sides(examples, tokenizer, settings, targets)

    def count_tokens(self, examples: pa.Table, tokenizer: Any, most: int) -> Array:
        """Tokens of each source, its prefix included."""
        from provetune.tasks.seq2seq.features import count_side

        return count_side([text or "" for text in examples.column("text").to_pylist()], tokenizer)

    def count_target_tokens(self, examples: pa.Table, tokenizer: Any) -> Array:
        """Tokens of each target."""
        from provetune.tasks.seq2seq.features import count_side

        return count_side([text or "" for text in examples.column("label").to_pylist()], tokenizer, target=True)

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """A padded batch; ``labels`` are target tokens, -100 where there is none."""
        from provetune.tasks.seq2seq.features import pad_sides

        return pad_sides(features, pad_id)

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits of the target's own tokens alone, (M, V): padding is not projected onto the vocabulary."""
        from provetune.models.label_positions import logits_only_at
        from provetune.tasks.seq2seq.features import IGNORED

        plain: Any = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
        labels = batch["labels"]
        with logits_only_at(plain, labels != IGNORED):
            output = plain(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                decoder_input_ids=plain.prepare_decoder_input_ids_from_labels(labels),
                use_cache=False,
            )
        logits: torch.Tensor = output.logits
        return logits

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Cross-entropy of a token, smoothed over the vocabulary (Szegedy et al. 2016, arXiv:1512.00567).

        It is counted from the least that smoothing leaves possible, so that 0 is perfect with any smoothing.

        Args:
            logits: of the labelled positions, (M, V), or of all, (B, T, V).
            labels: (B, T).
        """
        from torch.nn import functional

        from provetune.tasks.seq2seq.features import IGNORED

        smoothing = float(targets.options.get("label_smoothing", 0.0))
        wanted = labels[labels != IGNORED]
        found = logits if logits.ndim == 2 else logits[labels != IGNORED]
        if not len(wanted):
            return found.sum() * 0.0  # the mean of nothing would be no number
        least = _least_loss(smoothing, found.shape[-1])
        return functional.cross_entropy(found.float(), wanted, label_smoothing=smoothing) - least

    def infer(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets, tokenizer: Any
    ) -> Sequence[Array]:
        """The text that the model writes for each source, with its score, one record each."""
        from provetune.tasks.seq2seq.options import decoding_of
        from provetune.tasks.seq2seq.writing import write_batch

        scored = bool(targets.options.get(SCORED, True))
        return write_batch(model, batch, decoding_of(targets.options), tokenizer, scored=scored)

    def while_training(self, targets: Targets) -> Targets:
        """The targets with greedy decoding and texts without a score: good enough to choose between checkpoints."""
        from dataclasses import replace

        from provetune.models.generation.options import greedy

        return replace(targets, options={**greedy(dict(targets.options)), SCORED: False})

    # -- answers -----------------------------------------------------------------------------------------------------

    def answers(
        self, outputs: Outputs, features: FeatureColumns | None, examples: pa.Table, targets: Targets
    ) -> list[Written]:
        """What was written for each row, and how much of its source was cut off."""
        from provetune.tasks.seq2seq.writing import read_record

        cut = np.zeros(len(outputs), dtype=np.int64)
        if features is not None:
            cut = np.array([int(feature["source_cut"]) for feature in features.take(range(len(features)))])
        return [read_record(record, lost) for record, lost in zip(outputs, cut.tolist(), strict=True)]

    def outcomes(self, examples: pa.Table, answers: Sequence[Written], targets: Targets) -> pa.Table:
        """``row_id``, ``label``, ``prediction`` (strings), ``score``, ``stopped`` and ``source_cut`` of each row."""
        import pyarrow as pa

        return pa.table(
            {
                "row_id": examples.column("row_id"),
                "label": examples.column("label"),
                "prediction": pa.array([each.text for each in answers], pa.string()),
                "score": pa.array([each.score for each in answers], pa.float64()),
                "stopped": pa.array([each.stopped for each in answers], pa.bool_()),
                "source_cut": pa.array([each.source_cut for each in answers], pa.int32()),
            }
        )

    def score(self, outcomes: pa.Table, targets: Targets) -> dict[str, float]:
        """chrF, BLEU, ROUGE-1, -2, -L and METEOR over the rows with a target."""
        from provetune.evaluation.generation.scores import generation_scores
        from provetune.tasks.seq2seq.options import target_code

        said, wanted, _ = _labelled(outcomes)
        return generation_scores(said, wanted, target_code(targets.options))

    def judged(self, outcomes: pa.Table, targets: Targets, groups: Sequence[Any] | None = None) -> Any:
        """The statistics of each row that its metrics are made of; rows without a target are left out."""
        from provetune.evaluation.generation.scores import generation_measures
        from provetune.statistics.measured_rows import MeasuredRows
        from provetune.tasks.seq2seq.options import target_code

        said, wanted, kept = _labelled(outcomes)
        numbers = None
        if groups is not None:
            of_kept = [str(group) for group, keep in zip(groups, kept, strict=True) if keep]
            numbers = np.unique(of_kept, return_inverse=True)[1]
        return MeasuredRows(generation_measures(said, wanted, target_code(targets.options)), groups=numbers)

    def predictions(
        self, answers: Sequence[Written], targets: Targets, *, top_k: int | None = None, proba: bool = False
    ) -> list[dict[str, Any]]:
        """``{"text", "score"}`` of each row. There is one text a source, so `top_k` and `proba` add nothing."""
        return [{"text": each.text, "score": each.score} for each in answers]

    def show(self, value: Any) -> str:
        """The text itself."""
        return "" if value is None else str(value)

    def tables(self, outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
        """How the scores were computed, and what was cut."""
        from provetune.tasks.seq2seq.tables import report_tables

        return report_tables(outcomes, targets)


def _least_loss(smoothing: float, size: int) -> float:
    """The entropy of a token that keeps 1 − ε and spreads ε over a vocabulary of this size."""
    import math

    if smoothing == 0:
        return 0.0
    share = smoothing / size
    kept = 1 - smoothing + share
    return -kept * math.log(kept) - (size - 1) * share * math.log(share)


def _labelled(outcomes: pa.Table) -> tuple[list[str], list[str], list[bool]]:
    """Predictions and targets of the rows that have a target, and which rows those are."""
    kept: list[bool] = outcomes.column("label").is_valid().to_pylist()
    rows = outcomes.filter(outcomes.column("label").is_valid())
    return rows.column("prediction").to_pylist(), rows.column("label").to_pylist(), kept

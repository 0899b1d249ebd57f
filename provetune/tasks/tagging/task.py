"""Spans in texts: entities, slots, words of a language that writes no spaces.

A file has tokens with tags (CoNLL columns, or lists in JSON) or texts with spans of letters; either way a label is a
list of spans, and an answer is one too, with offsets into the text as given. Inside, the model gives every word a BIO
tag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

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
from provetune.data.span_words import spans_of_cell, tag_names
from provetune.tasks.tagging.scores import METRICS

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array
    from provetune.models.word_pieces import Places
    from provetune.tasks.tagging.answers import TagAnswers

IGNORED = -100
KIND = "spans"


class TaggingOptions(BaseModel):
    """What a problem file may say under ``options``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outside_margin: Annotated[float, Field(allow_inf_nan=False)] | Literal["auto"] = Field(
        "auto",
        description="How much likelier than a span 'outside' must be, in logits, for a word to be left out: more finds "
        "more spans; auto: tuned on the validation rows for the best micro F1, 0 where they show no gain.",
    )


class Tagging:
    """The tagging task; see `provetune.core.protocols.Task`, which it fulfils, and `Infers`, `Guesses`, `Tunable`,
    `Reports`."""

    name = "tagging"
    summary = "Find spans in texts and name them: entities, slots, words."
    roles = (
        Role("text", "The texts, or their tokens as lists."),
        Role("label", "Tags, one a token (BIO, BIOES, BMES, …), or spans with start, end and label."),
    )
    classes = False
    metrics = METRICS
    learns_from: tuple[LearnsFrom, ...] = ("weights", "examples")
    baseline: str | None = "token_features"
    options: type[BaseModel] = TaggingOptions
    defaults: Mapping[str, Mapping[str, Any]] = {"*": {"long_texts": "windows", "label_weights": "none"}}
    auto_class = "AutoModelForTokenClassification"
    pipeline: str | None = "token-classification"
    answer_keys: tuple[str, ...] = ("spans",)
    each_token = True
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {"text": "Order 4711 goes to Anna in Lyon.", "label": [[6, 10, "number"], [19, 23, "name"], [27, 31, "city"]]},
        {"text": "Paul moved from Basel to Bern.", "label": [[0, 4, "name"], [16, 21, "city"], [25, 29, "city"]]},
    )

    # -- columns of a file, and rows ---------------------------------------------------------------------------------

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """Columns with tokens and tags, or with texts and spans."""
        from provetune.tasks.tagging.detection import detect_spans

        return detect_spans(raw, named)

    def read(self, raw: Any, data: Any, columns: Any) -> RowParts:
        """Texts with spans; see `provetune.tasks.tagging.reading.read_rows`.

        Raises:
            DataError: no text column is named, or several are.
        """
        from provetune.tasks.tagging.reading import read_rows

        text, label = _single(columns.text, "text", raw), _single(columns.label, "label", raw)
        if text is None:
            raise DataError("No text column is named.", where=raw.location, hint="Name it with data.columns.text.")
        return read_rows(raw, text, label, data.merge, data.mask)

    def input_columns(self, columns: Any) -> str | list[str]:
        """The column with texts or tokens."""
        named: str | list[str] = columns.text or "text"
        return named

    def read_input(self, cells: Sequence[Any], where: str) -> tuple[str, ...] | None:
        """A text, or tokens joined to one as in training: with a space, with nothing between Chinese letters.

        Raises:
            DataError: it is neither.
        """
        from provetune.tasks.tagging.reading import text_of_cell

        return text_of_cell(cells[0], where)

    def targets(
        self, examples: pa.Table, *, out_of_scope: str | None = None, options: Mapping[str, Any] | None = None
    ) -> Targets:
        """The labels of all spans in order, and how often each occurs.

        Raises:
            DataError: there is no span, or a label is marked as out of scope.
        """
        from collections import Counter

        if out_of_scope is not None:
            raise DataError(
                "Tagging has no out-of-scope label: what is in no span is outside.", hint="Leave out data.out_of_scope."
            )
        column = examples.column("label")
        counts = Counter(name for cell in column.to_pylist() for _, _, name in spans_of_cell(cell))
        if not counts:
            raise DataError("No training row has a span.", hint="Check data.columns.label.")
        names = tuple(sorted(counts))
        settled = self.options(**dict(options or {})).model_dump(mode="json")
        return Targets(KIND, names, tuple(counts[name] for name in names), None, settled)

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Broken tags, spans that overlap or cut words, labels that hardly occur."""
        from provetune.tasks.tagging.faults import find_faults

        return find_faults(splits)

    # -- model -------------------------------------------------------------------------------------------------------

    def head(self, targets: Targets) -> dict[str, Any]:
        """The BIO tags of all labels, both ways round."""
        tags = tag_names(targets.names)
        return {"id2label": dict(enumerate(tags)), "label2id": {tag: k for k, tag in enumerate(tags)}}

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """Windows of pieces with their places and tags; see `provetune.tasks.tagging.encoding.encode_rows`."""
        from provetune.tasks.tagging.encoding import encode_rows

        return encode_rows(examples, tokenizer, settings, targets)

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """A padded batch; ``labels`` are int64 (B, T), -100 where a piece speaks for no word."""
        import torch

        from provetune.models.padding import pad_features

        batch = pad_features(features, pad_id)
        if "labels" in features[0]:
            labels = np.full(tuple(batch["input_ids"].shape), IGNORED, dtype=np.int64)
            for k, feature in enumerate(features):
                labels[k, : len(feature["labels"])] = feature["labels"]
            batch["labels"] = torch.from_numpy(labels)
        return batch

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Cross-entropy, the mean over words, in float32; a word outside of all spans weighs 1.

        Args:
            logits: (B, T, 2 C + 1).
            labels: (B, T).
        """
        import torch
        from torch.nn import functional

        if weights is None:
            weights = logits.new_ones(len(targets.names), dtype=torch.float32)
        weights = torch.cat([weights.new_ones(1), weights.repeat_interleave(2)])
        flat = labels.flatten()
        summed = functional.cross_entropy(
            logits.float().flatten(0, 1), flat, weight=weights, ignore_index=IGNORED, reduction="sum"
        )
        # A batch without a single word has no loss, instead of nought over nought.
        return summed / weights[flat[flat != IGNORED]].sum().clamp(min=1e-6)

    def infer(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets, tokenizer: Any
    ) -> Sequence[Array]:
        """Logits of each feature without its padding, float32 (T, 2 C + 1)."""
        logits = self.traced(model, batch, targets).float().cpu().numpy()
        lengths = batch["attention_mask"].sum(dim=1).tolist()
        return [logits[k, :length].copy() for k, length in enumerate(lengths)]

    def traced(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets) -> torch.Tensor:
        """Logits of every piece, padding among them, (B, T, 2 C + 1)."""
        logits: torch.Tensor = model(**batch).logits
        return logits

    # -- answers -----------------------------------------------------------------------------------------------------

    def answers(
        self, outputs: Outputs, features: FeatureColumns | None, examples: pa.Table, targets: Targets
    ) -> TagAnswers:
        """Spans of every text.

        Args:
            outputs: logits of each feature's pieces (T, 2 C + 1); without features those of each text's words, as
                `provetune.data.words.find_words` finds them.
        """
        from provetune.tasks.tagging.answers import decode
        from provetune.tasks.tagging.margin import margin_of

        words, scores = self.word_scores(outputs, features, examples)
        return decode(examples.column("text").to_pylist(), words, scores, targets, margin=margin_of(targets))

    def tune(self, answers: TagAnswers, examples: pa.Table, targets: Targets) -> Targets:
        """Unless the problem file names it, the margin by which "outside" must be likelier (`outside_margin`)."""
        from provetune.tasks.tagging.margin import MARGIN, best_margin

        if targets.options.get(MARGIN, "auto") != "auto":
            return targets
        return replace(targets, tuned={**targets.tuned, MARGIN: best_margin(answers, examples, targets)})

    def word_scores(
        self, outputs: Outputs, features: FeatureColumns | None, examples: pa.Table
    ) -> tuple[Places, Array]:
        """The words of all texts, S of them, and the logits of their tags (S, 2 C + 1); arguments are those of
        `answers`."""
        from provetune.tasks.tagging.encoding import bring_together, words_of

        if features is not None:
            return bring_together(outputs, features, examples)
        return words_of(examples), np.concatenate(list(outputs))

    def guess(self, examples: pa.Table, targets: Targets) -> TagAnswers:
        """No span in any text."""
        from provetune.tasks.tagging.answers import no_answers

        return no_answers(examples.column("text").to_pylist(), targets)

    def outcomes(self, examples: pa.Table, answers: TagAnswers, targets: Targets) -> pa.Table:
        """Gold and found spans and the tags of tokens; see `provetune.tasks.tagging.outcomes.build_outcomes`."""
        from provetune.tasks.tagging.outcomes import build_outcomes

        return build_outcomes(examples, answers, targets)

    def score(self, outcomes: pa.Table, targets: Targets) -> dict[str, float]:
        """Every averaged metric."""
        from provetune.tasks.tagging.scores import measure, scores_of

        return scores_of(measure(outcomes, targets))

    def judged(self, outcomes: pa.Table, targets: Targets, groups: Sequence[Any] | None = None) -> Any:
        """`MeasuredRows`; per-label metrics are named ``f1:LABEL``."""
        from provetune.tasks.tagging.scores import measure

        return measure(outcomes, targets, groups)

    def predictions(
        self, answers: TagAnswers, targets: Targets, *, top_k: int | None = None, proba: bool = False
    ) -> list[dict[str, Any]]:
        """``{"spans": [{"start", "end", "text", "label", "score"}]}`` of each text.

        With `proba` or `top_k` each span has ``"labels"``: its labels with their probabilities, largest first.
        """
        from provetune.tasks.tagging.answers import told

        limit = len(targets.names) if top_k is None else min(top_k, len(targets.names))
        return told(answers, targets, labels=limit if proba or top_k is not None else None)

    def point_into_given(self, told: Mapping[str, Any], texts: Sequence[Any]) -> dict[str, Any]:
        """The spans where they stand in the text as it was given; of two in one masked find the likelier one."""
        from provetune.tasks.tagging.answers import place_in_given

        return {**told, "spans": place_in_given(told["spans"], texts[0])}

    def show(self, value: Any) -> str:
        """Spans as ``label 3–8``, with their letters where they are known."""
        if not value:
            return ""
        return ", ".join(_in_words(span) for span in value)

    def tables(self, outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
        """Spans by label, what became of them, tokens by label."""
        from provetune.tasks.tagging.outcomes import report_tables

        return report_tables(outcomes, targets)


def _single(value: str | list[str] | None, role: str, raw: Any) -> str | None:
    if isinstance(value, list):
        if len(value) > 1:
            raise DataError(
                f"Tagging takes one {role} column. Got {', '.join(value)}.",
                where=raw.location,
                hint=f"Name one with data.columns.{role}.",
            )
        return value[0] if value else None
    return value


def _in_words(span: Any) -> str:
    said = span.get("text")
    place = f"{span['start']}–{span['end']}"
    return f"{span['label']} {place}" if said is None else f"{span['label']} '{said}' ({place})"

"""Extractive question answering: the stretch of a passage that answers a question, or that there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

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
from provetune.tasks.span_qa.options import SpanQaOptions
from provetune.tasks.span_qa.scores import METRICS

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array
    from provetune.statistics.measured_rows import MeasuredRows
    from provetune.tasks.span_qa.answers import QuestionAnswers

_GUESSED_WORDS = 3


class SpanQa:
    """The span_qa task; see `provetune.core.protocols.Task`, which it fulfils."""

    name = "span_qa"
    summary = "Answer questions with the words of a passage, or say that it has no answer."
    roles = (
        Role("text", "The question."),
        Role("context", "The passage that the answer stands in."),
        Role(
            "label", "Its answers: a list of texts with offsets, as SQuAD has them; or a text, and a column of offsets."
        ),
        Role("group", "What stays in one split, by itself the title or the passage.", required=False),
    )
    classes = False
    metrics = METRICS
    learns_from: tuple[LearnsFrom, ...] = ("weights", "examples")
    baseline: str | None = "word_overlap"
    options: type[BaseModel] = SpanQaOptions
    defaults: Mapping[str, Mapping[str, Any]] = {"*": {"long_texts": "windows"}}
    auto_class = "AutoModelForQuestionAnswering"
    pipeline: str | None = None
    answer_keys: tuple[str, ...] = ("answer", "score", "start", "end")
    each_token = True
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {
            "question": "Who wrote the report?",
            "context": "The report was written by Ada Byron in 1843.",
            "answers": [{"text": "Ada Byron", "answer_start": 26}],
        },
        {
            "question": "When was it written?",
            "context": "The report was written by Ada Byron in 1843.",
            "answers": [{"text": "1843", "answer_start": 39}],
        },
    )

    # -- columns of a file, and rows ---------------------------------------------------------------------------------

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """Columns called like a question, a passage and its answers."""
        from provetune.tasks.span_qa.detection import detect_questions

        return detect_questions(raw, named)

    def read(self, raw: Any, data: Any, columns: Any) -> RowParts:
        """``text`` (the question), ``text_pair`` (the passage), ``label`` (its answers), ``stratum``."""
        from provetune.tasks.span_qa.reading import read_questions

        return read_questions(raw, data, columns)

    def input_columns(self, columns: Any) -> str | list[str]:
        """The columns of the question and the passage."""
        return [str(columns.part("text") or "question"), str(columns.part("context") or "context")]

    def targets(
        self, examples: pa.Table, *, out_of_scope: str | None = None, options: Mapping[str, Any] | None = None
    ) -> Targets:
        """Whether questions may lack an answer, with every option settled.

        Raises:
            DataError: no question has an answer that can be found in its passage.
        """
        from provetune.tasks.span_qa.answers import ANSWERED, MAY_LACK
        from provetune.tasks.span_qa.options import as_json, settle_length, settle_scoring

        settled = as_json(self.options(**dict(options or {})))
        labels = examples.column("label").drop_null().to_pylist()
        texts = [answer["text"] for label in labels for answer in label if answer["nearest"] >= 0]
        if not texts:
            raise DataError(
                "No question has an answer that stands in its passage.", hint="Check data.columns.label and .context."
            )
        if settled["scoring"] == "auto":
            settled["scoring"] = settle_scoring(examples.column("text_pair").slice(0, 200).to_pylist())
        if settled["max_answer_length"] == "auto":
            settled["max_answer_length"] = settle_length(texts)
        lacking = any(not any(answer["text"].strip() for answer in label) for label in labels)
        return Targets(MAY_LACK if lacking else ANSWERED, (), (), None, settled)

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Answers that are not at their offset, stand nowhere or are empty; questions answered in two ways."""
        from provetune.tasks.span_qa.faults import find_answer_faults

        return list(find_answer_faults(splits))

    # -- model -------------------------------------------------------------------------------------------------------

    def head(self, targets: Targets) -> dict[str, Any]:
        """Two outputs a token: whether the answer begins, and whether it ends there."""
        return {"num_labels": 2}

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """Windows of each passage, the question before each; see `provetune.tasks.span_qa.encoding`."""
        from provetune.tasks.span_qa.encoding import encode_questions

        return encode_questions(examples, tokenizer, settings, targets)

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """A padded batch; with ``labels`` int64 (B, 2) also ``answerable``, bool (B, T): where an answer may stand."""
        import torch

        from provetune.models.padding import pad_features

        batch = pad_features(features, pad_id)
        if "labels" in features[0]:
            batch["labels"] = torch.from_numpy(np.stack([feature["labels"] for feature in features]).astype(np.int64))
            answerable = np.zeros(tuple(batch["input_ids"].shape), dtype=bool)
            for k, feature in enumerate(features):
                starts = np.asarray(feature["starts"])
                answerable[k, : len(starts)] = starts >= 0
                answerable[k, int(feature["none"])] = True
            batch["answerable"] = torch.from_numpy(answerable)
        return batch

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits of beginning and end, (B, T, 2); those of tokens that no answer can begin or end at are least."""
        import torch

        found = _logits(model, batch)
        allowed = batch["answerable"].unsqueeze(-1)
        return found.float().masked_fill(~allowed, torch.finfo(torch.float32).min)

    def infer(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets, tokenizer: Any
    ) -> Sequence[Array]:
        """Logits of beginning and end of each feature's tokens, (T, 2) each."""
        found = self.traced(model, batch, targets).float().cpu().numpy()
        lengths = batch["attention_mask"].sum(dim=1).tolist()
        return [row[: int(length)] for row, length in zip(found, lengths, strict=True)]

    def traced(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets) -> torch.Tensor:
        """Logits of beginning and end of every token, padding among them, (B, T, 2)."""
        return _logits(model, batch)

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """The mean of both cross-entropies; 0 where no feature of the batch is learned from."""
        from torch.nn import functional

        from provetune.tasks.span_qa.encoding import IGNORED

        if (labels == IGNORED).all():
            return logits.clamp(-1.0, 1.0).sum() * 0.0
        begin, finish = (
            functional.cross_entropy(logits[..., part], labels[:, part], ignore_index=IGNORED) for part in (0, 1)
        )
        return (begin + finish) / 2

    # -- answers -----------------------------------------------------------------------------------------------------

    def answers(
        self, outputs: Outputs, features: FeatureColumns | None, examples: pa.Table, targets: Targets
    ) -> QuestionAnswers:
        """The best stretches of each passage over all of its windows, and how likely there is no answer."""
        from provetune.tasks.span_qa.answers import answers_of

        return answers_of(outputs, features, examples, targets)

    def guess(self, examples: pa.Table, targets: Targets) -> QuestionAnswers:
        """The first words of the passage, whatever the question."""
        from provetune.tasks.span_qa.answers import answers_of

        candidates = []
        for context in examples.column("text_pair").to_pylist():
            words = context.split()[:_GUESSED_WORDS]
            begin = len(context) - len(context.lstrip())
            end = context.index(words[-1], begin) + len(words[-1]) if len(words) > 1 else begin + _GUESSED_WORDS
            candidates.append(np.array([[begin, min(end, len(context)), 0.0]]))
        return answers_of(candidates, None, examples, targets)

    def fit_temperature(
        self, logits: Outputs, features: FeatureColumns | None, outcomes: pa.Table, targets: Targets
    ) -> float:
        """The temperature that makes the gold answers of the validation rows likeliest."""
        from provetune.tasks.span_qa.temperature import fit_span_temperature

        return 1.0 if features is None else fit_span_temperature(logits, features, outcomes, targets)

    def tune(self, answers: QuestionAnswers, examples: pa.Table, targets: Targets) -> Targets:
        """Where questions may lack an answer, the margin from which "no answer" is given (`threshold`)."""
        from provetune.tasks.span_qa.answers import MAY_LACK, THRESHOLD
        from provetune.tasks.span_qa.scores import answer_values
        from provetune.tasks.span_qa.threshold import best_threshold

        if targets.kind != MAY_LACK or targets.options[THRESHOLD] != "auto":
            return targets
        judged = [
            (
                answer.margin,
                answer_values(answer.given(np.inf).text, label, targets)[0],
                answer_values("", label, targets)[0],
            )
            for answer, label in zip(answers, examples.column("label").to_pylist(), strict=True)
            if label is not None
        ]
        if not judged:
            return targets
        margins, answered, lacking = np.asarray(judged, dtype=np.float64).T
        return replace(targets, tuned={**targets.tuned, THRESHOLD: best_threshold(margins, answered, lacking)})

    def outcomes(self, examples: pa.Table, answers: QuestionAnswers, targets: Targets) -> pa.Table:
        """``row_id``, ``label``, ``prediction`` (the answer's words), ``score``, ``start``, ``end``, ``no_answer``."""
        import pyarrow as pa

        from provetune.tasks.span_qa.answers import threshold_of

        threshold = threshold_of(targets)
        said = [answer.given(threshold) for answer in answers]
        return pa.table(
            {
                "row_id": examples.column("row_id"),
                "label": examples.column("label"),
                "prediction": pa.array([one.text for one in said], pa.string()),
                "score": pa.array([one.score for one in said], pa.float64()),
                "start": pa.array([one.start for one in said], pa.int32()),
                "end": pa.array([one.end for one in said], pa.int32()),
                "no_answer": pa.array([answer.nothing().score for answer in answers], pa.float64()),
            }
        )

    def score(self, outcomes: pa.Table, targets: Targets) -> dict[str, float]:
        """Every metric of these rows."""
        judged = self.judged(outcomes, targets)
        return {name: metric.value() for name, metric in judged.metrics.items()} if len(judged) else {}

    def judged(self, outcomes: pa.Table, targets: Targets, groups: Sequence[Any] | None = None) -> MeasuredRows:
        """A value a row for each metric; rows without a label are left out."""
        from provetune.tasks.span_qa.scores import measure

        return measure(outcomes, targets, groups)

    def tables(self, outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
        """Scores by the length of the gold answer, and who was told that there is none."""
        from provetune.tasks.span_qa.tables import report_tables

        return report_tables(outcomes, targets)

    def predictions(
        self, answers: QuestionAnswers, targets: Targets, *, top_k: int | None = None, proba: bool = False
    ) -> list[dict[str, Any]]:
        """``{"answer", "score", "start", "end"}`` of each question; "" with its probability where there is none.

        With `top_k` or `proba`, ``"answers"`` are the best ones in the same form, "no answer" among them where
        questions may lack one.
        """
        from provetune.tasks.span_qa.answers import MAY_LACK, threshold_of

        threshold = threshold_of(targets)
        found = []
        for answer in answers:
            told = answer.given(threshold).to_json()
            if proba or top_k is not None:
                several = answer.ranked() + ([answer.nothing()] if targets.kind == MAY_LACK else [])
                several.sort(key=lambda one: -one.score)
                told["answers"] = [one.to_json() for one in several[:top_k]]
            found.append(told)
        return found

    def point_into_given(self, told: Mapping[str, Any], texts: Sequence[Any]) -> dict[str, Any]:
        """The answers where they stand in the passage as it was given."""
        from provetune.tasks.span_qa.answers import place_in_given

        found = place_in_given(told, texts[1])
        if "answers" in found:
            found["answers"] = [place_in_given(one, texts[1]) for one in found["answers"]]
        return found

    def show(self, value: Any) -> str:
        """Answers in quotes; "no answer" in words."""
        if value is None:
            return ""
        if isinstance(value, str):
            return f"'{value}'" if value else "no answer"
        texts = dict.fromkeys(answer["text"] for answer in value if answer["text"])
        return " or ".join(f"'{text}'" for text in texts) or "no answer"


def _logits(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    import torch

    output = model(**{name: value for name, value in batch.items() if name not in ("labels", "answerable")})
    return torch.stack([output.start_logits, output.end_logits], dim=-1)

"""What tasks with one vector of outputs a text, or pair of texts, share: classification, regression, pair, relation.

A task of this kind says what it is called, what its columns are and which metrics it has; from here it gets reading,
encoding, batches, loss, answers, outcomes and what a person is told, for three forms of a label (`Targets.kind`):

* ``single_label``: a string; softmax, cross-entropy;
* ``multi_label``: a list of strings; a sigmoid each, binary cross-entropy;
* ``regression``: a number, or a struct of numbers by name; squared error in units of each number's spread.

A fourth form overrides `label_array`, `head`, `loss` and `answers`, and whatever tells of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from provetune.core.errors import DataError
from provetune.core.protocols import (
    Detected,
    EncodeSettings,
    FeatureColumns,
    Finding,
    LearnsFrom,
    Metric,
    Outputs,
    Role,
    RowParts,
    Targets,
)
from provetune.tasks._sequence.answers import class_column, in_words, label_thresholds, told_classes
from provetune.tasks._sequence.targets import MULTI, VALUES, class_targets, value_targets
from provetune.tasks._sequence.values import (
    holds_values,
    label_values,
    outcome_values,
    told_values,
    value_column,
    value_loss,
)

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array

IGNORED = -100
TINY = 1e-30
"""A probability of nought has no logit."""
TEXTS = ("text", "text_pair")


class NoOptions(BaseModel):
    """The task has no settings of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SequenceTask:
    """Base of the tasks whose model gives one vector a text; see `provetune.core.protocols.Task`, which it fulfils.

    Subclasses set `name`, `summary`, `roles`, `classes`, `metrics` and `examples`, and override what differs.
    """

    name: str
    summary: str
    roles: tuple[Role, ...]
    classes: bool = True
    metrics: tuple[Metric, ...]
    learns_from: tuple[LearnsFrom, ...] = ("texts", "features", "weights", "contrasts", "labels")
    baseline: str | None = "tfidf"
    options: type[BaseModel] = NoOptions
    defaults: Mapping[str, Mapping[str, Any]] = {}
    auto_class: str = "AutoModelForSequenceClassification"
    pipeline: str | None = "text-classification"
    answer_keys: tuple[str, ...] = ("label", "score")
    examples: tuple[Mapping[str, Any], Mapping[str, Any]]

    # -- columns of a file, and rows ---------------------------------------------------------------------------------

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """Columns of the text and the label; the fit is good where labels come back often."""
        from provetune.data.labelled_texts import LabelledTexts

        return LabelledTexts(self.roles).detect(raw, named)

    def read(self, raw: Any, data: Any, columns: Any) -> RowParts:
        """``text`` (and ``text_pair``) and ``label``, as strings or lists of strings."""
        from provetune.data.labelled_texts import LabelledTexts

        return LabelledTexts(self.roles).read(raw, data, columns)

    def input_columns(self, columns: Any) -> str | list[str]:
        """The text column or columns."""
        named: str | list[str] = columns.text or "text"
        return named

    def targets(
        self, examples: pa.Table, *, out_of_scope: str | None = None, options: Mapping[str, Any] | None = None
    ) -> Targets:
        """Of class labels their names in order and counts, of numbers their mean and spread (in `Targets.tuned`).

        Raises:
            DataError: there is nothing to learn, or no row has the out-of-scope label.
        """
        settled = self.settle_options(options)
        if holds_values(examples.column("label").type):
            return value_targets(examples, settled)
        return class_targets(examples, out_of_scope, settled)

    def settle_options(self, options: Mapping[str, Any] | None) -> dict[str, Any]:
        """The task's own settings, every default filled in."""
        return self.options(**dict(options or {})).model_dump(mode="json")

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Nothing that only this task would find."""
        return []

    # -- model -------------------------------------------------------------------------------------------------------

    def head(self, targets: Targets) -> dict[str, Any]:
        """Names of the outputs both ways round, and which loss the transformers head would take."""
        kind = targets.kind if targets.kind == VALUES else f"{targets.kind}_classification"
        return {
            "id2label": dict(enumerate(targets.names)),
            "label2id": {name: k for k, name in enumerate(targets.names)},
            "problem_type": kind,
        }

    def prepare_tokenizer(self, tokenizer: Any, targets: Targets) -> Any:
        """The backbone's tokenizer as it is."""
        return tokenizer

    def prepare_model(self, model: torch.nn.Module, tokenizer: Any, targets: Targets) -> torch.nn.Module:
        """Where labels are numbers, the output layer learns in units of their spread (`provetune.models.scaling`)."""
        if targets.kind == VALUES:
            from provetune.models.scaling import scale_outputs

            scale_outputs(model, targets.tuned["scale"], targets.tuned["mean"])
        return model

    def finish_model(self, model: torch.nn.Module, targets: Targets) -> torch.nn.Module:
        """The model as plain transformers has it: the scale of the numbers becomes part of the weights."""
        if targets.kind == VALUES:
            from provetune.models.scaling import fold_scales

            fold_scales(model)
        return model

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """Features as `provetune.models.encoding.encode_texts` makes them, in chunks of about a thousand rows.

        With `targets` a column ``labels``, windows repeating their row's: what `label_array` gives, int32 or lists of
        float32; -100 (NaN for numbers), which the loss leaves out, where a row has no label that they name.
        """
        import pyarrow as pa

        from provetune.models.encoding import encode_texts
        from provetune.models.places import Places

        first, second = (examples.column(name) if name in examples.column_names else None for name in TEXTS)
        batches = list(encode_texts(first, second, tokenizer, settings, places=Places.of(examples)))
        if not batches:
            raise DataError("There are no rows to encode.")
        table = pa.Table.from_batches(batches)
        if targets is None:
            return table
        labels = _arrow_labels(self.label_array(examples, targets))
        return table.append_column("labels", labels.take(table.column("row").combine_chunks()))

    def label_array(self, examples: pa.Table, targets: Targets) -> Array:
        """The labels as a loss or a `FitMethod` takes them.

        Returns:
            Label numbers int64 (N,), -1 for one that the targets do not name; or indicators float32 (N, C) of several
            labels; or numbers float32 (N, C), NaN where there is none.
        """
        from provetune.evaluation.outcomes import indicators, label_numbers

        column = examples.column("label").combine_chunks()
        if targets.kind == VALUES:
            return label_values(column, targets).astype(np.float32)
        if targets.kind == MULTI:
            return indicators(column, targets.names).astype(np.float32)
        return label_numbers(column, targets.names)

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """A padded batch; ``labels`` are int64 (B,), or float32 (B, C) where a row has C numbers or indicators."""
        import torch

        from provetune.models.padding import pad_features

        batch = pad_features(features, pad_id)
        if "labels" in features[0]:
            labels = np.stack([np.asarray(feature["labels"]) for feature in features])
            kind = np.float32 if labels.ndim == 2 else np.int64
            batch["labels"] = torch.from_numpy(labels.astype(kind))
        return batch

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Cross-entropy; binary cross-entropy whose positive side is weighted; or mean squared error over the
        squared spread of each number. In float32."""
        from torch.nn import functional

        logits = logits.float()
        if targets.kind == VALUES:
            return value_loss(logits, labels, targets)
        if targets.kind == MULTI:
            return functional.binary_cross_entropy_with_logits(logits, labels.float(), pos_weight=weights)
        return functional.cross_entropy(logits, labels, weight=weights, ignore_index=IGNORED)

    # -- answers -----------------------------------------------------------------------------------------------------

    def answers(self, outputs: Outputs, features: FeatureColumns | None, examples: pa.Table, targets: Targets) -> Array:
        """Probabilities, or the numbers themselves, averaged over the windows of a row; float64 (N, C)."""
        from provetune.evaluation.calibration import sigmoid, softmax

        each = np.asarray(outputs)
        if targets.kind == VALUES:
            each = each.astype(np.float64)
        else:
            each = sigmoid(each) if targets.kind == MULTI else softmax(each)
        return average_windows(each, None if features is None else features.rows, len(examples))

    def outputs_of(self, answers: Array, targets: Targets) -> Outputs:
        """Logits whose softmax, or sigmoid, are these probabilities; numbers as they are. See `WritesOutputs`."""
        values = np.asarray(answers, dtype=np.float64)
        if targets.kind == VALUES:
            return values
        likely = np.log(np.maximum(values, TINY))
        return likely - np.log(np.maximum(1.0 - values, TINY)) if targets.kind == MULTI else likely

    def guess(self, examples: pa.Table, targets: Targets) -> Array:
        """What a model says that has learned nothing from the texts: the labels' shares, or the mean of the numbers."""
        if targets.kind == VALUES:
            row = np.asarray(targets.tuned["mean"], dtype=np.float64)
        else:
            counts = np.asarray(targets.counts, dtype=np.float64)
            row = counts / max(1.0, counts.sum())
        return np.tile(row, (len(examples), 1))

    def outcomes(self, examples: pa.Table, answers: Array, targets: Targets) -> pa.Table:
        """``row_id``, ``label``, ``prediction`` of each row and, where labels are classes, ``probabilities``."""
        import pyarrow as pa

        from provetune.evaluation.outcomes import build_outcomes

        ids, labels = examples.column("row_id"), examples.column("label")
        if targets.kind == VALUES:
            said = value_column(answers, targets, labels.type)
            return pa.table({"row_id": ids, "label": labels, "prediction": said})
        return build_outcomes(ids, labels, class_column(self.given(answers, targets), targets), answers)

    def given(self, answers: Array, targets: Targets) -> Array:
        """Which labels are given: the most probable one, or all that reach their threshold; bool (N, C)."""
        values = np.asarray(answers)
        if targets.kind == MULTI:
            return np.asarray(values >= label_thresholds(targets))
        chosen = np.zeros(values.shape, dtype=bool)
        chosen[np.arange(len(values)), values.argmax(axis=1)] = True
        return chosen

    def score(self, outcomes: pa.Table, targets: Targets) -> dict[str, float]:
        """Every metric of the task, but for those of one label, that these rows can have."""
        from provetune.evaluation.metrics import classification_scores, further_scores
        from provetune.statistics.class_metrics import CLASS_METRICS

        if targets.kind == VALUES:
            from provetune.evaluation.value_metrics import value_scores

            return value_scores(*outcome_values(outcomes, targets), targets.names)
        rows = self.judged(outcomes, targets)
        further = [one.name for one in self.metrics if one.name in CLASS_METRICS and not one.per_label]
        scores = {**classification_scores(rows), **further_scores(rows, further)}
        order = [one.name for one in self.metrics if one.name in scores]
        return {name: scores[name] for name in dict.fromkeys([*order, *scores])}

    def judged(self, outcomes: pa.Table, targets: Targets, groups: Sequence[Any] | None = None) -> Any:
        """`JudgedRows` of classes, `MeasuredRows` of numbers; rows without a label are left out."""
        if targets.kind == VALUES:
            from provetune.evaluation.value_metrics import measured_values

            gold, said = outcome_values(outcomes, targets)
            kept = outcomes.column("label").is_valid().to_numpy(zero_copy_only=False)
            kept_groups = None if groups is None else [group for group, keep in zip(groups, kept, strict=True) if keep]
            return measured_values(gold, said, targets.names, kept_groups)
        from provetune.evaluation.outcomes import judged_rows

        return judged_rows(outcomes, targets, groups)

    def predictions(
        self, answers: Array, targets: Targets, *, top_k: int | None = None, proba: bool = False
    ) -> list[dict[str, Any]]:
        """``{"label", "score"}`` of each row, or ``{"value"}`` where labels are numbers.

        With `proba` or `top_k`, ``"labels"`` maps names to probabilities, largest first. For several labels
        a row, ``"label"`` is the list of those given and ``"score"`` the probability of the least certain one
        (of "none of them" for an empty list: one minus the largest). Several numbers are a mapping by name.
        """
        if targets.kind == VALUES:
            return told_values(answers, targets)
        return told_classes(answers, self.given(answers, targets), targets, top_k=top_k, proba=proba)

    def show(self, value: Any) -> str:
        """A label as it stands, several with commas between, numbers to four digits."""
        return in_words(value)

    def fit_temperature(
        self, logits: Array, features: FeatureColumns | None, outcomes: pa.Table, targets: Targets
    ) -> float:
        """The temperature that makes validation log-loss least (Guo et al. 2017, arXiv:1706.04599); 1 for numbers.

        Args:
            logits: of features (F, C).
            features: None where there is one a row.
            outcomes: of the N validation rows.
        """
        from provetune.evaluation.calibration import fit_temperature

        if targets.kind == VALUES:
            return 1.0
        labels = self.label_array(outcomes, targets)
        return fit_temperature(logits, labels, lambda scaled: self.answers(scaled, features, outcomes, targets))


def average_windows(each: Array, rows: Array | None, count: int) -> Array:
    """Values of features (F, C) → of rows (N, C), float64: the mean over a row's windows.

    Args:
        rows: number of the row each feature belongs to, (F,); None for one a row, in order.

    Raises:
        ValueError: a row has no feature.
    """
    numbers = np.arange(len(each)) if rows is None else np.asarray(rows, dtype=np.int64)
    sizes = np.bincount(numbers, minlength=count)
    if len(sizes) != count or (sizes == 0).any():
        raise ValueError(f"Every one of {count} rows must have a feature.")
    if len(each) == count and np.array_equal(numbers, np.arange(count)):
        return each
    sums = np.zeros((count, each.shape[1]))
    np.add.at(sums, numbers, each)
    return np.asarray(sums / sizes[:, None])


def _arrow_labels(labels: Array) -> pa.Array:
    import pyarrow as pa

    if labels.ndim == 1:
        return pa.array(np.where(labels < 0, IGNORED, labels).astype(np.int32))
    offsets = np.arange(len(labels) + 1, dtype=np.int32) * labels.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(labels.astype(np.float32).ravel()))

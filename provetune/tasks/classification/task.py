"""Texts, or pairs of texts, into one of several labels, or into any number of them.

The label column decides: strings make it single-label (softmax, cross-entropy), lists of strings multi-label
(a sigmoid each, binary cross-entropy, given at one half and above).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError
from provetune.core.protocols import EncodeSettings, Finding, Role, Targets
from provetune.tasks.classification.scores import METRICS

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array

SINGLE, MULTI = "single_label", "multi_label"
THRESHOLD = 0.5
IGNORED = -100


class Classification:
    """The classification task; see `provetune.core.protocols.Task`, which it fulfils, and `Calibratable`."""

    name = "classification"
    summary = "Sort texts, or pairs of texts, into labels: one each, or any number."
    roles = (
        Role("text", "The text to sort. Two columns are read as a pair.", many=True),
        Role("label", "Its label. Several 0/1 columns, or one with a separator, mean several labels a row.", many=True),
    )
    metrics = METRICS
    auto_class = "AutoModelForSequenceClassification"
    pipeline: str | None = "text-classification"
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {"text": "My card was charged twice for the same order.", "label": "billing"},
        {"text": "The parcel says delivered, but nothing arrived.", "label": "delivery"},
    )

    def targets(self, examples: pa.Table, *, out_of_scope: str | None = None) -> Targets:
        """Label names in order, and how often each occurs. Rows without a label do not count.

        Raises:
            DataError: no labelled rows, one label only, or no row with the out-of-scope label.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        column = examples.column("label")
        several = pa.types.is_list(column.type)
        flat = pc.list_flatten(column) if several else column
        counted = {entry["values"]: entry["counts"] for entry in pc.value_counts(flat.drop_null()).to_pylist()}
        if not counted:
            raise DataError("There are no labelled rows to learn from.", hint="Check data.columns.label.")
        if len(counted) == 1 and not several:
            raise DataError(
                f"All rows have one label, '{next(iter(counted))}': there is nothing to learn.",
                hint="Add rows with other labels, or name the right column in data.columns.label.",
            )
        if out_of_scope is not None and out_of_scope not in counted:
            from provetune.core.suggest import advice

            raise DataError(
                f"No training row has the out-of-scope label '{out_of_scope}'.", hint=advice(out_of_scope, counted)
            )
        names = tuple(sorted(counted))
        return Targets(MULTI if several else SINGLE, names, tuple(counted[name] for name in names), out_of_scope)

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Labels that look like identifiers or numbers, and several labels a row that never are several."""
        import pyarrow as pa

        from provetune.tasks.classification.faults import find_several_faults, find_single_faults

        examples = splits.get("train")
        if examples is None or len(examples) == 0:
            return []
        if pa.types.is_list(examples.column("label").type):
            return find_several_faults(examples)
        return find_single_faults(examples)

    def head(self, targets: Targets) -> dict[str, Any]:
        """Label names both ways round, and which loss the transformers head would take."""
        return {
            "id2label": dict(enumerate(targets.names)),
            "label2id": {name: k for k, name in enumerate(targets.names)},
            "problem_type": f"{targets.kind}_classification",
        }

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """Features as `provetune.models.encoding.encode_texts` makes them, in chunks of about a thousand rows.

        With `targets` a column ``labels``: the label's number (int32; -100, which the loss leaves out, for a
        label that they do not name), or for several labels a row 0 and 1 for each of them (list of float32).
        """
        import pyarrow as pa

        from provetune.models.encoding import encode_texts

        pairs = _column(examples, "text_pair")
        batches = list(encode_texts(_column(examples, "text"), pairs, tokenizer, settings, places=_places(examples)))
        if not batches:
            raise DataError("There are no rows to encode.")
        table = pa.Table.from_batches(batches)
        if targets is None:
            return table
        labels = _encoded_labels(examples, targets)
        return table.append_column("labels", labels.take(table.column("row").combine_chunks()))

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """A padded batch; ``labels`` are int64 (B,), or float32 (B, C) for several labels a row."""
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
        """Cross-entropy, or binary cross-entropy whose positive side is weighted; in float32."""
        from torch.nn import functional

        logits = logits.float()
        if targets.kind == MULTI:
            return functional.binary_cross_entropy_with_logits(logits, labels.float(), pos_weight=weights)
        return functional.cross_entropy(logits, labels, weight=weights, ignore_index=IGNORED)

    def probabilities(self, logits: Array, rows: Array, count: int, targets: Targets) -> Array:
        """Softmax or sigmoid of each feature, averaged over the windows of a row; float64 (N, C)."""
        from provetune.evaluation.calibration import sigmoid, softmax

        each = sigmoid(logits) if targets.kind == MULTI else softmax(logits)
        numbers = np.asarray(rows, dtype=np.int64)
        sizes = np.bincount(numbers, minlength=count)
        if len(sizes) != count or (sizes == 0).any():
            raise ValueError(f"Every one of {count} rows must have a feature.")
        if len(each) == count and np.array_equal(numbers, np.arange(count)):
            return each
        sums = np.zeros((count, each.shape[1]))
        np.add.at(sums, numbers, each)
        return np.asarray(sums / sizes[:, None])

    def outcomes(self, examples: pa.Table, probabilities: Array, targets: Targets) -> pa.Table:
        """``row_id``, ``label``, ``prediction``, ``probabilities`` of each row."""
        import pyarrow as pa

        from provetune.evaluation.outcomes import build_outcomes

        if targets.kind == MULTI:
            predictions = pa.array(_lists_given(probabilities, targets), type=pa.list_(pa.string()))
        else:
            numbers = np.asarray(probabilities).argmax(axis=1)
            predictions = pa.array(targets.names, type=pa.string()).take(pa.array(numbers))
        return build_outcomes(examples.column("row_id"), examples.column("label"), predictions, probabilities)

    def score(self, outcomes: pa.Table, targets: Targets) -> dict[str, float]:
        """Every averaged metric; those of single labels come from `provetune.evaluation.metrics.label_reports`."""
        from provetune.evaluation.metrics import classification_scores
        from provetune.evaluation.outcomes import judged_rows

        return classification_scores(judged_rows(outcomes, targets))

    def predictions(
        self, probabilities: Array, targets: Targets, *, top_k: int | None = None, proba: bool = False
    ) -> list[dict[str, Any]]:
        """``{"label", "score"}`` of each row.

        With `proba` or `top_k`, ``"labels"`` maps names to probabilities, largest first. For several labels
        a row, ``"label"`` is the list of those given and ``"score"`` the probability of the least certain one
        (of "none of them" for an empty list: one minus the largest).
        """
        values = np.asarray(probabilities, dtype=np.float64)
        limit = len(targets.names) if top_k is None else min(top_k, len(targets.names))
        wanted = proba or top_k is not None
        several = targets.kind == MULTI
        order = np.argsort(-values, axis=1, kind="stable")[:, :limit] if wanted else values.argmax(axis=1)[:, None]
        found: list[dict[str, Any]] = []
        for row, ranked in zip(values, order, strict=True):
            entry = _given(row, targets) if several else _best(row, int(ranked[0]), targets)
            if wanted:
                entry["labels"] = {targets.names[k]: float(row[k]) for k in ranked}
            found.append(entry)
        return found

    def fit_temperature(self, logits: Array, outcomes: pa.Table, targets: Targets, rows: Array | None = None) -> float:
        """The temperature that makes validation log-loss least (Guo et al. 2017, arXiv:1706.04599).

        Args:
            logits: of features (F, C).
            outcomes: of the N validation rows.
            rows: the row each feature belongs to (F,), needed only where windows make F differ from N.
        """
        from provetune.evaluation.calibration import fit_temperature
        from provetune.evaluation.outcomes import indicators, label_numbers

        numbers = np.arange(len(logits)) if rows is None else np.asarray(rows)
        column = outcomes.column("label").combine_chunks()
        labels = (indicators if targets.kind == MULTI else label_numbers)(column, targets.names)
        count = len(outcomes)
        return fit_temperature(logits, labels, lambda scaled: self.probabilities(scaled, numbers, count, targets))


def _best(row: Array, number: int, targets: Targets) -> dict[str, Any]:
    return {"label": targets.names[number], "score": float(row[number])}


def _given(row: Array, targets: Targets) -> dict[str, Any]:
    chosen = np.flatnonzero(row >= THRESHOLD)
    score = row[chosen].min() if len(chosen) else 1 - row.max()
    return {"label": [targets.names[k] for k in chosen], "score": float(score)}


def _lists_given(probabilities: Array, targets: Targets) -> list[list[str]]:
    given = np.asarray(probabilities) >= THRESHOLD
    return [[targets.names[k] for k in np.flatnonzero(row)] for row in given]


def _column(examples: pa.Table, name: str) -> Any:
    return examples.column(name) if name in examples.column_names else None


def _places(examples: pa.Table) -> _Places | None:
    return _Places(examples) if {"_file", "_row"} <= set(examples.column_names) else None


class _Places(Sequence[str]):
    """Where each example came from, put into words only when asked for."""

    def __init__(self, examples: pa.Table) -> None:
        self._files, self._rows = examples.column("_file"), examples.column("_row")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return f"{self._files[index]}, row {self._rows[index]}"


def _encoded_labels(examples: pa.Table, targets: Targets) -> pa.Array:
    import pyarrow as pa

    from provetune.evaluation.outcomes import indicators, label_numbers

    column = examples.column("label").combine_chunks()
    if targets.kind == MULTI:
        given = indicators(column, targets.names).astype(np.float32)
        offsets = np.arange(len(given) + 1, dtype=np.int32) * given.shape[1]
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(given.ravel()))
    numbers = label_numbers(column, targets.names)
    return pa.array(np.where(numbers < 0, IGNORED, numbers).astype(np.int32))

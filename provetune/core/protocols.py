"""The seams of the house: what a task, a method, an objective and an augmenter must be able to do.

Rooms below speak to plug-ins only through these. Tensor types appear under ``TYPE_CHECKING`` alone, so
importing this module loads neither torch nor pyarrow.

Shapes: N rows (examples), F features (a long text cut into windows gives several features a row), B features
in a batch, T tokens, C labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    import torch
    from pydantic import BaseModel

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

LearnsFrom: TypeAlias = Literal["texts", "features", "weights"]
LongTexts: TypeAlias = Literal["head", "head_tail", "windows"]


@dataclass(frozen=True)
class Role:
    """A part that a column of the data can play for a task.

    Attributes:
        name: key under ``data.columns``, e.g. ``"text"``.
        description: what the column holds; shown in help, in errors and on the reference page.
        required: whether rows without it cannot be used for training.
        many: whether several columns may be named, to be joined.
    """

    name: str
    description: str
    required: bool = True
    many: bool = False


@dataclass(frozen=True)
class Metric:
    """A score of a task.

    Attributes:
        name: as used in claims and acceptance, e.g. ``"macro_f1"``.
        description: one sentence; shown in reports and on the reference page.
        higher_is_better: the direction that selection and ordering use.
        kind: how its uncertainty is found (see `provetune.statistics`): a function of summed row statistics,
            of ranks, by resampling rows, or of the machine (latency, size).
        per_label: whether ``[metric:label]`` has a meaning.
    """

    name: str
    description: str
    higher_is_better: bool = True
    kind: Literal["sums", "ranks", "bootstrap", "system"] = "sums"
    per_label: bool = False


@dataclass(frozen=True)
class Targets:
    """What there is to predict, learned from the training rows and kept in the bundle.

    Attributes:
        kind: the task's own word for the form, e.g. ``"single_label"`` or ``"multi_label"``.
        names: label names, in the order of the model's outputs (C of them).
        counts: training rows of each label, in the same order.
        out_of_scope: the label that means "none of these", if one was marked.
    """

    kind: str
    names: tuple[str, ...]
    counts: tuple[int, ...] = ()
    out_of_scope: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Targets:
        return cls(
            kind=document["kind"],
            names=tuple(document["names"]),
            counts=tuple(document.get("counts", ())),
            out_of_scope=document.get("out_of_scope"),
        )


@dataclass(frozen=True)
class Finding:
    """Something that `check` found in the data.

    Attributes:
        kind: short stable name, e.g. ``"duplicate_rows"``.
        severity: ``"blocking"`` (no study can run), ``"warning"`` or ``"note"``.
        count: rows concerned.
        message: what is wrong and what to do, one or two sentences.
        rows: places of the first few, e.g. ``{"file": "messages.csv", "row": 17}``.
    """

    kind: str
    severity: Literal["blocking", "warning", "note"]
    count: int
    message: str
    rows: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "rows": [dict(row) for row in self.rows]}


@dataclass(frozen=True)
class EncodeSettings:
    """How texts become tokens.

    Attributes:
        max_length: most tokens a feature may have, special tokens included.
        long_texts: what happens to longer ones: keep the head, the head and the tail, or cut into windows.
        stride: tokens that neighbouring windows share (``windows`` only).
    """

    max_length: int
    long_texts: LongTexts = "head"
    stride: int = 32


class FeatureColumns(Protocol):
    """Features of one split in columns, memory-mapped: ``row[i]`` gives the example a feature belongs to."""

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> Array:
        """Tokens of each feature, (F,)."""

    @property
    def rows(self) -> Array:
        """Number of the example each feature was cut from, (F,), ascending."""

    def take(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """The features at `indices`, each as a mapping of names to arrays or numbers."""


class Task(Protocol):
    """A kind of problem. All that trainer, evaluator, server and exporter see of it.

    Examples arrive as an Arrow table with ``row_id: string``, one column a role (``text``, ``label``, …) and,
    where the problem file names several text columns as a pair, ``text_pair``.
    """

    name: str
    summary: str
    roles: tuple[Role, ...]
    metrics: tuple[Metric, ...]
    auto_class: str
    pipeline: str | None
    examples: tuple[Mapping[str, Any], Mapping[str, Any]]

    def targets(self, examples: pa.Table, *, out_of_scope: str | None = None) -> Targets:
        """What there is to predict in the training examples.

        Raises:
            DataError: nothing can be learned from them (no rows, one label only).
        """

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Faults that only this kind of problem has, in splits by name."""

    def head(self, targets: Targets) -> dict[str, Any]:
        """Fields of the transformers config that the head needs, e.g. ``id2label``."""

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """Features of the examples: ``row`` (int32), ``input_ids`` (list of int32), ``cut`` (int32, tokens
        lost or moved to another window) and, unless `targets` is None, the task's labels."""

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """One batch: ``input_ids`` and ``attention_mask`` (B, T), labels where the features have them."""

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Mean training loss of a batch, a scalar; `weights` are label weights (C,)."""

    def probabilities(self, logits: Array, rows: Array, count: int, targets: Targets) -> Array:
        """Logits of features (F, C) → probabilities of examples (N, C); windows of a row are averaged."""

    def outcomes(self, examples: pa.Table, probabilities: Array, targets: Targets) -> pa.Table:
        """What is kept of every judged row: ``row_id``, ``label``, ``prediction``, ``probabilities``."""

    def score(self, outcomes: pa.Table, targets: Targets) -> dict[str, float]:
        """Every metric of the task over these outcomes."""

    def predictions(
        self, probabilities: Array, targets: Targets, *, top_k: int | None = None, proba: bool = False
    ) -> list[dict[str, Any]]:
        """Probabilities (N, C) → what a person is told: ``{"label", "score"}``, with ``"labels"`` on demand."""


@runtime_checkable
class Calibratable(Protocol):
    """A task whose probabilities can be sharpened or softened by one temperature."""

    def fit_temperature(self, logits: Array, outcomes: pa.Table, targets: Targets) -> float:
        """The temperature that makes validation log-loss least (Guo et al. 2017, arXiv:1706.04599)."""


class Method(Protocol):
    """What is trainable: a way to adapt a backbone, or to learn without one.

    Attributes:
        learns_from: ``"weights"`` goes through the training loop, ``"features"`` fits a head on cached
            features of a frozen backbone, ``"texts"`` needs no backbone.
        bundle_kind: how its bundles load: ``"transformers"`` by any transformers pipeline, others by `pt.load`.
        settings: the fields it adds to a candidate, documented where they are defined.
        defaults: common candidate fields (epochs, learning_rate, …) as this method wants them.
    """

    name: str
    summary: str
    learns_from: LearnsFrom
    bundle_kind: str
    settings: type[BaseModel]
    defaults: Mapping[str, Any]


@runtime_checkable
class WeightMethod(Method, Protocol):
    """A method trained by gradient descent on a transformers model."""

    def prepare(self, model: torch.nn.Module, settings: Any, task: Task) -> torch.nn.Module:
        """Mark what trains (``requires_grad``) and add what is needed; returns the model to train."""

    def merge(self, model: torch.nn.Module) -> torch.nn.Module:
        """The plain transformers model with what was learned folded in."""

    def save_adapter(self, model: torch.nn.Module, folder: Path) -> None:
        """Keep what was learned beside the merged weights, where the method has such a thing."""


class FittedModel(Protocol):
    """What a method that fits in one go returns: it predicts, and saves itself without pickle."""

    def logits(self, inputs: Any) -> Array:
        """Scores before normalisation (N, C), of texts or of features (N, D)."""

    def scaled(self, temperature: float) -> FittedModel:
        """The model with its logits divided by `temperature`."""

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON into `folder`."""


@runtime_checkable
class FitMethod(Method, Protocol):
    """A method that fits texts or frozen features in one go (convex: no epochs, no batches)."""

    def fit(
        self,
        inputs: Any,
        labels: Array,
        targets: Targets,
        settings: Any,
        *,
        seed: int,
        validation: tuple[Any, Array] | None = None,
        label_weights: Array | None = None,
    ) -> FittedModel:
        """Fit on `inputs`: a list of texts (pairs joined) or features (N, D).

        Args:
            labels: label numbers (N,), or indicators (N, C) for several labels a row.
            validation: inputs and labels for choosing what the settings leave at ``auto``.
            label_weights: weight of each label (C,), or None.
        """

    def load(self, folder: Path) -> FittedModel:
        """The model that `FittedModel.save` wrote."""


class Objective(Protocol):
    """What is minimised. Composable: each receives the forward function and adds to the loss."""

    name: str
    summary: str
    settings: type[BaseModel]

    def loss(
        self,
        forward: Callable[[Mapping[str, torch.Tensor]], torch.Tensor],
        batch: Mapping[str, torch.Tensor],
        task_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """Scalar loss of one batch. `forward` maps a batch to logits; `task_loss` maps logits and labels."""


class Augmenter(Protocol):
    """A step that makes training rows out of training rows."""

    name: str
    summary: str
    settings: type[BaseModel]

    def augment(self, examples: pa.Table, settings: Any, *, seed: int) -> pa.Table:
        """The examples with new rows after them; new row ids name the row they were made from."""


@dataclass(frozen=True)
class TrialRecord:
    """Where one finished run of a candidate lies, relative to the study's folder.

    Attributes:
        candidate: its name in the problem file.
        k: number of the seed, from 0.
        seed: the derived seed itself.
        folder: holds ``events.jsonl``, ``validation.parquet``, ``bundle/`` and, once opened, ``test.parquet``.
        scores: validation scores.
        seconds: wall-clock time of training.
    """

    candidate: str
    k: int
    seed: int
    folder: str
    scores: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

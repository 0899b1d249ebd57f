"""The seams of the house: what a task, a method, an objective and an augmenter must be able to do.

Rooms below speak to plug-ins only through these. Tensor types appear under ``TYPE_CHECKING`` alone, so
importing this module loads neither torch nor pyarrow.

Shapes: N rows (examples), F features (a long text cut into windows gives several features a row), B features
in a batch, T tokens, C labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from provetune.core.abilities import (
    Answers,
    Calibratable,
    CountsTokens,
    CutsTargets,
    FeatureColumns,
    FinishesModel,
    Forwards,
    Furnishes,
    GivesLabelArrays,
    Guesses,
    Infers,
    JudgesTogether,
    NeedsReference,
    PointsIntoText,
    PreparesModel,
    PreparesTokenizer,
    ReadsInputs,
    ReadsItems,
    Reports,
    Searches,
    Streams,
    Tunable,
    WritesTexts,
)
from provetune.core.minimised import LossRun, Minimised, PricesAnswers, Stage
from provetune.core.task_records import (
    BadRow,
    Detected,
    EncodeSettings,
    Finding,
    LongTexts,
    Metric,
    ReportTable,
    Role,
    RowParts,
    Targets,
    TrialRecord,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    import torch
    from pydantic import BaseModel

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "BY_STEPS",
    "WITHOUT_BACKBONE",
    "AddsToLoss",
    "Answers",
    "AttachesAdapter",
    "Augmenter",
    "BadRow",
    "Calibratable",
    "CountsTokens",
    "CutsTargets",
    "Detected",
    "EncodeSettings",
    "ExampleMethod",
    "ExampleModel",
    "FeatureColumns",
    "Finding",
    "FinishesModel",
    "FitMethod",
    "FollowsSteps",
    "FittedModel",
    "Forwards",
    "Furnishes",
    "GivesLabelArrays",
    "Guesses",
    "Infers",
    "JudgesTogether",
    "LearnsFrom",
    "LongTexts",
    "Method",
    "Metric",
    "NeedsReference",
    "Objective",
    "Outputs",
    "PointsIntoText",
    "PreparesModel",
    "PreparesTokenizer",
    "ReadsInputs",
    "ReadsItems",
    "Remembers",
    "ReportTable",
    "Reports",
    "Role",
    "RowParts",
    "Searches",
    "StaysApart",
    "Streams",
    "Targets",
    "Task",
    "TrialRecord",
    "Tunable",
    "WeightMethod",
    "WritesTexts",
]

LearnsFrom: TypeAlias = Literal["texts", "features", "weights", "examples", "contrasts", "labels", "members"]
WITHOUT_BACKBONE: tuple[LearnsFrom, ...] = ("texts", "examples", "members")
BY_STEPS: tuple[LearnsFrom, ...] = ("weights", "contrasts")
"""Ways of learning that go through the training loop."""
Outputs: TypeAlias = Any
"""What a model computes from F features: an array (F, …), or a list of F arrays where their shapes differ."""


class Task(Protocol):
    """A kind of problem. All that trainer, evaluator, server and exporter see of it.

    Examples arrive as an Arrow table with ``row_id: string``, ``text``, ``label`` (null where there is none) and what
    else `read` made; where a row has two texts, ``text_pair``. Unlabelled texts to predict have the texts alone.

    Attributes:
        roles: parts that columns of the data can play.
        classes: whether labels are classes (a string, or a list of strings, a row): these are counted, compared by name
            and drawn in equal shares.
        metrics: the first is the primary one.
        learns_from: the kinds of methods that suit.
        baseline: the method that every study of it adds, None for none.
        options: settings of its own, written under ``options`` in a problem file.
        defaults: candidate fields as it wants them where they are left at ``auto``, by method, ``"*"`` for every one.
        auto_class: transformers' class of its models.
        pipeline: transformers' pipeline that loads its bundles, if there is one.
        answer_keys: keys of every prediction; the first is what a table shows.
        examples: two rows as a file would have them, by column.
    """

    name: str
    summary: str
    roles: tuple[Role, ...]
    classes: bool
    metrics: tuple[Metric, ...]
    learns_from: tuple[LearnsFrom, ...]
    baseline: str | None
    options: type[BaseModel]
    defaults: Mapping[str, Mapping[str, Any]]
    auto_class: str
    pipeline: str | None
    answer_keys: tuple[str, ...]
    examples: tuple[Mapping[str, Any], Mapping[str, Any]]

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """Which columns of a file play which part, and how well the task suits it.

        Args:
            raw: a `provetune.data.table.RawTable`.
            named: roles that are settled already, and columns that have another part.
        """

    def read(self, raw: Any, data: Any, columns: Any) -> RowParts:
        """Raw rows into the columns that the task works with. What is wrong with single rows is told, not raised.

        Args:
            raw: a `provetune.data.table.RawTable`, N rows.
            data: the problem file's section (`provetune.problem.syntax.Data`).
            columns: the column of each role (`provetune.problem.syntax.Columns`).

        Raises:
            DataError: the columns as a whole cannot be used.
        """

    def input_columns(self, columns: Any) -> str | list[str]:
        """The columns that make ``text`` (and ``text_pair``) of what is to be predicted."""

    def targets(
        self, examples: pa.Table, *, out_of_scope: str | None = None, options: Mapping[str, Any] | None = None
    ) -> Targets:
        """What there is to predict in the training examples.

        Args:
            options: settings of its own as the problem file has them; defaults for the rest.

        Raises:
            DataError: nothing can be learned from them (no rows, one label only).
        """

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Faults that only this kind of problem has, in splits by name."""

    def head(self, targets: Targets) -> dict[str, Any]:
        """Fields of the transformers config that the head needs, e.g. ``id2label``."""

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """Features of the examples: ``row`` (int32), ``input_ids`` (list of int32), ``cut`` (int32, tokens
        lost or moved to another window) and, unless `targets` is None, the task's labels; what else `answers` needs."""

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """One batch: ``input_ids`` and ``attention_mask`` (B, T), labels where the features have them."""

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Mean training loss of a batch, a scalar; `weights` are label weights (C,)."""

    def answers(
        self, outputs: Outputs, features: FeatureColumns | None, examples: pa.Table, targets: Targets
    ) -> Answers:
        """What the outputs of F features say about N examples; windows of a row are brought together.

        Args:
            features: None where there is one output a row, in order.
            examples: those that the features were made of.
        """

    def outcomes(self, examples: pa.Table, answers: Answers, targets: Targets) -> pa.Table:
        """What is kept of every judged row: ``row_id``, ``label``, ``prediction`` and what scoring needs."""

    def score(self, outcomes: pa.Table, targets: Targets) -> dict[str, float]:
        """Every metric of the task over these outcomes."""

    def judged(self, outcomes: pa.Table, targets: Targets, groups: Sequence[Any] | None = None) -> Any:
        """The outcomes as the verdict takes them; rows without a label are left out.

        Args:
            groups: a value a row; rows of one value are not independent of each other.

        Returns:
            `provetune.statistics.rows.JudgedRows` where labels are classes, else
            `provetune.statistics.measured_rows.MeasuredRows`.
        """

    def predictions(
        self, answers: Answers, targets: Targets, *, top_k: int | None = None, proba: bool = False
    ) -> list[dict[str, Any]]:
        """Answers to N rows → what a person is told: `answer_keys` of each, and more on demand."""

    def show(self, value: Any) -> str:
        """A label or a prediction, as outcomes hold it, in words."""


class Method(Protocol):
    """What is trainable: a way to adapt a backbone, or to learn without one.

    Attributes:
        learns_from: ``"weights"`` goes through the training loop, ``"features"`` fits a head on cached
            features of a frozen backbone, ``"texts"`` needs no backbone, ``"examples"`` takes a task's rows whole;
            ``"contrasts"`` and ``"labels"`` are for little data, see `provetune.core.little_data`; ``"members"`` makes
            one model of several, see `provetune.core.combining`.
        tasks: the tasks that it serves; None for every one whose `Task.learns_from` names its kind.
        bundle_kind: how its bundles load: ``"transformers"`` by any transformers pipeline, others by `pt.load`.
        settings: the fields it adds to a candidate, documented where they are defined.
        defaults: common candidate fields (epochs, learning_rate, …) as this method wants them.
    """

    name: str
    summary: str
    learns_from: LearnsFrom
    tasks: tuple[str, ...] | None
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


@runtime_checkable
class FollowsSteps(Protocol):
    """A method that does something after every step, e.g. moves a budget: it trains with the plain optimisers."""

    def after_step(self, model: torch.nn.Module, number: int, steps: int) -> None:
        """Called once the weights have moved by step `number` of `steps` (from 0), gradients still in place."""


@runtime_checkable
class AttachesAdapter(Protocol):
    """A method whose adapter, saved alone, goes back onto a fresh model of the same backbone."""

    def attach(self, model: torch.nn.Module, folder: Path) -> torch.nn.Module:
        """The model with what `WeightMethod.save_adapter` wrote, head among it; it answers and learns no more.

        Args:
            model: as it was handed to `WeightMethod.prepare`, its head drawn anew.

        Raises:
            CorruptError: what lies in `folder` does not belong to such a model.
        """


@runtime_checkable
class StaysApart(Protocol):
    """A method that cannot be merged: `WeightMethod.merge` gives a model of the plain class that still has what was
    added in it, and `attach` of `AttachesAdapter` puts that back."""

    def plain(self, model: torch.nn.Module) -> torch.nn.Module:
        """A copy of the model as transformers knows it, head and all, without what was added."""


@runtime_checkable
class AddsToLoss(Protocol):
    """A method with a penalty on the weights that it trains."""

    def penalty(self, model: torch.nn.Module) -> torch.Tensor:
        """What is added to the loss of every batch, a scalar with its graph."""


@runtime_checkable
class Remembers(Protocol):
    """A method with a memory from step to step, which a checkpoint must hold."""

    def state(self, model: torch.nn.Module) -> Mapping[str, torch.Tensor]:
        """What its next `FollowsSteps.after_step` depends on, besides the weights."""

    def load_state(self, model: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from there."""


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


class ExampleModel(Protocol):
    """What a method that takes rows whole returns."""

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        """Outputs as `Task.answers` takes them, and their features (None: one output a row)."""

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON into `folder`."""


@runtime_checkable
class ExampleMethod(Method, Protocol):
    """A method that learns from a task's rows whole, without a backbone: baselines of tasks that are no sorting."""

    def fit(
        self, examples: pa.Table, task: Task, targets: Targets, settings: Any, *, seed: int, validation: pa.Table
    ) -> ExampleModel:
        """Learn from labelled rows (N); validation rows choose what the settings leave at ``auto``."""

    def load(self, folder: Path, task: Task, targets: Targets) -> ExampleModel:
        """The model that `ExampleModel.save` wrote."""


class Objective(Protocol):
    """What is minimised. Composable: `provetune.core.minimised` says how one stands inside the other.

    Optional abilities: `NeedsReference` here, `HasLimits` there.

    Attributes:
        stage: where it stands.
        settings: the fields it adds to a candidate; no other objective or method has a field of that name.
    """

    name: str
    summary: str
    settings: type[BaseModel]
    stage: Stage

    def begin(self, run: LossRun, settings: Any) -> Minimised | PricesAnswers:
        """The objective at work in one run; called once, before the first step and again when a run is resumed.

        Args:
            settings: an instance of its `settings`.

        Raises:
            UsageError, DataError: what the settings name cannot be had.
        """


class Augmenter(Protocol):
    """A step that makes training rows out of training rows."""

    name: str
    summary: str
    settings: type[BaseModel]

    def augment(self, examples: pa.Table, settings: Any, *, seed: int) -> pa.Table:
        """The examples with new rows after them; new row ids name the row they were made from."""

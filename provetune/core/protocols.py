"""The seams of the house: what a task, a method, an objective and an augmenter must be able to do.

Methods stand in `provetune.core.method_protocols`, what a task may do besides in `provetune.core.abilities`, what goes
through the seams in `provetune.core.task_records`; this module has all of their names.

Rooms below speak to plug-ins only through these. Tensor types appear under ``TYPE_CHECKING`` alone, so
importing this module loads neither torch nor pyarrow.

Shapes: N rows (examples), F features (a long text cut into windows gives several features a row), B features
in a batch, T tokens, C labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

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
    Joins,
    JudgesTogether,
    LearnsInParts,
    NeedsReference,
    PointsIntoText,
    PreparesModel,
    PreparesTokenizer,
    ReadsInputs,
    ReadsItems,
    Reports,
    Searches,
    Streams,
    Traces,
    Tunable,
    WritesTexts,
)
from provetune.core.method_protocols import (
    BY_STEPS,
    WITHOUT_BACKBONE,
    AddsToLoss,
    AttachesAdapter,
    ExampleMethod,
    ExampleModel,
    FitMethod,
    FittedModel,
    FollowsSteps,
    LearnsFrom,
    Method,
    Outputs,
    Remembers,
    StaysApart,
    WeightMethod,
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
    "Joins",
    "JudgesTogether",
    "LearnsFrom",
    "LearnsInParts",
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
    "Traces",
    "TrialRecord",
    "Tunable",
    "WeightMethod",
    "WritesTexts",
]


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

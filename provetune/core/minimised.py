"""What an objective is handed and what it gives back: the records of the seam that `Objective` is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from provetune.core.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    import torch

    from provetune.core.abilities import FeatureColumns
    from provetune.core.task_records import Targets

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

Batch: TypeAlias = "Mapping[str, torch.Tensor]"
Forward: TypeAlias = "Callable[[Batch], torch.Tensor]"
TaskLoss: TypeAlias = "Callable[[torch.Tensor, torch.Tensor], torch.Tensor]"

Stage: TypeAlias = Literal["labels", "base", "term", "around"]
"""Where in the sum an objective stands, whatever order a person names them in, from the inside out: what one answer
costs (`labels`), the loss of a batch (`base`; one at most), what is added to it (`term`), and what asks for the whole
of it more than once (`around`: attacks on the embeddings)."""


RowUse: TypeAlias = Literal["labelled", "texts"]
"""What an objective wants of rows besides the training rows: labels too, or their texts alone."""


@dataclass(frozen=True)
class BundleAnswers:
    """What a bundle says about N rows.

    Attributes:
        names: its labels, C of them.
        values: log-probabilities where a row has one label, logits where it may have several, numbers as they are;
            float64 (N, C). Where words are labelled, log-probabilities of the tags of all S words: outside, then
            beginning and inside of each label, (S, 2 C + 1).
        words: of each word its row among the N, where it begins and where it ends, in letters: int64 (S, 3), ascending;
            None where rows are labelled.
    """

    names: tuple[str, ...]
    values: Array
    words: Array | None = None


def _told_no_rows(place: str, use: RowUse) -> pa.Table:
    raise UsageError(f"An objective wants the rows of '{place}', and this run was not told how to read them.")


def _told_no_bundle(place: str, examples: pa.Table) -> BundleAnswers:
    raise UsageError(f"An objective wants to ask the bundle '{place}', and this run was not told how.")


class Pass(NamedTuple):
    """One loss of one batch.

    Attributes:
        loss: a scalar with its graph.
        outputs: what the model computed for it, as `Task.loss` takes them, with their graph.
    """

    loss: torch.Tensor
    outputs: torch.Tensor


@dataclass
class LossRun:
    """One run, as its objectives see it before the first step.

    Attributes:
        model: what is trained, as the method prepared it.
        task: the plug-in (`provetune.core.protocols.Task`).
        features: F training features with labels.
        examples: the N rows that they were made of, where they are at hand.
        tokenizer, pad_id: of the backbone.
        settings: `provetune.training.settings.TrainSettings`.
        steps: optimiser steps of the whole run.
        seed: what an objective draws comes of it and of the step's number alone, so that a resumed run draws the same.
        device: where the model computes.
        encode: labelled rows (an examples table) into features like those of training; unlabelled rows (label null)
            into features without labels.
        forward: a batch to outputs, as the task asks its models.
        task_loss: outputs and labels to the task's own mean loss.
        folder: the problem file's; paths in settings are relative to it.
        cache: folder for what runs share, None for none.
        read_rows: the rows of another file (`ReadsRows`), by the path as the settings have it: an examples table.
        ask_bundle: what another bundle says about examples, by the path as the settings have it (`AsksBundles`).
        start: the bundle whose head the run goes on with, as the candidate names it; None where the head is new.
        label_weights: weight of each label (C,), as `task_loss` has them; None where all weigh alike.
    """

    model: torch.nn.Module
    task: Any
    features: FeatureColumns
    targets: Targets
    examples: pa.Table | None
    tokenizer: Any
    pad_id: int
    settings: Any
    steps: int
    seed: int
    device: str
    encode: Callable[[pa.Table], FeatureColumns]
    forward: Forward
    task_loss: TaskLoss
    folder: Path | None = None
    cache: Path | None = None
    read_rows: Callable[[str, RowUse], pa.Table] = _told_no_rows
    ask_bundle: Callable[[str, pa.Table], BundleAnswers] = _told_no_bundle
    start: str | None = None
    label_weights: torch.Tensor | None = None

    def collate(self, features: FeatureColumns, indices: Sequence[int]) -> dict[str, torch.Tensor]:
        """A batch of the features at `indices`, on the run's device."""
        batch = self.task.collate(features.take(list(indices)), self.pad_id)
        return {name: value.to(self.device) for name, value in batch.items()}


@dataclass
class LossStep:
    """One batch of one step.

    Attributes:
        number: the optimiser step, from 0.
        part: which of the step's accumulated batches, from 0.
        rows: number of the example that each feature of the batch was cut from, (B,).
        backward: adds the gradient of a loss now and lets its graph go; what `loss` returns is added later as always.
    """

    number: int
    part: int
    rows: Array
    backward: Callable[[torch.Tensor], None]


class Minimised(Protocol):
    """An objective at work in one run: stages ``base``, ``term`` and ``around``."""

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """Loss of one batch.

        Args:
            inner: the loss of a batch by all that stands inside this objective; may be called more than once. A
                ``base`` gets the plain loss, and calls it or does without.
        """


@runtime_checkable
class PricesAnswers(Protocol):
    """An objective of the stage ``labels`` at work: it takes the place of the task's own loss."""

    def task_loss(self, outputs: torch.Tensor, labels: torch.Tensor, inner: TaskLoss) -> torch.Tensor:
        """Mean loss of a batch's outputs, a scalar; `inner` is the loss that it takes the place of."""


@runtime_checkable
class HasState(Protocol):
    """An objective at work that remembers something from step to step, which a checkpoint must hold."""

    def state(self) -> Mapping[str, torch.Tensor]:
        """What the next step depends on."""

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from there."""


@runtime_checkable
class TakesRowsApart(Protocol):
    """An objective whose loss of a batch is the mean of its rows' own: a batch may come in parts, and adds up.

    Attributes:
        takes_rows_apart: nothing else than its being there counts.
    """

    takes_rows_apart: bool


@runtime_checkable
class TouchesWeights(Protocol):
    """An objective at work that reads the weights themselves: the plain optimisers are taken for it.

    The fast ones keep the full-precision weights elsewhere, in pieces, while the model holds what it computes with.

    Attributes:
        touches_weights: always true.
    """

    touches_weights: bool


@runtime_checkable
class SeesSteps(Protocol):
    """An objective at work that does something once the weights have moved."""

    def after_step(self, number: int) -> None:
        """Called after optimiser step `number` (from 0)."""


@dataclass(frozen=True)
class Situation:
    """What a candidate is about to be: all that its method and objectives may refuse before any work is done.

    Attributes:
        task: name of the task.
        kind: `Targets.kind`.
        classes: number of labels, 0 where labels are none.
        counts: training rows of each label.
        method: name of the method.
        learns_from: the method's.
        objectives: names of the objectives.
        family: the backbone's ``model_type``, empty where there is none.
        settings: the candidate's fields, those of method and objectives among them, defaults filled in.
        columns: columns of the training rows, as the file has them.
        rows: training rows.
        folder: the problem file's, for paths in settings; None in a table of what is possible.
        labels: names of the labels; empty in a table of what is possible.
        layers: of the backbone, of its decoder where it has two stacks; 0 where that is not known.
    """

    task: str
    kind: str
    classes: int
    counts: tuple[int, ...]
    method: str
    learns_from: str
    objectives: tuple[str, ...]
    family: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows: int = 0
    folder: Path | None = None
    labels: tuple[str, ...] = ()
    layers: int = 0


@runtime_checkable
class HasLimits(Protocol):
    """A method or objective that some situations do not suit."""

    def check(self, situation: Situation) -> None:
        """Refuse what cannot work, in one line that says what would.

        Raises:
            UsageError: it cannot.
        """


@runtime_checkable
class ComparesPasses(Protocol):
    """An objective that asks the model twice and compares: without dropout it would find nothing."""

    def compares(self, settings: Any) -> bool:
        """Whether it does so with these settings."""


@runtime_checkable
class KeepsWeights(Protocol):
    """An objective that keeps copies of all weights that learn, or as many numbers.

    Attributes:
        kept_weights: how many.
    """

    kept_weights: int


@runtime_checkable
class ChecksRows(Protocol):
    """An objective that looks for something in the training rows, which may not be there."""

    def check_rows(self, settings: Any, examples: pa.Table, folder: Path | None) -> None:
        """Refuse rows in which there is nothing of it.

        Args:
            examples: the training rows (N).
            folder: the problem file's.

        Raises:
            UsageError: there is not.
        """


@runtime_checkable
class NamesFiles(Protocol):
    """A method or objective whose settings name files or folders: what lies there is part of what a study is."""

    def files(self, settings: Any) -> Mapping[str, str]:
        """The path of each field that names one; relative ones to the problem file's folder."""


@runtime_checkable
class ReadsRows(Protocol):
    """An objective that learns from rows of other files. They are read as the training rows are, before any work is
    done, and kept with the study; texts of validation and test are left out."""

    def row_files(self, settings: Any) -> Mapping[str, RowUse]:
        """What is wanted of the file that each field names; fields left empty are none of it."""


@runtime_checkable
class AsksBundles(Protocol):
    """An objective that is told what another bundle says."""

    def bundles(self, settings: Any) -> Mapping[str, str]:
        """The path of each field that names one: of the same task, and knowing every label of the training rows."""


@runtime_checkable
class HasRanges(Protocol):
    """A method that knows what is worth searching of its own settings.

    Attributes:
        ranges: by field a list of choices, or ``{"low": …, "high": …, "log": …}``.
    """

    ranges: Mapping[str, Any]

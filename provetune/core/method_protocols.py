"""What a method must be able to do: the ways to adapt a backbone, or to learn without one.

Tensor types appear under ``TYPE_CHECKING`` alone, so importing this module loads neither torch nor pyarrow.

Shapes: N rows (examples), F features, C labels, D numbers a feature vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    import torch
    from pydantic import BaseModel

    from provetune.core.abilities import FeatureColumns
    from provetune.core.protocols import Task
    from provetune.core.task_records import Targets

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

LearnsFrom: TypeAlias = Literal["texts", "features", "weights", "examples", "contrasts", "labels", "members"]
WITHOUT_BACKBONE: tuple[LearnsFrom, ...] = ("texts", "examples", "members")
BY_STEPS: tuple[LearnsFrom, ...] = ("weights", "contrasts")
"""Ways of learning that go through the training loop."""
Outputs: TypeAlias = Any
"""What a model computes from F features: an array (F, …), or a list of F arrays where their shapes differ."""


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

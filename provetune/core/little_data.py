"""Seams of methods for little data: those that tune an encoder by contrast, and those that read the labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from provetune.core.protocols import FitMethod, Method

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array, Targets, Task
    from provetune.core.task_records import EncodeSettings

PairSampling: TypeAlias = Literal["oversampling", "undersampling", "unique"]
BackboneKind: TypeAlias = Literal["encoder", "decoder", "encoder_decoder"]


@runtime_checkable
class ContrastMethod(FitMethod, Protocol):
    """A method that tunes an encoder until rows of one label lie together, then fits a model on its features.

    `fit` gets the tuned features of the rows that it learns from.
    """

    def draw_pairs(self, labels: Array, settings: Any, *, seed: int) -> Array:
        """Rows that belong together, int64 (P, 2): numbers of rows, one epoch of them.

        Args:
            labels: label numbers (N,), or indicators (N, C) for several labels a row.
        """

    def sampling(self, settings: Any) -> PairSampling:
        """How pairs that belong together are weighed against the others of a batch."""


class LabelReader(Protocol):
    """A pretrained model that is asked which label a text has.

    Attributes:
        kind: of its bundles.
        model, tokenizer: as transformers has them; what the bundle's encoder folder holds.
    """

    @property
    def kind(self) -> str: ...

    @property
    def model(self) -> torch.nn.Module: ...

    @property
    def tokenizer(self) -> Any: ...

    def logits(self, examples: pa.Table) -> Array:
        """Scores before normalisation of N examples, float32 (N, C)."""

    def scaled(self, temperature: float) -> LabelReader:
        """The reader with its logits divided by `temperature`."""

    def save(self, folder: Path) -> None:
        """Write into `folder` what the model itself does not hold, as safetensors and JSON."""


@runtime_checkable
class LabelMethod(Method, Protocol):
    """A method that learns from no row: it reads the labels' names and descriptions."""

    def read_labels(
        self,
        folder: Path,
        task: Task,
        targets: Targets,
        settings: Any,
        *,
        encoding: EncodeSettings,
        device: str,
        precision: str,
    ) -> LabelReader:
        """A reader made of a backbone.

        Args:
            folder: the backbone's.

        Raises:
            UsageError: it has no head for what is asked.
        """


@runtime_checkable
class ChoosesBackbone(Protocol):
    """A method that works with other models than its task's methods do."""

    def named_backbone(self, settings: Any) -> str | None:
        """The backbone that its own settings name, instead of the candidate's."""

    def backbone_kinds(self, settings: Any) -> Sequence[BackboneKind]:
        """Kinds of architecture that it takes; `auto` is the catalogue's default of the first."""

    def check_backbone(self, folder: Path, name: str, settings: Any) -> None:
        """Refuse a backbone that lacks what is needed, before any work is done.

        Raises:
            UsageError: it does.
        """

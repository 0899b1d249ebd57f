"""What a backbone learns from raw text: one file each, none knows another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from provetune.core.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from pydantic import BaseModel

    from provetune.core.protocols import FeatureColumns, Objective, Targets
    from provetune.models.backbones import Backbone
    from provetune.models.catalogue import Kind
    from provetune.training.pretraining.held_out import Asked
    from provetune.training.pretraining.settings import PretrainSettings


class Pretraining(Protocol):
    """A kind at work: what the training loop asks of a task, and what besides is asked before and after.

    Attributes:
        model: what is trained.
        new_head: whether its language-model head is new, since the backbone had none.
        words: what told words apart, None where nothing did.
    """

    name: str
    model: Any
    new_head: bool
    words: str | None

    def cut(self, texts: Sequence[str]) -> FeatureColumns:
        """The texts as pieces of tokens."""

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """One batch of pieces of text, with ``labels``."""

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """What `loss` takes as outputs."""

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Mean loss of a batch, a scalar."""

    def objectives(self) -> list[tuple[Objective, BaseModel]]:
        """What stands around the loss in training."""

    def score(self, model: torch.nn.Module, pieces: FeatureColumns, asked: Asked) -> dict[str, float]:
        """Figures of held-out pieces; the same draws every time. ``loss`` is among them: lower is better."""

    def save(self, folder: Path) -> None:
        """Write configuration and weights into a folder, in Hugging Face's format."""


class PretrainingKind(Protocol):
    """One of the ways to learn from raw text.

    Attributes:
        architecture: the kind of backbone that can.
        defaults: fields of `PretrainSettings` as it wants them where they are left out.
    """

    name: str
    summary: str
    architecture: Kind
    defaults: Mapping[str, Any]

    def begin(
        self, backbone: Backbone, tokenizer: Any, settings: PretrainSettings, language: str, device: str
    ) -> Pretraining:
        """Load the model and be ready.

        Raises:
            UsageError: the backbone cannot learn so.
        """


KINDS: Registry[PretrainingKind] = Registry(__name__, "KIND", "pretraining objective")

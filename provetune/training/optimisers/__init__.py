"""What turns gradients into steps: one file (or folder) each, behind one face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from provetune.core.registry import Registry

if TYPE_CHECKING:
    import torch


class Optimiser(Protocol):
    """What the loop asks of an optimiser at work. It owns the trainable weights' full-precision values."""

    def step(self, learning_rate: float, clip: float | None, then: Callable[[], None] | None = None) -> float:
        """Apply the gradients and forget them; returns their norm before clipping.

        Parameters without a gradient stay as they are, bit for bit.

        Args:
            then: called in between. The fast optimisers have no gradients to show by then and refuse it.
        """

    def masters(self) -> dict[str, torch.Tensor]:
        """The trainable weights themselves, fp32, by parameter name; they change in place."""

    def weights(self) -> dict[str, torch.Tensor]:
        """fp32 copies of the trainable weights by parameter name."""

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Set the trainable weights."""

    def state(self) -> dict[str, torch.Tensor]:
        """Everything else that the next step depends on, by name."""

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Continue from what `state` returned."""

    def release(self) -> None:
        """Give the model back plain: fp32 weights, its own modules, no hooks."""


class OptimiserKind(Protocol):
    """A kind of optimiser, as a candidate names it.

    Attributes:
        summary: a sentence.
        rate: what a method's usual learning rate, which is AdamW's, is multiplied by where a candidate leaves it open.
        sources: where that and its own constants come from.
        has_fast: whether `make` heeds `fast`.
    """

    name: str
    summary: str
    rate: float
    sources: str
    has_fast: bool

    def make(
        self,
        model: torch.nn.Module,
        *,
        weight_decay: float,
        factors: Mapping[str, float] | None = None,
        fast: torch.dtype | None = None,
    ) -> Optimiser:
        """An optimiser of the parameters of `model` that learn.

        Args:
            weight_decay: decoupled; biases and normalisation weights are spared.
            factors: of the learning rate by parameter name; 1 where nothing is said.
            fast: take the way that is quick on a CPU, with working weights of this type.
        """


OPTIMISERS: Registry[OptimiserKind] = Registry(__name__, "OPTIMISER", "optimiser")

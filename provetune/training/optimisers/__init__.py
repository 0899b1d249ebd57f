"""Two optimisers with one face: the plain AdamW, and the fast one that must agree with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


class Optimiser(Protocol):
    """What the loop asks of an optimiser. It owns the trainable weights' full-precision values."""

    def step(self, learning_rate: float, clip: float | None, then: Callable[[], None] | None = None) -> float:
        """Apply the gradients and forget them; returns their norm before clipping.

        Args:
            then: called in between. The fast optimisers have no gradients to show by then and refuse it.
        """

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

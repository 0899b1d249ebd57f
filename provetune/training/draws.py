"""The same random numbers once more: dropout that keeps its mask over several passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provetune.core.lazy import import_later

if TYPE_CHECKING:
    import torch
else:
    torch = import_later("torch")


class RepeatedDraws:
    """torch's random state at the moment that this is made.

    Args:
        device: where the model computes; dropout draws there.
    """

    def __init__(self, device: str) -> None:
        self._kind = torch.device(device)
        self._host = torch.get_rng_state()
        self._device: torch.Tensor | None = None
        if self._kind.type == "cuda":
            self._device = torch.cuda.get_rng_state(self._kind)
        elif self._kind.type == "mps":
            self._device = torch.mps.get_rng_state()

    def rewind(self) -> None:
        """What is drawn from here on is what was drawn after that moment."""
        torch.set_rng_state(self._host)
        if self._device is None:
            return
        if self._kind.type == "cuda":
            torch.cuda.set_rng_state(self._device, self._kind)
        else:
            torch.mps.set_rng_state(self._device)


def generator(seed: int) -> torch.Generator:
    """A stream of random numbers of its own, on the host, that leaves torch's state alone."""
    return torch.Generator().manual_seed(seed)

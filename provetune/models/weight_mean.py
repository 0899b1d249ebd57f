"""The mean of several models' weights, one model after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provetune.core.errors import UsageError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class WeightMean:
    """Sums of so many models' weights by name; what is no floating-point number (positions, say) is the first one's."""

    sums: Mapping[str, torch.Tensor]
    count: int = 1

    @classmethod
    def of(cls, state: Mapping[str, torch.Tensor]) -> WeightMean:
        """That of one model."""
        return cls({name: _widened(value) for name, value in state.items()})

    def with_model(self, state: Mapping[str, torch.Tensor]) -> WeightMean:
        """The mean with one model more.

        Raises:
            UsageError: it has other weights, or weights of other shapes.
        """
        other = next(
            (
                name
                for name in sorted(self.sums.keys() | state.keys())
                if _shape(self.sums, name) != _shape(state, name)
            ),
            None,
        )
        if other is not None:
            raise UsageError(
                f"Models whose '{other}' differ in shape have no mean of weights.",
                hint="Members of a soup begin from the same backbone and have the same layers and head.",
            )
        added = {
            name: value + state[name].to(value.device) if value.is_floating_point() else value
            for name, value in self.sums.items()
        }
        return WeightMean(added, self.count + 1)

    def weights(self) -> dict[str, torch.Tensor]:
        """The mean, float32."""
        return {name: value / self.count if value.is_floating_point() else value for name, value in self.sums.items()}


def _widened(value: torch.Tensor) -> torch.Tensor:
    return value.detach().float().clone() if value.is_floating_point() else value.detach().clone()


def _shape(state: Mapping[str, torch.Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(state[name].shape) if name in state else None

"""What an attack adds to the embeddings of a batch, and how it climbs the loss.

Sizes are shares of the length of a text's own embeddings: ‖r‖ = share · ‖s‖, both the Euclidean length over all tokens
and dimensions of one row. The papers give absolute sizes, for embeddings that are normalised (Miyato et al.) or of one
model (Zhu et al.); those of other models are longer or shorter, so that one number would be nothing to one and noise to
another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import Situation
from provetune.training.embeddings import changed_embeddings

if TYPE_CHECKING:
    import torch
else:
    torch = import_later("torch")

ATTACKS = ("fgm", "pgd", "freelb")
DEFAULT_SIZE = 0.016
"""Miyato et al. move 400 words of 256 numbers with variance 1, of length 320 together, by 5."""

Start: TypeAlias = "Callable[[torch.Tensor, int], torch.Tensor]"
"""Which tokens are real, (B, T, 1) of noughts and ones, and the width D to where an attack begins: float32 (B, T, D),
in units of a row's length."""


@dataclass
class _Place:
    """What is added to the embeddings of one block of token ids.

    Attributes:
        ids: (B, T).
        lengths: of each row's embeddings, (B, 1, 1).
        offset: what is added, float32 (B, T, D).
    """

    ids: torch.Tensor
    lengths: torch.Tensor
    offset: torch.Tensor


class Disturbance:
    """What is added to embeddings; the same wherever the same token ids are read again in a later pass.

    A batch whose texts are read in several blocks, as queries and documents are, has an offset for each.

    Args:
        model: whose embeddings they are.
        pad_id: id of tokens that stand for nothing; nothing is drawn for them.
        start: where to begin; nought when left out.
    """

    def __init__(self, model: torch.nn.Module, pad_id: int, start: Start | None = None) -> None:
        self.model, self.pad_id, self.start = model, pad_id, start
        self._places: list[_Place] = []
        self._learned = False

    @contextmanager
    def felt(self, *, learned: bool = False) -> Iterator[None]:
        """Within the block passes are disturbed.

        Args:
            learned: the offsets are leaves that gradients flow to.

        Raises:
            UsageError: no embeddings were read in it.
        """
        self._learned = learned
        for place in self._places:
            place.offset = place.offset.detach().requires_grad_(learned)
        with changed_embeddings(self.model, self._add):
            yield
        if not self._places:
            raise UsageError(
                f"{type(self.model).__name__} read no token embeddings that could be disturbed.",
                hint="Take another backbone, or an objective that leaves embeddings alone.",
            )

    @property
    def offsets(self) -> list[torch.Tensor]:
        """What is added to each block of embeddings, float32 (B, T, D) each, in the order of their first reading."""
        return [place.offset for place in self._places]

    def climb(self, gradients: Sequence[torch.Tensor | None], length: float, *, radius: float | None = None) -> None:
        """One step of each row along its normalised gradient, and back onto the ball where it left it.

        Args:
            gradients: of `offsets`; None where a loss does not depend on one.
            length: of the step, and radius of the ball, in units of the row's length.
        """
        for place, gradient in zip(self._places, gradients, strict=True):
            moved = place.offset.detach()
            if gradient is not None:
                moved = moved + length * place.lengths * _direction(gradient.float())
            if radius is not None:
                moved = moved * (radius * place.lengths / _row_lengths(moved).clamp(min=1e-30)).clamp(max=1.0)
            place.offset = moved

    def _add(self, ids: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
        place = next((each for each in self._places if _same(each.ids, ids)), None)
        if place is None:
            place = self._begin(ids, embeddings.detach())
            self._places.append(place)
        return embeddings + place.offset.to(embeddings.dtype)

    def _begin(self, ids: torch.Tensor, embeddings: torch.Tensor) -> _Place:
        real = (ids != self.pad_id).unsqueeze(-1).float()
        lengths = _row_lengths(embeddings.float() * real)
        if self.start is None:
            offset = torch.zeros(embeddings.shape, device=embeddings.device)
        else:
            offset = self.start(real, embeddings.shape[-1]) * lengths
        return _Place(ids, lengths, offset.requires_grad_(self._learned))


def refuse_two_attacks(name: str, situation: Situation) -> None:
    """Refuse an attack beside another one.

    Raises:
        UsageError: there is another one.
    """
    others = [each for each in situation.objectives if each in ATTACKS and each != name]
    if others:
        raise UsageError(
            f"The objectives '{name}' and '{others[0]}' both disturb the embeddings.",
            hint="Keep one of them; each goes with rdrop, supcon and the rest.",
        )


def _same(first: torch.Tensor, second: torch.Tensor) -> bool:
    return first is second or (first.shape == second.shape and torch.equal(first, second))


def _row_lengths(values: torch.Tensor) -> torch.Tensor:
    """Euclidean length of each row, (B, 1, 1)."""
    found: torch.Tensor = torch.linalg.vector_norm(values, dim=(1, 2), keepdim=True)
    return found


def _direction(gradient: torch.Tensor) -> torch.Tensor:
    """Each row brought to length one; a row of noughts stays one.

    Divided by its largest number first: squares of the small gradients of a finished model are below float32.
    """
    largest = gradient.abs().amax(dim=(1, 2), keepdim=True)
    scaled = gradient / torch.where(largest > 0, largest, 1.0)
    lengths = _row_lengths(scaled)
    found: torch.Tensor = scaled / torch.where(lengths > 0, lengths, 1.0)
    return found

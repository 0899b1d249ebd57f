"""Asking a model about held-out texts: without gradients, in batches of like lengths, always the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provetune.models.forward import batches_by_length, number_format

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import FeatureColumns


@dataclass(frozen=True)
class Asked:
    """How held-out texts are asked about.

    Attributes:
        tokens: in a batch at most.
        seed: of what is drawn for it.
    """

    pad_id: int
    device: str
    precision: str
    tokens: int
    seed: int

    def batches(self, kind: Any, pieces: FeatureColumns) -> Iterator[tuple[int, dict[str, torch.Tensor]]]:
        """Numbered batches of all pieces."""
        for number, indices in enumerate(batches_by_length(pieces.lengths, self.tokens)):
            batch = kind.collate(pieces.take(indices.tolist()), self.pad_id)
            yield number, {name: value.to(self.device) for name, value in batch.items()}

    @contextmanager
    def asking(self, model: torch.nn.Module, *, dropout: bool = False) -> Iterator[None]:
        """The model answers, it does not learn; torch's random state is as before afterwards."""
        import torch

        was_training = model.training
        model.train(dropout)
        devices = [torch.device(self.device)] if self.device.startswith("cuda") else []
        try:
            with (
                torch.random.fork_rng(devices=devices),
                torch.inference_mode(),
                number_format(model, self.precision, self.device),
            ):
                torch.manual_seed(self.seed)
                yield
        finally:
            model.train(was_training)

"""Embedding rows that a batch uses, as a small leaf: no dense gradient over the whole vocabulary.

A batch of short texts touches a few hundred of thirty thousand rows, yet the dense gradient is filled, clipped
and stepped whole. Here the forward pass gathers the unique ids' rows into a leaf tensor, so the gradient has
just those rows.

Departure from AdamW: a row that no batch touches gets neither weight decay nor momentum in that step, as in
PyTorch's SparseAdam. Its moments stay as they were when it was last used.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EmbeddingRows(nn.Module):
    """Stands in for an `nn.Embedding` while training; holds the fp32 table outside the parameters.

    Args:
        table: fp32 weights (V, D), changed in place by the optimiser.
        padding: id whose row gets no gradient, or None.
        dtype: of the rows handed to the model.
    """

    def __init__(self, table: Tensor, padding: int | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.table = table
        self.padding = padding
        self.dtype = dtype
        self.used: list[tuple[Tensor, Tensor]] = []

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids (B, T) → embeddings (B, T, D); remembers the leaf while gradients are recorded."""
        if not torch.is_grad_enabled():
            return nn.functional.embedding(ids, self.table).to(self.dtype)
        unique, inverse = torch.unique(ids, return_inverse=True)
        leaf = self.table[unique].to(self.dtype).requires_grad_()
        self.used.append((unique, leaf))
        place = None
        if self.padding is not None and unique[0] <= self.padding <= unique[-1]:
            found = int(torch.searchsorted(unique, self.padding))
            place = found if int(unique[found]) == self.padding else None
        return nn.functional.embedding(inverse, leaf, padding_idx=place)

    def take_gradient(self) -> tuple[Tensor, Tensor] | None:
        """Ids (U,) and fp32 gradient rows (U, D) of all forward passes since the last call; None if none."""
        used = [(unique, leaf.grad) for unique, leaf in self.used if leaf.grad is not None]
        self.used = []
        if not used:
            return None
        if len(used) == 1:
            unique, gradient = used[0]
            return unique, gradient.float()
        everything = torch.cat([unique for unique, _ in used])
        unique, inverse = torch.unique(everything, return_inverse=True)
        total = torch.zeros(len(unique), self.table.shape[1])
        total.index_add_(0, inverse, torch.cat([gradient.float() for _, gradient in used]))
        return unique, total

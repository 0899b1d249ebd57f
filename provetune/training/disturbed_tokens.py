"""A text with some of its tokens masked or replaced: a cheap disturbance that needs no other model.

Masking is word dropout (Iyyer et al. 2015); replacing by tokens as frequent as they are in the batch is unigram noise
(Xie et al. 2017, arXiv:1703.02573). Lengths stay, so that a batch is padded as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provetune.core.lazy import import_later
from provetune.training.draws import generator

if TYPE_CHECKING:
    import torch
else:
    torch = import_later("torch")

_MASKED = 0.5


@dataclass(frozen=True)
class TokenNoise:
    """Disturbs token ids.

    Attributes:
        share: of the tokens that are disturbed, one by one.
        spared: ids that stay: those that a tokenizer adds, and padding.
        mask_id: what takes the place of half of the disturbed ones; None: all are replaced by others of the batch.
    """

    share: float
    spared: tuple[int, ...]
    mask_id: int | None

    @classmethod
    def of(cls, tokenizer: Any, pad_id: int, share: float) -> TokenNoise:
        """That of a tokenizer."""
        special = getattr(tokenizer, "all_special_ids", None) or ()
        mask = getattr(tokenizer, "mask_token_id", None)
        unknown = getattr(tokenizer, "unk_token_id", None)
        return cls(share, tuple(sorted({*special, pad_id})), mask if mask is not None else unknown)

    def disturb(self, ids: torch.Tensor, seed: int) -> torch.Tensor:
        """Token ids (B, T) with some of them changed; equal seeds change alike."""
        draw = generator(seed)
        host = ids.cpu()
        free = ~torch.isin(host, torch.tensor(self.spared, dtype=host.dtype))
        among = host[free]
        if not len(among):
            return ids
        chosen = free & (torch.rand(host.shape, generator=draw) < self.share)
        others = among[torch.randint(len(among), host.shape, generator=draw)]
        if self.mask_id is not None:
            masked = torch.rand(host.shape, generator=draw) < _MASKED
            others = torch.where(masked, torch.full_like(others, self.mask_id), others)
        return torch.where(chosen, others, host).to(ids.device)

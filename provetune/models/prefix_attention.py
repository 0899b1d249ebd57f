"""Learned keys and values before those of every attention: the prefix of Li and Liang 2021 (arXiv:2101.00190).

softmax(q [K_p; K]^T / √d) [V_p; V], K_p and V_p (P, D) of each attention learned. They stand in front of what an
attention computes by itself, so that texts keep their positions and lose none of their length, and that a cache of keys
needs to know nothing of them.

A prefix is learned directly, or as what a small network makes of a table that all attentions share: K_p, V_p =
W_i tanh(W e + b) + b_i, with W_i, b_i of attention i. Once learned, the network can go (`settle_prefixes`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from provetune.core.errors import UsageError

IMPLEMENTATION = "provetune_prefix"
PART = "prefix"
SPREAD = 0.02
# What the families call the projection that keys come out of, and the size of a head.
_KEYS = ("key", "k_lin", "k_proj", "k")
_TOGETHER = "Wqkv"
_HEAD_SIZES = ("attention_head_size", "head_dim", "key_value_proj_dim")


class PrefixTable(nn.Module):
    """The table (P, E) of a prefix, and the first layer of the network behind it (E to H).

    Args:
        length: P.
        width: E.
        hidden: H.
    """

    def __init__(self, length: int, width: int, hidden: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(length, width))
        self.inner = nn.Linear(width, hidden)

    def forward(self) -> Tensor:
        """(P, H)."""
        return torch.tanh(self.inner(self.table))


class Prefix(nn.Module):
    """Keys and values of one attention.

    Args:
        length: P.
        heads: H of keys.
        size: of a head, D / H.
        source: the network's shared layer; None for a prefix that is learned directly.
    """

    def __init__(self, length: int, heads: int, size: int, source: PrefixTable | None) -> None:
        super().__init__()
        self.heads, self.size = heads, size
        self.source, self.values, self.outer = source, None, None
        if source is None:
            self.values = nn.Parameter(torch.randn(length, 2 * heads * size) * SPREAD)
        else:
            self.outer = nn.Linear(source.inner.out_features, 2 * heads * size)

    def flat(self) -> Tensor:
        """Keys and values side by side, (P, 2 D)."""
        if self.source is None or self.outer is None:
            if self.values is None:
                raise ValueError("a prefix has values or a network, and this one has neither")
            return self.values
        found: Tensor = self.outer(self.source())
        return found

    def forward(self) -> tuple[Tensor, Tensor]:
        """Keys and values, (1, H, P, D / H) each."""
        flat = self.flat()
        # (P, 2, H, D / H) → (2, 1, H, P, D / H)
        keys, values = flat.view(len(flat), 2, 1, self.heads, self.size).permute(1, 2, 3, 0, 4)
        return keys, values

    def settle(self) -> None:
        """Keep what the network makes, and let go of the network."""
        values = self.flat().detach().clone()
        self.source, self.outer = None, None
        self.values = nn.Parameter(values)


def add_prefixes(model: nn.Module, length: int, hidden: int) -> None:
    """Put a prefix before the keys and values of every attention of a model, to be trained.

    Args:
        length: keys and values that are added.
        hidden: width of the network behind them; 0 to learn them directly.

    Raises:
        UsageError: the model's attention cannot be reached.
    """
    found = attentions(model)
    if not found:
        raise UsageError(f"A prefix cannot be put into the attention of {type(model).__name__}.")
    device = next(model.parameters()).device
    width = int(model.config.hidden_size)  # type: ignore[union-attr,arg-type]
    source = PrefixTable(length, width, hidden) if hidden else None
    for attention in found:
        heads, size = _key_heads(attention)
        attention.add_module(PART, Prefix(length, heads, size, source).to(device))
    _register()
    _use(model, IMPLEMENTATION)


def settle_prefixes(model: nn.Module) -> None:
    """Replace the networks behind a model's prefixes by what they make."""
    for module in model.modules():
        if isinstance(module, Prefix) and module.source is not None:
            module.settle()


def forget_prefixes(model: nn.Module) -> None:
    """Let a model whose prefixes are gone compute attention as transformers does."""
    _use(model, "eager")


def attentions(model: nn.Module) -> list[nn.Module]:
    """The modules that compute attention through transformers' interface."""
    return [
        module
        for module in model.modules()
        if type(module).__name__.endswith("Attention")
        and hasattr(sys.modules[type(module).__module__], "eager_attention_forward")
        and any(isinstance(module._modules.get(name), nn.Linear) for name in (*_KEYS, _TOGETHER))
    ]


def _key_heads(attention: Any) -> tuple[int, int]:
    """Heads of an attention's keys, and the size of one."""
    size = next(int(getattr(attention, name)) for name in _HEAD_SIZES if hasattr(attention, name))
    keys = next((attention._modules[name] for name in _KEYS if name in attention._modules), None)
    width = attention.Wqkv.out_features // 3 if keys is None else keys.out_features
    return int(width) // size, size


def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    if IMPLEMENTATION not in AttentionInterface().valid_keys():
        AttentionInterface.register(IMPLEMENTATION, _attend)
        AttentionMaskInterface.register(IMPLEMENTATION, eager_mask)


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **others: Any
) -> tuple[Tensor, Tensor | None]:
    """The family's own attention, step by step, with the prefix in front; every token sees all of it."""
    plain = sys.modules[type(module).__module__].eager_attention_forward
    part = module._modules.get(PART)
    if part is not None:
        first_keys, first_values = part()
        rows, length = key.shape[0], first_keys.shape[2]
        key = torch.cat([first_keys.to(key.dtype).expand(rows, -1, -1, -1), key], dim=2)
        value = torch.cat([first_values.to(value.dtype).expand(rows, -1, -1, -1), value], dim=2)
        if attention_mask is not None:
            attention_mask = functional.pad(attention_mask, (length, 0))
        if others.get("position_bias") is not None:
            others["position_bias"] = functional.pad(others["position_bias"], (length, 0))
    found: tuple[Tensor, Tensor | None] = plain(module, query, key, value, attention_mask, **others)
    return found


def _use(model: nn.Module, implementation: str) -> None:
    for config in _configs(model):
        config._attn_implementation = implementation


def _configs(model: nn.Module) -> Iterator[Any]:
    """The configurations that a model's parts read; encoder and decoder may have one each."""
    seen: dict[int, Any] = {}
    for module in model.modules():
        config = getattr(module, "config", None)
        if hasattr(config, "_attn_implementation"):
            seen[id(config)] = config
    yield from seen.values()

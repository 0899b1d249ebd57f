"""Several texts in one row of tokens, each attending to itself alone.

Packed rows have no padding, and attention is computed text by text, so that no text sees another and none pays for
another's length. transformers can mask a packed row by its positions as well; that computes every pair of tokens of
the row (a third more time at 1,300 tokens, measured with a model of 135 M), and is silently not done where a cache of
keys is kept.

Whether an architecture allows it is tried and not believed: some mix neighbouring tokens by other means than attention.
Models that do not are given a padded batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import torch

IMPLEMENTATION = "provetune_packed"
_OWN = "provetune_"
_PROBE_LENGTHS = (5, 4)
_ALIKE, _EQUAL = 0.1, 1e-5

_tried: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()


def packed_logits(model: Any, input_ids: torch.Tensor, lengths: Sequence[int], wanted: torch.Tensor) -> torch.Tensor:
    """Logits (M, V) at some places of texts that are packed into one row.

    Args:
        model: a causal language model, wrapped by peft or not.
        input_ids: tokens of all texts, (1, T).
        lengths: tokens of each text; what is left of the row is padding.
        wanted: the M places, bool (T,).
    """
    if can_pack(model):
        return _packed(model, input_ids, lengths, wanted)
    return _padded(model, input_ids, lengths, wanted)


def can_pack(model: Any) -> bool:
    """Whether texts in one row are told apart by this model; found out by trying, once for each model."""
    plain = plain_model(model)
    if str(plain.config._attn_implementation).startswith(_OWN):
        return False  # more is attended to than the texts themselves: see `prefix_attention`
    if plain not in _tried:
        _tried[plain] = _try_packing(plain)
    return _tried[plain]


def plain_model(model: Any) -> Any:
    """The transformers model inside what peft wraps around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


@contextmanager
def attending_apart(model: Any) -> Iterator[None]:
    """Within the block the model's attention stays inside the texts that ``cu_seq_lens_q`` tells."""
    _register()
    config = plain_model(model).config
    kept = config._attn_implementation
    config._attn_implementation = IMPLEMENTATION
    try:
        yield
    finally:
        config._attn_implementation = kept


def _packed(model: Any, input_ids: torch.Tensor, lengths: Sequence[int], wanted: torch.Tensor) -> torch.Tensor:
    bounds = _bounds(lengths, input_ids.shape[1])
    positions = torch.cat([torch.arange(end - start) for start, end in pairwise(bounds)]).to(input_ids.device)
    with attending_apart(model):
        output = model(
            input_ids=input_ids,
            position_ids=positions.unsqueeze(0),
            cu_seq_lens_q=bounds,
            logits_to_keep=wanted.nonzero()[:, 0],
            use_cache=False,
        )
    logits: torch.Tensor = output.logits[0]
    return logits


def _padded(model: Any, input_ids: torch.Tensor, lengths: Sequence[int], wanted: torch.Tensor) -> torch.Tensor:
    """The same texts in a row each."""
    bounds = _bounds(lengths, input_ids.shape[1])
    shape = (len(bounds) - 1, max(end - start for start, end in pairwise(bounds)))
    ids, mask = input_ids.new_zeros(shape), input_ids.new_zeros(shape)
    places = torch.zeros(shape, dtype=torch.bool, device=input_ids.device)
    for row, (start, end) in enumerate(pairwise(bounds)):
        ids[row, : end - start] = input_ids[0, start:end]
        mask[row, : end - start] = 1
        places[row, : end - start] = wanted[start:end]
    logits: torch.Tensor = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[places]
    return logits


def _bounds(lengths: Sequence[int], width: int) -> list[int]:
    """Where texts begin, and the end of the row; padding after the last one counts as one more."""
    bounds = [0]
    for length in lengths:
        if length > 0:
            bounds.append(bounds[-1] + int(length))
    return bounds if bounds[-1] == width else [*bounds, width]


def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface

    if IMPLEMENTATION not in AttentionInterface().valid_keys():
        AttentionInterface.register(IMPLEMENTATION, _attend)
        AttentionMaskInterface.register(IMPLEMENTATION, _no_mask)


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    cu_seq_lens_q: Sequence[int],
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention of each text (1, H, T, D) by torch's fused kernel, in transformers' form."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    found = []
    for start, end in pairwise(cu_seq_lens_q):
        window = _window(end - start, sliding_window, query)
        part, _ = sdpa_attention_forward(
            module, query[:, :, start:end], key[:, :, start:end], value[:, :, start:end], window, **others
        )
        found.append(part)
    return torch.cat(found, dim=1), None


def _window(length: int, reach: int | None, like: torch.Tensor) -> torch.Tensor | None:
    """The mask (1, 1, T, T) of a text longer than how far a token looks back; None where it sees all before it."""
    if reach is None or length <= reach:
        return None
    places = torch.arange(length, device=like.device)
    back = places[:, None] - places[None, :]
    return ((back >= 0) & (back < reach))[None, None]


def _no_mask(*_: Any, **__: Any) -> None:
    """Attention that stays inside a text needs no mask."""


@torch.no_grad()
def _try_packing(model: Any) -> bool:
    """Two texts packed: each like the model says it alone, and the second untouched by what the first says."""
    if not getattr(model, "_supports_attention_backend", False) or getattr(model, "_is_stateful", False):
        return False
    vocabulary, device = int(model.config.get_text_config().vocab_size), next(model.parameters()).device
    draw = torch.Generator().manual_seed(0)
    first, second, other = (
        torch.randint(vocabulary, (1, length), generator=draw).to(device)
        for length in (*_PROBE_LENGTHS, _PROBE_LENGTHS[0])
    )
    was_training = model.training
    model.eval()
    try:
        packed, changed = (_all_packed(model, torch.cat([text, second], dim=1)) for text in (first, other))
        alone = torch.cat([model(input_ids=text, use_cache=False).logits[0] for text in (first, second)])
    except (TypeError, ValueError, RuntimeError, AttributeError, NotImplementedError):
        return False
    finally:
        model.train(was_training)
    spread = float(alone.float().std())
    untouched = float((packed - changed)[_PROBE_LENGTHS[0] :].abs().max())
    return untouched <= _EQUAL * spread and float((packed - alone).abs().max()) <= _ALIKE * spread


def _all_packed(model: Any, input_ids: torch.Tensor) -> torch.Tensor:
    everywhere = torch.ones(input_ids.shape[1], dtype=torch.bool, device=input_ids.device)
    return _packed(model, input_ids, _PROBE_LENGTHS, everywhere).float()

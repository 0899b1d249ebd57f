"""How likely a decoder finds given tokens: summed log-loss, text by text, in packed rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from provetune.models.packed_attention import packed_logits

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_LOGITS_AT_ONCE = 1 << 25


def token_losses(model: Any, texts: Sequence[Array], wanted: Sequence[Array]) -> Array:
    """Summed negative log-probability, in nats, of the wanted tokens of each text, float64 (B,).

    Args:
        model: a causal language model.
        texts: tokens of each of B texts.
        wanted: which tokens count, bool; the first of a text never does, for nothing stands before it.
    """
    vocabulary = int(model.config.get_text_config().vocab_size)
    found = np.zeros(len(texts))
    for group in _groups([int(np.sum(each[1:])) for each in wanted], max(1, _LOGITS_AT_ONCE // vocabulary)):
        found[group] = _losses(model, [texts[k] for k in group], [wanted[k] for k in group])
    return found


def _losses(model: Any, texts: Sequence[Array], wanted: Sequence[Array]) -> Array:
    device = next(model.parameters()).device
    row = torch.from_numpy(np.concatenate(texts).astype(np.int64))[None].to(device)
    # A token is foretold at the place before it.
    places = [np.append(np.asarray(each[1:], dtype=bool), False) for each in wanted]
    said = [np.asarray(text[1:])[place[:-1]] for text, place in zip(texts, places, strict=True)]
    sums = np.zeros(len(texts))
    counts = [len(each) for each in said]
    if not sum(counts):
        return sums
    everywhere = torch.from_numpy(np.concatenate(places)).to(device)
    logits = packed_logits(model, row, [len(text) for text in texts], everywhere)
    tokens = torch.from_numpy(np.concatenate(said).astype(np.int64)).to(device)
    losses = torch.nn.functional.cross_entropy(logits.float(), tokens, reduction="none").double().cpu().numpy()
    np.add.at(sums, np.repeat(np.arange(len(texts)), counts), losses)
    return sums


def _groups(counts: Sequence[int], most: int) -> list[list[int]]:
    """Numbers of neighbours whose counts sum to at most `most`, or of one that is larger by itself."""
    groups: list[list[int]] = [[]]
    held = 0
    for number, count in enumerate(counts):
        if groups[-1] and held + count > most:
            groups.append([])
            held = 0
        groups[-1].append(number)
        held += count
    return [group for group in groups if group]

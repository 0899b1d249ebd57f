"""The best stretches of a passage, out of the logits of where answers begin and end.

A stretch scores the logit of its first token as a beginning plus that of its last as an end. All stretches of a window
up to the longest answer are scored at once; windows of one passage are laid over one another, the better score
counting. Confidence is a stretch's share in the softmax over every stretch of the passage, and over "no answer" where
questions may have none. "No answer" scores the least that any window gives it: each window that does not hold the
answer calls for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from provetune.core.protocols import Array


@dataclass(frozen=True)
class Window:
    """One feature of a passage.

    Attributes:
        starts, ends: letters of its T tokens of the passage, (T,) each, in order.
        begin, finish: logits of each as the first and as the last token of the answer, (T,) each.
        none: logit of "no answer", the sum of both.
    """

    starts: Array
    ends: Array
    begin: Array
    finish: Array
    none: float


@dataclass(frozen=True)
class Spans:
    """The best K stretches of a passage, the best one first.

    Attributes:
        starts, ends: letters, int64 (K,).
        logits: float64 (K,).
        none: logit of "no answer".
        total: log of the sum of exp(logit) over all stretches, without "no answer"; -inf where there are none.
    """

    starts: Array
    ends: Array
    logits: Array
    none: float
    total: float


@dataclass(frozen=True)
class Scores:
    """All stretches of a passage of T tokens.

    Attributes:
        starts, ends: letters of each token, (T,).
        table: logits, float64 (T, L); row i, column d is the stretch of tokens i to i + d, -inf where there is none.
        none: logit of "no answer".
    """

    starts: Array
    ends: Array
    table: Array
    none: float


def all_spans(windows: Sequence[Window], longest: int) -> Scores:
    """The stretches of one passage, of each the best score that a window gives it.

    Args:
        windows: its features, in the passage's order; at least one.
        longest: tokens of a stretch at most.
    """
    starts, ends, offsets = _laid_out(windows)
    longest = min(longest, len(starts))
    table = np.full((len(starts), longest), -np.inf)
    if longest:
        for window, offset in zip(windows, offsets, strict=True):
            part = table[offset : offset + len(window.starts)]
            np.maximum(part, span_table(window.begin, window.finish, longest), out=part)
    return Scores(starts, ends, table, min(window.none for window in windows))


def best_spans(windows: Sequence[Window], longest: int, count: int) -> Spans:
    """The best stretches of one passage, at most `count` of them; see `all_spans`."""
    scores = all_spans(windows, longest)
    starts, ends, table = scores.starts, scores.ends, scores.table
    if table.size == 0:
        nothing = np.zeros(0, dtype=np.int64)
        return Spans(nothing, nothing, np.zeros(0), scores.none, float("-inf"))
    flat = table.ravel()
    # A token without letters (a lone space piece) can neither begin nor end an answer.
    first, length = np.divmod(_largest(flat, count), table.shape[1])
    kept = ends[first + length] > starts[first]
    first, last = first[kept], (first + length)[kept]
    return Spans(starts[first], ends[last], table[first, last - first], scores.none, log_sum(flat))


def log_sum(logits: Array) -> float:
    """log Σ exp, safe for large logits and for -inf."""
    highest = float(logits.max(initial=-np.inf))
    return highest + float(np.log(np.exp(logits - highest).sum())) if np.isfinite(highest) else highest


def span_table(begin: Array, finish: Array, longest: int) -> Array:
    """Scores of all stretches: (T,) and (T,) → float64 (T, longest); column d is the stretch of d + 1 tokens."""
    padded = np.concatenate([finish.astype(np.float64), np.full(longest - 1, -np.inf)])
    return np.asarray(begin.astype(np.float64)[:, None] + sliding_window_view(padded, longest))


def _largest(flat: Array, count: int) -> Array:
    """Numbers of the largest finite values, largest first; of equal ones the first."""
    count = min(count, len(flat))
    chosen = np.argpartition(-flat, count - 1)[:count]
    # What equals the smallest chosen value is ordered by its place, not by how the partition fell.
    edge = flat[chosen].min()
    chosen = np.flatnonzero(flat >= edge) if np.isfinite(edge) else np.flatnonzero(np.isfinite(flat))
    return np.asarray(chosen[np.argsort(-flat[chosen], kind="stable")][:count])


def _laid_out(windows: Sequence[Window]) -> tuple[Array, Array, list[int]]:
    """Letters of all tokens of the passage that windows hold, and at which of them each window begins."""
    starts, ends = windows[0].starts, windows[0].ends
    offsets = [0]
    for window in windows[1:]:
        offset = _overlap(starts, ends, window)
        shared = len(starts) - offset
        starts = np.concatenate([starts, window.starts[shared:]])
        ends = np.concatenate([ends, window.ends[shared:]])
        offsets.append(offset)
    return starts, ends, offsets


def _overlap(starts: Array, ends: Array, window: Window) -> int:
    """Number of the token at which a window begins; behind the last one where it shares none."""
    if len(window.starts) == 0:
        return len(starts)
    for offset in np.flatnonzero(starts == window.starts[0]).tolist():
        shared = min(len(starts) - offset, len(window.starts))
        same = np.array_equal(starts[offset : offset + shared], window.starts[:shared])
        if same and np.array_equal(ends[offset : offset + shared], window.ends[:shared]):
            return int(offset)
    return len(starts)

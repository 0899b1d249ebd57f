"""Which features go together into a batch: neighbours in length, in an order that only the seed decides.

Padding is wasted work. Features are shuffled, cut into buckets of many batches, sorted by length inside each
bucket and cut into batches; the batches are shuffled again. The order of epoch e is a function of (seed, e)
alone, so a resumed run recomputes it and skips what was done: there is no sampler state to lose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.seeds import derive

if TYPE_CHECKING:
    from provetune.core.protocols import Array

BUCKET_BATCHES = 50


@dataclass(frozen=True)
class Group:
    """The batches of one optimiser step, and where it stands."""

    step: int
    epoch: int
    batches: tuple[Array, ...]


class BatchPlan:
    """The batches of a whole run.

    Args:
        lengths: tokens of each feature, (F,).
        rows: features in a batch at most.
        tokens: tokens in a batch at most once padded; a longer feature is a batch of its own.
        epochs: passes over all features; a fraction cuts the last pass short.
        accumulate: batches of one step.
        seed: decides the order.
    """

    def __init__(self, lengths: Array, *, rows: int, tokens: int, epochs: float, accumulate: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.rows = rows
        self.tokens = tokens
        self.epochs = epochs
        self.accumulate = accumulate
        self.seed = seed
        self._epoch_batches = lru_cache(maxsize=2)(self._order)
        self._steps_of = [self._steps_in(epoch) for epoch in range(int(np.ceil(epochs)))]

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return sum(self._steps_of)

    def groups(self, start: int = 0) -> Iterator[Group]:
        """The steps from number `start` on, in order."""
        step = 0
        for epoch, count in enumerate(self._steps_of):
            if step + count <= start:
                step += count
                continue
            batches = self._epoch_batches(epoch)
            for index in range(count):
                if step >= start:
                    first = index * self.accumulate
                    yield Group(step, epoch, tuple(batches[first : first + self.accumulate]))
                step += 1

    def _steps_in(self, epoch: int) -> int:
        whole = -(-len(self._epoch_batches(epoch)) // self.accumulate)
        share = min(1.0, self.epochs - epoch)
        return whole if share >= 1.0 else max(1, round(whole * share))

    def _order(self, epoch: int) -> list[Array]:
        draw = np.random.default_rng(derive(self.seed, "order", str(epoch)))
        shuffled = draw.permutation(len(self.lengths))
        batches: list[Array] = []
        size = self.rows * BUCKET_BATCHES
        for start in range(0, len(shuffled), size):
            bucket = shuffled[start : start + size]
            # Descending, so that the first feature of a batch is its longest and fixes how many fit.
            bucket = bucket[np.argsort(-self.lengths[bucket], kind="stable")]
            batches.extend(self._cut(bucket))
        return [batches[index] for index in draw.permutation(len(batches))]

    def _cut(self, bucket: Array) -> Iterator[Array]:
        start = 0
        while start < len(bucket):
            longest = max(1, int(self.lengths[bucket[start]]))
            count = max(1, min(self.rows, self.tokens // longest))
            yield bucket[start : start + count]
            start += count

"""How long one text takes: batch one, in blocks, so that a hiccup of the machine is seen for what it is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from provetune.core.errors import UsageError

BLOCKS = 20
TEXTS_A_BLOCK = 20
WARM_UP = 5
QUANTILES = {"latency_p50_ms": 50, "latency_p95_ms": 95, "latency_p99_ms": 99}


def measure_latency(
    predict_one: Callable[[Any], object],
    texts: Sequence[Any],
    *,
    blocks: int = BLOCKS,
    block_texts: int = TEXTS_A_BLOCK,
    seed: int = 0,
    engine: str = "",
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Time single calls on texts drawn in random order.

    Args:
        predict_one: answers one text.
        texts: validation texts; drawn again where there are fewer than needed.
        blocks: at least 20, which is what a bound on the median block needs.
        block_texts: texts in a block.
        engine: what computes, kept beside the figures.

    Returns:
        JSON-ready: ``latency_p50_ms``, ``latency_p95_ms`` and ``latency_p99_ms`` over all texts; under ``blocks``
        for each of these the quantile within each block, which is what acceptance is judged by; ``texts``
        timed; ``engine``.

    Raises:
        UsageError: no texts, or too few blocks.
    """
    if not texts:
        raise UsageError("There are no texts to time.")
    if blocks < BLOCKS or block_texts < 1:
        raise UsageError(f"At least {BLOCKS} blocks of one text are needed. Got {blocks} of {block_texts}.")
    draw = random.Random(seed)
    order: list[Any] = []
    while len(order) < blocks * block_texts:
        order += draw.sample(list(texts), len(texts))
    for text in order[:WARM_UP]:
        predict_one(text)
    times = np.empty(blocks * block_texts)
    for number in range(len(times)):
        started = clock()
        predict_one(order[number])
        times[number] = (clock() - started) * 1000
    table = times.reshape(blocks, block_texts)
    return {
        **{name: float(np.percentile(times, share)) for name, share in QUANTILES.items()},
        "blocks": {name: np.percentile(table, share, axis=1).tolist() for name, share in QUANTILES.items()},
        "texts": len(times),
        "engine": engine,
    }

"""What a bundle costs to use: size on the disk, time of one text, texts in a second, peak memory.

Two bundles are measured in turn on the same texts, because a machine is faster one minute than the next. Memory is that
of a process of its own which loads the bundle and answers, libraries among it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from provetune.core.files import write_json
from provetune.inference.latency import BLOCKS, QUANTILES, TEXTS_A_BLOCK

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.inference.predictor import Predictor

BULK_TEXTS = 512
BULK_ROUNDS = 3
MEMORY_TEXTS = 64
_LONGEST_BLOCK_S = 2.0
_LONGEST_BULK_S = 10.0


def size_of(folder: Path) -> int:
    """Bytes of all files of a bundle."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def measure_in_turn(
    predictors: Mapping[str, Predictor],
    examples: pa.Table,
    *,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Time of one text and texts in a second, of each predictor.

    Args:
        predictors: by name.
        examples: validation rows, texts joined and masked already.

    Returns:
        JSON-ready: ``blocks`` by name and quantile, in milliseconds, ``rounds``, ``texts_a_block``; ``latency``, the
        medians over blocks; ``throughput``, texts in a second by name.
    """
    from provetune.study.paired_latency import input_texts, time_in_turn

    asked = examples.slice(0, BULK_TEXTS)
    texts = input_texts(asked, paired=next(iter(predictors.values())).columns.paired)
    answers = {name: _answering(predictor) for name, predictor in predictors.items()}
    for answer in answers.values():
        answer(texts[0])
    slowest = max(_seconds(partial(answer, texts[0]), clock) for answer in answers.values())
    block = max(1, min(TEXTS_A_BLOCK, int(_LONGEST_BLOCK_S / max(slowest, 1e-6))))
    blocks = time_in_turn(answers, texts, rounds=BLOCKS, block_texts=block, seed=seed, clock=clock)
    bulk = asked.slice(0, max(1, min(asked.num_rows, int(_LONGEST_BULK_S / max(slowest, 1e-6)))))
    return {
        "rounds": BLOCKS,
        "texts_a_block": block,
        "blocks": blocks,
        "latency": {name: {metric: median(blocks[name][metric]) for metric in QUANTILES} for name in predictors},
        "throughput": _throughput(predictors, bulk, random.Random(seed), clock),
        "threads": _threads(),
        "engines": {name: predictor.engine for name, predictor in predictors.items()},
    }


def peak_memory(folder: Path, examples: pa.Table, scratch: Path, *, threads: int | None = None) -> int | None:
    """Bytes that a fresh process holds at most while it loads a bundle and answers; None where it cannot be told.

    Args:
        scratch: a folder for the texts that are asked.
    """
    asked = examples.slice(0, MEMORY_TEXTS)
    kept = [name for name in asked.column_names if name in ("text", "text_pair")]
    file = Path(scratch) / "asked.json"
    write_json(file, {name: asked.column(name).to_pylist() for name in kept})
    command = [sys.executable, "-m", "provetune.compression.footprint", str(folder), str(file), str(threads or 0)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    try:
        found = json.loads(ended.stdout.strip().splitlines()[-1])["peak_bytes"]
    except (IndexError, ValueError, KeyError, TypeError):
        return None
    return None if found is None else int(found)


def _throughput(
    predictors: Mapping[str, Predictor], bulk: pa.Table, draw: random.Random, clock: Callable[[], float]
) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in predictors}
    names: Sequence[str] = list(predictors)
    for _ in range(BULK_ROUNDS):
        for name in draw.sample(names, len(names)):
            seconds[name].append(_seconds(partial(predictors[name].answers, bulk), clock))
    return {name: bulk.num_rows / max(median(taken), 1e-9) for name, taken in seconds.items()}


def _answering(predictor: Predictor) -> Callable[[Any], object]:
    return lambda text: predictor.predict([text])


def _seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    work()
    return clock() - began


def _threads() -> int | None:
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())

"""Latencies that are to be compared: candidates measured in turn, on the same texts, alone on the machine.

A machine is faster one minute than the next. Blocks of the candidates therefore follow each other in an order that is
shuffled each round, and what is judged is the difference within a round. Only validation texts are timed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.files import write_json
from provetune.inference.latency import BLOCKS, QUANTILES, TEXTS_A_BLOCK, WARM_UP
from provetune.study.splits_store import load_split
from provetune.study.trial import BUNDLE, fix_arithmetic
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from provetune.study.worker import Work

FILE = "latency.json"
JOB = "provetune.study.paired_latency:paired_latency_job"
ROUNDS = 2 * BLOCKS
"""A sign test finds little in twenty rounds."""


def paired_latency_job(spec: Mapping[str, Any]) -> Work:
    """A worker's job: bundles of several candidates timed in turn.

    Args:
        spec: ``trials`` (`TrialSpec`s by candidate), ``file`` to write, and ``threads``.
    """
    from provetune.inference.predictor import load

    trials = {name: TrialSpec.from_json({**each, "threads": spec["threads"]}) for name, each in spec["trials"].items()}
    fix_arithmetic(max(trials.values(), key=lambda trial: trial.backbone is not None))
    yield {"event": "measuring"}
    predictors = {name: load(trial.place / BUNDLE, device=trial.device) for name, trial in trials.items()}
    first = next(iter(trials.values()))
    paired = next(iter(predictors.values())).columns.paired
    texts = input_texts(load_split(Path(first.study_folder), "validation"), paired=paired)
    answers = {name: _answering(predictor) for name, predictor in predictors.items()}
    measured = {
        "rounds": ROUNDS,
        "texts_a_block": TEXTS_A_BLOCK,
        "runs": {name: trial.k for name, trial in trials.items()},
        "engines": {name: predictor.engine for name, predictor in predictors.items()},
        "blocks": time_in_turn(answers, texts),
    }
    write_json(Path(spec["file"]), measured)
    return measured


def time_in_turn(
    answers: Mapping[str, Callable[[Any], object]],
    texts: Sequence[Any],
    *,
    rounds: int = ROUNDS,
    block_texts: int = TEXTS_A_BLOCK,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict[str, list[float]]]:
    """For each candidate and each quantile its value in every round, in milliseconds.

    Args:
        answers: answers one text, by candidate.
        texts: drawn in random order, again where there are too few; all candidates get the same in a round.

    Raises:
        UsageError: no texts, or fewer than 20 rounds.
    """
    if not texts:
        raise UsageError("There are no texts to time.")
    if rounds < BLOCKS or block_texts < 1:
        raise UsageError(f"At least {BLOCKS} rounds of one text are needed. Got {rounds} of {block_texts}.")
    draw = random.Random(seed)
    names = list(answers)
    for name in names:
        for text in list(texts)[:WARM_UP]:
            answers[name](text)
    found: dict[str, dict[str, list[float]]] = {name: {metric: [] for metric in QUANTILES} for name in names}
    for _ in range(rounds):
        block = [texts[draw.randrange(len(texts))] for _ in range(block_texts)]
        for name in draw.sample(names, len(names)):
            times = [_time_one(answers[name], text, clock) for text in block]
            for metric, share in QUANTILES.items():
                found[name][metric].append(float(np.percentile(times, share)))
    return found


def input_texts(examples: Any, *, paired: bool = True) -> list[Any]:
    """The texts of examples, pairs as tuples.

    Args:
        paired: whether bundles are asked with both texts; a query is asked without its document.
    """
    texts: list[Any] = examples.column("text").to_pylist()
    if not paired or "text_pair" not in examples.column_names:
        return texts
    return list(zip(texts, examples.column("text_pair").to_pylist(), strict=True))


def _answering(predictor: Any) -> Callable[[Any], object]:
    return lambda text: predictor.predict([text])


def _time_one(answer: Callable[[Any], object], text: Any, clock: Callable[[], float]) -> float:
    started = clock()
    answer(text)
    return (clock() - started) * 1000

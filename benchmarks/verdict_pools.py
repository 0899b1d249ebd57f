"""Real runs: twenty seeds of two cheap methods on five real sets, and studies drawn from these pools.

A/A: five runs of a candidate against five others of the same, on 500 rows; whatever is supported is false. Pairs: five
runs of each of two candidates, held against the difference of their pools of twenty seeds and all rows. Predictions are
kept in ``scratch/verdict_pools``, so that the training is done once.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import DATA, say
from verdict_rules import RULES, Array, Judged, judge

KEPT = Path(__file__).resolve().parents[1] / "scratch" / "verdict_pools"
SEEDS, SIDE, ROWS = 20, 5, 500
CANDIDATES = ("words", "half")
"""All words and word pairs (characters in Chinese), and a random half of them, another for each run."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class RealSet:
    """A data set's rows: `train` of them are learned from, up to `pool` of the others are judged on."""

    language: str
    train: int
    pool: int
    metrics: tuple[str, ...]
    read: Callable[[], Iterator[tuple[str, str]]]


@dataclass(frozen=True)
class Pool:
    """What twenty runs of a candidate said about the same rows: labels (N,), predictions (20, N)."""

    labels: Array
    predictions: Array
    classes: int


def _read_csv(*files: str, text: str, label: str) -> Callable[[], Iterator[tuple[str, str]]]:
    def read() -> Iterator[tuple[str, str]]:
        for file in files:
            with (DATA / file).open(encoding="utf-8-sig", newline="") as stream:
                yield from ((row[text], row[label]) for row in csv.DictReader(stream) if row[label] != "oos")

    return read


def _read_jsonl(*files: str, text: str, label: str) -> Callable[[], Iterator[tuple[str, str]]]:
    def read() -> Iterator[tuple[str, str]]:
        for file in files:
            for line in (DATA / file).read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                yield row[text], str(row[label])

    return read


BOTH = ("accuracy", "macro_f1")
SETS = {
    "sst2": RealSet(
        "en", 2000, 5000, BOTH, _read_jsonl("sst2/train.jsonl", "sst2/test.jsonl", text="text", label="label")
    ),
    "waimai_zh": RealSet("zh", 2000, 5000, BOTH, _read_csv("waimai_zh/waimai_10k.csv", text="review", label="label")),
    "noisy_ag_news": RealSet(
        "en", 2000, 5000, BOTH, _read_jsonl("noisy_ag_news/test.jsonl", text="text", label="gold")
    ),
    "hwu64": RealSet(
        "en", 4000, 5000, ("accuracy",), _read_csv("hwu64/train.csv", "hwu64/test.csv", text="text", label="intent")
    ),
    "clinc150": RealSet(
        "en",
        6000,
        5000,
        ("accuracy",),
        _read_csv("clinc150/train.csv", "clinc150/test.csv", text="text", label="intent"),
    ),
}


def present(name: str) -> bool:
    """Whether the shared data set is on this machine."""
    return (DATA / name).is_dir()


def pool(name: str, candidate: str) -> Pool:
    """Twenty trained runs of a candidate, from the cache or made now."""
    path = KEPT / f"{name}-{candidate}.npz"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        say(f"training {SEEDS} runs of {candidate} on {name}")
        made = _train(name, candidate)
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, labels=made.labels, predictions=made.predictions, classes=made.classes)
        part.replace(path)
    with np.load(path, allow_pickle=False) as kept:
        return Pool(kept["labels"], kept["predictions"], int(kept["classes"]))


def same_against_same(name: str, metric: str, splits: int, replicates: int) -> dict[str, Any]:
    """A/A studies of one set: false support per side and coverage by rule, averaged over the candidates."""
    found = [_measure((pool(name, one),) * 2, metric, splits, replicates, f"{name}/{one}") for one in CANDIDATES]
    return _average(found)


def one_against_other(name: str, metric: str, splits: int, replicates: int) -> dict[str, Any]:
    """Studies of the two candidates of one set against the truth of their pools."""
    pair = (pool(name, CANDIDATES[0]), pool(name, CANDIDATES[1]))
    return _average([_measure(pair, metric, splits, replicates, f"{name}/pair")])


def _measure(pair: tuple[Pool, Pool], metric: str, splits: int, replicates: int, name: str) -> dict[str, Any]:
    """Rates over random studies, and their Monte-Carlo standard errors: the pool's seeds and rows resampled."""
    same = pair[0] is pair[1]
    random = np.random.default_rng([20_260_103, zlib.crc32(f"{name}/{metric}".encode())])
    everything = (np.arange(SEEDS), np.arange(SEEDS), np.arange(len(pair[0].labels)))
    rates = _rates(pair, metric, splits, everything, random, same=same)
    drawn = []
    few = max(50, splits // 5)
    for _ in range(replicates):
        seeds = [_some_seeds(random) for _ in range(2)]
        rows = random.integers(0, len(pair[0].labels), len(pair[0].labels))
        again = _rates(pair, metric, few, (seeds[0], seeds[0] if same else seeds[1], rows), random, same=same)
        drawn.append(again)
    errors = {}
    for rule, measured in rates.items():
        errors[rule] = {}
        for what, rate in measured.items():
            spread = np.var([one[rule][what] for one in drawn], ddof=1) if replicates > 1 else 0.0
            # A replicate has fewer studies than the measurement itself; what that adds is taken away.
            noise = rate * (1 - rate)
            errors[rule][what] = float(np.sqrt(max(spread - noise / few, 0.0) + noise / splits))
    return {"rates": rates, "errors": errors}


def _rates(
    pair: tuple[Pool, Pool], metric: str, splits: int, units: tuple[Array, Array, Array], random: Any, *, same: bool
) -> dict[str, dict[str, float]]:
    truth = 0.0 if same else _truth(pair, metric, units)
    left, right = _studies(pair, metric, splits, units, random, same=same)
    judged = judge(left, right, 1.0 if metric == "accuracy" else None)
    return {rule: _rule_rates(judged, rule, truth) for rule in RULES}


def _rule_rates(judged: Judged, rule: str, truth: float) -> dict[str, float]:
    off, reach, wide = judged.effect - truth, judged.reach(rule, CONFIDENCE), judged.reach(rule, (1 + CONFIDENCE) / 2)
    return {
        "above": float((off > reach).mean()),
        "below": float((-off > reach).mean()),
        "false": float((np.abs(off) > reach).mean() / 2),
        "covered": float((np.abs(off) <= wide).mean()),
    }


def _studies(
    pair: tuple[Pool, Pool], metric: str, splits: int, units: tuple[Array, Array, Array], random: Any, *, same: bool
) -> list[Array]:
    """Contributions (splits, 5, 500) of either side; the sides share rows, and no run where they share a pool."""
    rows = np.stack([random.choice(units[2], ROWS, replace=False) for _ in range(splits)])
    if same:
        drawn = np.stack([random.choice(units[0], 2 * SIDE, replace=False) for _ in range(splits)])
        runs = [drawn[:, :SIDE], drawn[:, SIDE:]]
    else:
        runs = [np.stack([random.choice(seeds, SIDE, replace=False) for _ in range(splits)]) for seeds in units[:2]]
    return [
        contributions(metric, one.labels[rows], one.predictions[run[:, :, None], rows[:, None, :]], one.classes)
        for one, run in zip(pair, runs, strict=True)
    ]


def contributions(metric: str, labels: Array, predictions: Array, classes: int) -> Array:
    """Of many studies at once: labels (S, n) and predictions (S, k, n) to (S, k, n), float32."""
    gold = labels[:, None, :]
    if metric == "accuracy":
        return (predictions == gold).astype(np.float32)
    rows = labels.shape[-1]
    parts = []
    for label in range(classes):
        said, is_gold = predictions == label, gold == label
        hit = said & is_gold
        size = np.float32(said.sum(axis=-1, keepdims=True) + is_gold.sum(axis=-1, keepdims=True))
        f1 = 2 * hit.sum(axis=-1, keepdims=True) / np.maximum(size, 1)
        moved = (2 * hit - f1 * (said.astype(np.float32) + is_gold)) / np.maximum(size, 1)
        parts.append((size > 0, f1, moved.astype(np.float32)))
    occurring = sum(there.astype(np.float32) for there, _, _ in parts)
    found: Array = sum((there * (f1 + rows * moved) for there, f1, moved in parts), np.float32(0)) / occurring
    return found.astype(np.float32)


def _truth(pair: tuple[Pool, Pool], metric: str, units: tuple[Array, Array, Array]) -> float:
    scores = []
    for one, seeds in zip(pair, units, strict=False):
        said = one.predictions[np.unique(seeds)][:, units[2]]
        scores.append(contributions(metric, one.labels[units[2]][None], said[None], one.classes).mean(dtype=np.float64))
    return float(scores[0] - scores[1])


def _some_seeds(random: Any) -> Array:
    """The runs that a resampled pool holds, each once: a run cannot be on both sides of a study."""
    while True:
        seeds = np.unique(random.integers(0, SEEDS, SEEDS))
        if len(seeds) >= 2 * SIDE:
            return seeds


def _average(measured: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"rates": {}, "errors": {}}
    for rule in RULES:
        names = measured[0]["rates"][rule]
        found["rates"][rule] = {what: float(np.mean([one["rates"][rule][what] for one in measured])) for what in names}
        squares = {what: [one["errors"][rule][what] ** 2 for one in measured] for what in names}
        found["errors"][rule] = {what: float(np.sqrt(np.sum(squares[what])) / len(measured)) for what in names}
    return found


def _train(name: str, candidate: str) -> Pool:
    from sklearn.feature_extraction.text import TfidfVectorizer

    source = SETS[name]
    pairs = sorted(dict(source.read()).items())
    np.random.default_rng(7).shuffle(pairs)
    texts, labels = [text for text, _ in pairs], np.unique([label for _, label in pairs], return_inverse=True)
    numbers = labels[1]
    end = min(source.train + source.pool, len(texts))
    kind = {"analyzer": "char", "ngram_range": (1, 2)} if source.language == "zh" else {"ngram_range": (1, 2)}
    features = TfidfVectorizer(min_df=2, sublinear_tf=True, **kind)
    learned, judged = features.fit_transform(texts[: source.train]), features.transform(texts[source.train : end])
    predictions = [_run(candidate, learned, numbers[: source.train], judged, seed) for seed in range(SEEDS)]
    return Pool(numbers[source.train : end].astype(np.int16), np.stack(predictions).astype(np.int16), len(labels[0]))


def _run(candidate: str, learned: Any, labels: Array, judged: Any, seed: int) -> Array:
    from sklearn.linear_model import SGDClassifier

    if candidate == "half":
        width = learned.shape[1]
        kept = np.random.default_rng([seed, width]).choice(width, width // 2, replace=False)
        learned, judged = learned[:, kept], judged[:, kept]
    # Few epochs, and the last weights rather than their average: chance is to have its part, as in fine-tuning.
    model = SGDClassifier(loss="log_loss", alpha=1e-4, max_iter=3, tol=None, random_state=seed)
    found: Array = model.fit(learned, labels).predict(judged)
    return found

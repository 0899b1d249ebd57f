"""Studies whose truth is known: candidates, runs and rows drawn from a latent model, for three metrics.

A run of a candidate is right on a row where μ + α + u + b + g > 0: α is the run's luck, u the row's ease for all
candidates, b its ease for this candidate, g what is left for this run, u + b + g of variance 1. The shares of u, b
and g are those for which, at 90 % accuracy, two runs of a candidate disagree on 4.5 % of rows (e = 15 points) and two
candidates' chances on a row differ with SD 17.3 points: the scatter behind the published table of smallest effects.

The truth of a cell is the expectation over runs of the score on endlessly many rows, by quadrature over α.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from provetune.statistics.contributions import micro_f1_contributions

ROW, CANDIDATE, RUN = 0.854, 0.094, 0.052
BASE = 0.90
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Procedure:
    """A candidate: its place and its runs' luck, both on the latent scale; `runs` of 1 is one without chance."""

    place: float
    luck: float
    runs: int | None = None
    collapses: float = 0.0


@dataclass(frozen=True)
class Drawn:
    """Outcomes of many studies: what rows are (S, n) and what each candidate's runs did with them (S, k, n)."""

    rows: dict[str, Array]
    runs: tuple[dict[str, Array], ...]


class Accuracy:
    """One label a row; a row's score is whether it is right."""

    name = "accuracy"
    unit: float | None = 1.0

    def score(self, skill: Array) -> Array:
        """On endlessly many rows, of runs with this skill μ + α."""
        found: Array = ndtr(skill)
        return found

    def draw(self, random: np.random.Generator, studies: int, rows: int, runs: Sequence[Array]) -> Drawn:
        """Outcomes of runs with these skills, one array (S, k) a candidate."""
        shared = _normal(random, (studies, rows), ROW)
        return Drawn({}, tuple({"hits": _hits(random, skills, shared)} for skills in runs))

    def contributions(self, drawn: Drawn, candidate: int, seeds: int, rows: int) -> Array:
        """Of the first seeds and rows, (S, k, n), as `provetune.statistics.crossed.cross` takes them."""
        return drawn.runs[candidate]["hits"][:, :seeds, :rows].astype(np.float32)


class MacroF1(Accuracy):
    """Four labels of unequal frequency and difficulty; a wrong row gets a label that is the row's own temptation."""

    name = "macro_f1"
    unit = None
    frequency = np.array([0.4, 0.3, 0.2, 0.1])
    ease = np.array([0.15, 0.05, -0.10, -0.35])

    def score(self, skill: Array) -> Array:
        right = ndtr(skill[..., None] + self.ease)
        tempted = self.frequency / (1 - self.frequency)[:, None]
        np.fill_diagonal(tempted, 0.0)
        predicted = self.frequency * right + (self.frequency * (1 - right)) @ tempted
        found: Array = (2 * self.frequency * right / (self.frequency + predicted)).mean(axis=-1)
        return found

    def draw(self, random: np.random.Generator, studies: int, rows: int, runs: Sequence[Array]) -> Drawn:
        labels = self._labels(random, (studies, rows))
        tempting = self._labels(random, (studies, rows))
        while (same := tempting == labels).any():
            tempting[same] = self._labels(random, int(same.sum()))
        shared = _normal(random, (studies, rows), ROW) + self.ease.astype(np.float32)[labels]
        facts = {"labels": labels, "tempting": tempting}
        return Drawn(facts, tuple({"hits": _hits(random, skills, shared)} for skills in runs))

    def contributions(self, drawn: Drawn, candidate: int, seeds: int, rows: int) -> Array:
        """The influence form of `provetune.statistics.rows`, for all studies at once."""
        hits = drawn.runs[candidate]["hits"][:, :seeds, :rows].astype(np.float32)
        classes = np.arange(4, dtype=np.uint8)[:, None]
        of_label, of_tempting = (
            (drawn.rows[name][:, None, :rows] == classes).astype(np.float32) for name in ("labels", "tempting")
        )
        hit = hits @ of_label.swapaxes(1, 2)
        gold = of_label.sum(axis=2)[:, None]
        size = gold + hit + (1 - hits) @ of_tempting.swapaxes(1, 2)
        occurs = size > 0
        share = np.where(occurs, rows / np.maximum(occurs.sum(axis=-1, keepdims=True), 1), 0.0)
        f1 = 2 * hit / np.maximum(size, 1)
        score = (f1 * occurs).sum(axis=-1, keepdims=True) / np.maximum(occurs.sum(axis=-1, keepdims=True), 1)
        score = score.astype(np.float32)
        by_size = (share * -f1 / np.maximum(size, 1)).astype(np.float32)
        by_hit = (share * 2 / np.maximum(size, 1)).astype(np.float32)
        wrong = by_size @ of_tempting
        found: Array = score + by_size @ of_label + wrong + hits * ((by_hit + by_size) @ of_label - wrong)
        return found

    def _labels(self, random: np.random.Generator, shape: int | tuple[int, int]) -> Array:
        return np.searchsorted(self.frequency.cumsum()[:-1], random.random(shape, dtype=np.float32)).astype(np.uint8)


class EntityF1(Accuracy):
    """Up to three entities a row; half of the missed ones are found wrongly, and some are made up."""

    name = "entity_f1"
    unit = None
    counts = np.array([0.30, 0.35, 0.20, 0.15])
    slots = 3

    def score(self, skill: Array) -> Array:
        gold = float(self.counts @ np.arange(4))
        right, made_up = ndtr(skill), ndtr(-skill)
        found: Array = 2 * gold * right / (gold * right + gold * (1 - right) / 2 + made_up + gold)
        return found

    def draw(self, random: np.random.Generator, studies: int, rows: int, runs: Sequence[Array]) -> Drawn:
        shape = (studies, rows)
        gold = np.searchsorted(self.counts.cumsum()[:-1], random.random(shape, dtype=np.float32)).astype(np.int8)
        row = _normal(random, shape, ROW / 4)
        found = [{name: np.zeros((*skills.shape, rows), np.int8) for name in ("hits", "predicted")} for skills in runs]
        for slot in range(self.slots):
            there = (gold > slot)[:, None, :]
            guessed = (random.random(shape, dtype=np.float32) < 0.5)[:, None, :]
            shared = row + _normal(random, shape, 3 * ROW / 4)
            for sums, skills in zip(found, runs, strict=True):
                hits = _hits(random, skills, shared) & there
                sums["hits"] += hits
                sums["predicted"] += hits | (there & guessed)
        shared = _normal(random, shape, ROW)
        for sums, skills in zip(found, runs, strict=True):
            sums["predicted"] += ~_hits(random, skills, shared)
        return Drawn({"gold": gold}, tuple(found))

    def contributions(self, drawn: Drawn, candidate: int, seeds: int, rows: int) -> Array:
        hits, predicted = (drawn.runs[candidate][name][:, :seeds, :rows] for name in ("hits", "predicted"))
        return micro_f1_contributions(hits, predicted, drawn.rows["gold"][:, None, :rows]).astype(np.float32)


WORLDS: dict[str, Accuracy] = {world.name: world for world in (Accuracy(), MacroF1(), EntityF1())}


def expected(world: Accuracy, candidate: Procedure) -> float:
    """The score of a procedure: over its runs, on endlessly many rows."""
    scores = float(_WEIGHTS @ world.score(candidate.place + candidate.luck * _NODES))
    if candidate.collapses == 0:
        return scores
    return (1 - candidate.collapses) * scores + candidate.collapses * float(world.score(np.array(COLLAPSED)))


COLLAPSED = float(ndtri(0.70))


@cache
def procedure(metric: str, score: float, seed_sd: float) -> Procedure:
    """The procedure that scores this on average, and whose runs' true scores have this SD."""
    world = WORLDS[metric]

    def placed(luck: float) -> Procedure:
        return Procedure(brentq(lambda place: expected(world, Procedure(place, luck)) - score, -1, 6), luck)

    def excess(luck: float) -> float:
        found = placed(luck)
        scores = world.score(found.place + found.luck * _NODES)
        return float(np.sqrt(_WEIGHTS @ (scores - score) ** 2)) - seed_sd

    return placed(0.0 if seed_sd == 0 else brentq(excess, 1e-4, 0.6, xtol=1e-7))


def skills(random: np.random.Generator, candidate: Procedure, studies: int, seeds: int) -> Array:
    """Skill μ + α of every run, (S, k)."""
    count = candidate.runs or seeds
    found = candidate.place + candidate.luck * random.standard_normal((studies, count))
    if candidate.collapses:
        found = np.where(random.random(found.shape) < candidate.collapses, COLLAPSED, found)
    return found.astype(np.float32)


def chunked(studies: int, rows: int, seeds: int, judge: Callable[[int], Any]) -> list[Any]:
    """`judge` called for portions of the studies that fit into little memory."""
    step = max(1, 4_000_000 // (rows * seeds))
    return [judge(min(step, studies - start)) for start in range(0, studies, step)]


def _hits(random: np.random.Generator, skills: Array, shared: Array) -> Array:
    """Whether each run is right on each row, (S, k, n)."""
    threshold = -(shared + _normal(random, shared.shape, CANDIDATE)) / np.float32(RUN**0.5)
    noise = random.standard_normal((*skills.shape, shared.shape[1]), dtype=np.float32)
    noise += (skills / np.float32(RUN**0.5))[:, :, None]
    found: Array = noise > threshold[:, None, :]
    return found


def _normal(random: np.random.Generator, shape: tuple[int, ...], variance: float) -> Array:
    return random.standard_normal(shape, dtype=np.float32) * np.float32(variance**0.5)

"""Several claims, several looks: family-wise error, equivalence at its edge, reuse of a test, stopping early."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from verdict_grid import baseline
from verdict_rules import Array, Judged, judge
from verdict_worlds import WORLDS, Procedure, chunked, procedure, skills

from provetune.statistics.crossed import Components, Estimate, Parts, cross
from provetune.statistics.looks import interim_alphas, spend
from provetune.statistics.questions import Question, answer
from provetune.study.interim import FUTILITY_ALPHA, Decisions

ALPHA = 0.05
METRIC = "accuracy"
LOOKS = 8
RELATED = 0.8
"""How much of the best variant's ease with single rows the next variant inherits: a hill-climber's small step."""


@dataclass(frozen=True)
class Family:
    """Claims of one study, each at or beyond its edge.

    Attributes:
        scores: of the candidates, in points above the baseline.
        claims: (left, right): left > right.
        null: which claims are not true (left = right).
    """

    scores: tuple[float, ...]
    claims: tuple[tuple[int, int], ...]

    @property
    def null(self) -> list[int]:
        return [place for place, (a, b) in enumerate(self.claims) if self.scores[a] == self.scores[b]]


FAMILIES = {
    "three candidates, all equal": Family((0, 0, 0), ((0, 1), (1, 2), (0, 2))),
    "six against one baseline, all equal": Family((0,) * 7, tuple((place, 6) for place in range(6))),
    "one truly better, two equal": Family((3, 0, 0), ((0, 2), (1, 2), (2, 1))),
}


def family_wise(name: str, studies: int, seeds: int, rows: int, seed_sd: float) -> dict[str, Any]:
    """Studies in which any claim at its edge is supported (or refuted), with Holm's correction and without."""
    family = FAMILIES[name]
    base = baseline(METRIC)
    candidates = [procedure(METRIC, base + score / 100, seed_sd) for score in family.scores]
    random = _random("family", name, seeds, rows, seed_sd)

    def portion(count: int) -> list[int]:
        values = _values(random, candidates, count, seeds, rows)
        found = [_estimates(cross(values[a], values[b]), seeds, rows) for a, b in family.claims]
        sums = [0, 0, 0]
        for study in range(count):
            answers = answer([Question("order", ">", 0.0, None, one[study]) for one in found], ALPHA)
            null = [answers[place] for place in family.null]
            sums[0] += any(one.verdict == "supported" for one in null)
            sums[1] += any(one.verdict == "refuted" for one in null)
            sums[2] += any(one.p is not None and one.p <= ALPHA for one in null)
        return sums

    supported, refuted, alone = _add(chunked(studies, rows, seeds * len(candidates), portion))
    return {"studies": studies, "supported": supported, "refuted": refuted, "uncorrected": alone}


def equivalence(studies: int, seeds: int, rows: int, seed_sd: float, margin: float = 0.01) -> dict[str, Any]:
    """`a ~ b ± margin` where the truth lies on the margin: how often it is supported."""
    base = baseline(METRIC)
    pair = (procedure(METRIC, base + margin, seed_sd), procedure(METRIC, base, seed_sd))
    random = _random("equal", seeds, rows, seed_sd)

    def portion(count: int) -> list[int]:
        left, right = _values(random, pair, count, seeds, rows)
        found = _estimates(cross(left, right), seeds, rows)
        answers = [answer([Question("equal", "~", margin, None, one)], ALPHA)[0] for one in found]
        return [sum(one.verdict == wanted for one in answers) for wanted in ("supported", "refuted")]

    supported, refuted = _add(chunked(studies, rows, seeds * 2, portion))
    return {"studies": studies, "supported": supported, "refuted": refuted}


def reuse(studies: int, seeds: int, rows: int, seed_sd: float) -> dict[str, Any]:
    """Eight looks at the same rows by someone who climbs on the exact scores: any false support so far, by look.

    Each variant inherits most of the best one's ease with these very rows; on fresh rows all are equal to the baseline.
    """
    base = procedure(METRIC, baseline(METRIC), seed_sd)
    random = _random("reuse", seeds, rows, seed_sd)

    def portion(count: int) -> Array:
        shared = _scaled(random, (count, rows), 0.854)
        own = [_scaled(random, (count, rows), 0.094) for _ in range(2)]
        reference = _run(random, base, shared + own[0], seeds)
        best, best_score = own[1], np.full(count, -np.inf)
        false = np.zeros((2, LOOKS, count), dtype=bool)
        for look in range(LOOKS):
            step = np.float32((1 - RELATED) ** 0.5) * _scaled(random, (count, rows), 0.094)
            variant = best if look == 0 else np.float32(RELATED**0.5) * best + step
            values = _run(random, base, shared + variant, seeds)
            judged = judge(values, reference, 1.0)
            for number, alpha in enumerate((ALPHA, spend(ALPHA, look + 1))):
                false[number, look] = judged.effect > judged.reach("crossed", 1 - alpha)
            score = values.mean(axis=(1, 2))
            better = score > best_score
            best, best_score = np.where(better[:, None], variant, best), np.maximum(score, best_score)
        return np.logical_or.accumulate(false, axis=1).sum(axis=2)

    unaccounted, halved = np.sum(chunked(studies, rows, seeds * 2, portion), axis=0)
    return {"studies": studies, "unaccounted": unaccounted.tolist(), "halved": halved.tolist()}


def stopping(
    studies: int, claims: Sequence[tuple[int, int]], scores: Sequence[float], rows: int, seed_sd: float, most: int = 10
) -> dict[str, Any]:
    """The interim looks as they are shipped, with validation's futility: false support, seeds used, claims found."""
    base = baseline(METRIC)
    candidates = [procedure(METRIC, base + score / 100, seed_sd) for score in scores]
    random = _random("stopping", claims, scores, rows, seed_sd, most)
    null = {place for place, (a, b) in enumerate(claims) if scores[a] == scores[b]}
    alphas = interim_alphas(ALPHA, most)

    def portion(count: int) -> list[float]:
        luck = [skills(random, one, count, most) for one in candidates]
        test, validation = (_values_of(random, luck, count, rows) for _ in range(2))
        sums = [0.0, 0.0, 0.0]
        for study in range(count):
            runs = [[one[study] for one in values] for values in (test, validation)]
            verdicts, trained = _stop_one(runs[0], runs[1], claims, alphas)
            sums[0] += any(verdicts[place] == "supported" for place in null)
            sums[1] += sum(trained) / len(trained)
            sums[2] += sum(verdict == "supported" for place, verdict in enumerate(verdicts) if place not in null)
        return sums

    false, trained, found = _add(chunked(studies, rows, most * len(candidates) * 2, portion))
    return {"studies": studies, "supported": false, "seeds": trained, "found": found, "true": len(claims) - len(null)}


def every_seed(studies: int, rows: int, seed_sd: float, most: int = 10) -> dict[str, Any]:
    """What must not be done: a test at the full level after every seed from the third on."""
    base = baseline(METRIC)
    pair = [procedure(METRIC, base, seed_sd)] * 2
    random = _random("every", rows, seed_sd, most)

    def portion(count: int) -> list[int]:
        left, right = _values(random, pair, count, most, rows)
        looks = [_supports(judge(left[:, :k], right[:, :k], 1.0)) for k in range(3, most + 1)]
        return [int(np.any(looks, axis=0).sum())]

    return {"studies": studies, "supported": _add(chunked(studies, rows, most * 2, portion))[0]}


def _stop_one(
    test: list[Array], validation: list[Array], claims: Sequence[tuple[int, int]], alphas: dict[int, float]
) -> tuple[list[str], list[int]]:
    decisions = Decisions(len(claims))
    trained = [0] * len(test)
    for seeds, alpha in alphas.items():
        wanted = {side for number in decisions.open() for side in claims[number]}
        if not wanted:
            break
        trained = [seeds if place in wanted else count for place, count in enumerate(trained)]
        found = answer([_ask(test, pair, trained) for pair in claims], alpha)
        decisions.take([{"verdict": one.verdict, "needs": {}, "notes": []} for one in found])
        numbers = decisions.open()
        hopes = answer([_ask(validation, claims[number], trained) for number in numbers], FUTILITY_ALPHA)
        for number, hope in zip(numbers, hopes, strict=True):
            if hope.verdict == "refuted":
                decisions.give_up(number)
    return [one["verdict"] for one in decisions.final()], trained


def _ask(values: list[Array], claim: tuple[int, int], trained: Sequence[int]) -> Question:
    left, right = (values[side][: trained[side]] for side in claim)
    components = cross(left, right)
    return Question("order", ">", 0.0, None, _estimate(components, (), len(left), left.shape[1]))


def _supports(judged: Judged) -> Array:
    found: Array = judged.effect > judged.reach("crossed", 1 - ALPHA)
    return found


def _run(random: np.random.Generator, base: Procedure, ease: Array, seeds: int) -> Array:
    noise = _scaled(random, (len(ease), seeds, ease.shape[1]), 0.052)
    skill = skills(random, base, len(ease), seeds)
    return (noise + ease[:, None, :] + skill[:, :, None] > 0).astype(np.float32)


def _values(
    random: np.random.Generator, candidates: Sequence[Procedure], studies: int, seeds: int, rows: int
) -> list[Array]:
    return _values_of(random, [skills(random, one, studies, seeds) for one in candidates], studies, rows)


def _values_of(random: np.random.Generator, luck: Sequence[Array], studies: int, rows: int) -> list[Array]:
    world = WORLDS[METRIC]
    drawn = world.draw(random, studies, rows, luck)
    return [world.contributions(drawn, place, luck[place].shape[1], rows) for place in range(len(luck))]


def _estimates(found: Components, seeds: int, rows: int) -> list[Estimate]:
    return [_estimate(found, study, seeds, rows) for study in range(len(found.effect))]


def _estimate(found: Components, place: Any, seeds: int, rows: int) -> Estimate:
    """The estimate that the product would make of these runs, without the parts that no verdict rests on."""
    parts = Parts(seeds, 0.0, (), 0.0, 0.0)
    fields = (found.effect, found.seeds_variance, found.rows_variance, found.freedom)
    numbers = (float(one[place]) for one in fields)
    return Estimate(*numbers, rows, parts, parts, float(found.rows_freedom[place]))


def _scaled(random: np.random.Generator, shape: tuple[int, ...], variance: float) -> Array:
    return random.standard_normal(shape, dtype=np.float32) * np.float32(variance**0.5)


def _random(*name: object) -> np.random.Generator:
    return np.random.default_rng([20_260_102, zlib.crc32(repr(name).encode())])


def _add(portions: Sequence[Sequence[float]]) -> list[float]:
    return [sum(column) for column in zip(*portions, strict=True)]


def cells(studies: int, *, quick: bool = False) -> dict[str, Callable[[], dict[str, Any]]]:
    """Every cell of this file by name, to be measured."""
    found: dict[str, Callable[[], dict[str, Any]]] = {}
    settings = [(5, 1000, 0.01)] if quick else [(3, 1000, 0.01), (5, 500, 0.005), (5, 2000, 0.01), (10, 1000, 0.005)]
    for name in FAMILIES:
        for k, n, sd in settings:
            found[f"holm/{name}/{k} seeds/{n} rows/sd {100 * sd:g}"] = lambda a=(name, studies, k, n, sd): family_wise(
                *a
            )
    for k, n, sd in [(10, 2000, 0.0025)] if quick else [(5, 2000, 0.0025), (10, 2000, 0.0025), (10, 5000, 0.005)]:
        found[f"tost/{k} seeds/{n} rows/sd {100 * sd:g}"] = lambda a=(studies, k, n, sd): equivalence(*a)
    for n, sd in [(500, 0.0025)] if quick else [(500, 0.0025), (1000, 0.005), (2000, 0.01)]:
        found[f"reuse/5 seeds/{n} rows/sd {100 * sd:g}"] = lambda a=(studies, 5, n, sd): reuse(*a)
    three = ((0, 1), (1, 2), (0, 2))
    for title, claims, scores, most in (
        ("one claim, equal", ((0, 1),), (0, 0), 10),
        ("one claim, +2 points", ((0, 1),), (2, 0), 10),
        ("three claims, equal", three, (0, 0, 0), 10),
        ("three claims, equal, at most 5", three, (0, 0, 0), 5),
    ):
        for sd in (0.01,) if quick else (0.005, 0.01):
            arguments = (studies, claims, scores, 1000, sd, most)
            found[f"stopping/{title}/sd {100 * sd:g}"] = lambda a=arguments: stopping(*a)
    found["stopping/after every seed/sd 1"] = lambda: every_seed(studies, 1000, 0.01)
    return found

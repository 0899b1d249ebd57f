"""Another learning rate, or more epochs: where training did not do its work, or ended before its work was done.

What is broken is told by the curve of the training loss: it must end well below where it began. Which way to
go is told by
the curve where it can be (a loss that falls to the end wants larger steps, one that jumps or collapses to one label
smaller ones), else by how far the rate is from what its method takes by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median, pstdev

from provetune.study.next.evidence import CandidateEvidence, Evidence
from provetune.study.next.kinds import _costs
from provetune.study.next.kinds._names import variant_name
from provetune.study.next.step import Change, Order, Step

STALLED = 0.75
"""A loss that ends above this share of where it began has hardly been learned from."""
THROWN_BACK = 1.3
"""A loss that rises above so many times where it began was thrown back by steps that were too large."""
FACTOR = 10.0
FAR = 3.0
NEIGHBOURS = 5.0
"""Two rates that are farther apart say nothing about what lies beyond the better one."""
OVER_BASELINE = 0.38
"""Share of a baseline's error that fine-tuning removed: .37 on sst2 and .40 on clinc150 (benchmarks/quality.py)."""
_WINDOW = 0.1


class LearningRate:
    """`learning_rate`."""

    name = "learning_rate"

    def propose(self, evidence: Evidence) -> Sequence[Step]:
        steps: list[Step] = []
        for one in evidence.candidates.values():
            if one.learns_from != "weights" or not any(run.losses for run in one.runs):
                continue
            broken = _what_is_broken(one, evidence)
            if broken is not None and _done_better(one, evidence):
                continue
            if broken is not None:
                steps.append(_repair(one, evidence, *broken))
            elif one.name == evidence.best:
                steps += [step for step in (_beyond_edge(one, evidence), _longer(one, evidence)) if step is not None]
        return steps


KIND = LearningRate()


def _what_is_broken(one: CandidateEvidence, evidence: Evidence) -> tuple[float, str] | None:
    """The factor for the learning rate and the reason, where training did not work; None where it did."""
    curves = [run.losses for run in one.runs if run.losses]
    first, last = median(map(_start, curves)), median(map(_end, curves))
    failed = sum(run.failed is not None for run in one.runs)
    odd = _oddness(one)
    others = [other for other in evidence.candidates.values() if other.learns_from != "weights" and other.passed]
    rival = max(others, key=lambda other: other.score, default=None)
    stalled = not math.isfinite(last) or last > STALLED * first
    # A rate far off that wins nothing over what trains no backbone is suspect; a usual one must stall and lose clearly.
    least = 0.0 if odd is not None else evidence.smallest
    behind = rival is not None and one.score <= rival.score - least and (odd is not None or stalled)
    thrown = odd is not None and odd > 1 and median(map(_roughness, curves)) > THROWN_BACK
    short = odd is not None and odd < 1 and _longer(one, evidence) is not None
    idle = 2 * failed >= len(one.runs) or behind or (odd is not None and stalled)
    if not (idle or thrown or short):
        return None
    said = [f"the training loss of '{one.name}' went from {first:.2f} to {last:.2f} only"] if stalled else []
    if failed:
        said.append(f"{failed} of its {len(one.runs)} runs say no more than the most frequent label")
    if thrown:
        said.append(f"the training loss of '{one.name}' rose far above where it began before it fell")
    if short:
        said.append(f"'{one.name}' was still improving when its schedule ended")
    if rival is not None and behind and not failed:
        said.append(
            f"it scores {one.score:.3f} on validation rows, '{rival.name}', which trains no backbone, {rival.score:.3f}"
        )
    up = _wants_larger_steps(one, curves, odd)
    if odd is not None:
        said.append(f"its learning rate is {odd:.2g} times what '{one.candidate.method}' takes by itself")
    # A rate that is far off goes back to the usual one; otherwise a power of ten in the direction of the curve.
    factor = 1 / odd if odd is not None and (odd < 1) == up else (FACTOR if up else 1 / FACTOR)
    return factor, "; ".join(said)


def _done_better(one: CandidateEvidence, evidence: Evidence) -> bool:
    """Whether another rate of the same method and backbone was tried already, and scored better."""
    return any(
        other.score > one.score and _rate(other) != _rate(one)
        for other in evidence.candidates.values()
        if _alike(other, one)
    )


def _alike(one: CandidateEvidence, other: CandidateEvidence) -> bool:
    return (one.candidate.method, one.candidate.backbone) == (other.candidate.method, other.candidate.backbone)


def _wants_larger_steps(one: CandidateEvidence, curves: Sequence[Sequence[float]], odd: float | None) -> bool:
    if any(not math.isfinite(loss) for curve in curves for loss in curve):
        return False
    rough = median(map(_roughness, curves))
    if rough > THROWN_BACK:
        return False
    falling = median(_middle(curve) - _end(curve) for curve in curves) > 0
    if odd is not None:
        return odd < 1
    return falling


def _repair(one: CandidateEvidence, evidence: Evidence, factor: float, said: str) -> Step:
    rate = _rate(one)
    wanted = float(f"{rate * factor:.2g}")
    others = max((other.score for other in evidence.candidates.values() if other is not one), default=one.score)
    error = 1 - min(others, one.score) if evidence.is_share else 0.0
    reached = max(others, 1 - error * (1 - OVER_BASELINE)) if evidence.is_share else others
    gain = max(reached - evidence.leader.score, evidence.smallest)
    name = variant_name(one.name, "faster" if factor > 1 else "slower")
    direction = "higher" if factor > 1 else "lower"
    return Step(
        "learning_rate",
        f"Train '{one.name}' with a {direction} learning rate, {wanted:g}",
        f"Training did not work: {said}. Nothing else can be told from runs that did not learn, so this comes first.",
        gain,
        (0.0, 2 * gain),
        _costs.runs(one, evidence.seeds, times=2),
        Order.BROKEN,
        f"prior: a working fine-tuning removes {OVER_BASELINE:.0%} of a baseline's error (benchmarks/quality.py)",
        change=Change(
            (one.name,),
            (f"{name} > {one.name}",),
            {name: (one.name, {"learning_rate": wanted})},
            head=(f"Is the learning rate of '{one.name}' what holds it back?",),
        ),
        details={"candidate": one.name, "learning_rate": rate, "proposed": wanted, "factor": factor},
    )


def _beyond_edge(one: CandidateEvidence, evidence: Evidence) -> Step | None:
    """The best of several tried rates lies at the end of what was tried."""
    tried = {_rate(other): other.score for other in evidence.candidates.values() if _alike(other, one)}
    rate = _rate(one)
    if len(tried) < 2 or rate not in (min(tried), max(tried)):
        return None
    inner = max(tried, key=lambda value: tried[value] if value != rate else -math.inf)
    step = rate / inner
    if max(step, 1 / step) > NEIGHBOURS:
        return None
    wanted = float(f"{rate * step:.2g}")
    gain = max(0.0, (tried[rate] - tried[inner]) / 2)
    name = variant_name(one.name, "faster" if step > 1 else "slower")
    return Step(
        "learning_rate",
        f"Go on to a learning rate of {wanted:g}",
        f"Of {len(tried)} learning rates the best, {rate:g}, lies at the edge of what was tried: the next one scored "
        f"{tried[inner]:.3f} on validation rows, this one {tried[rate]:.3f}.",
        gain,
        (-gain, 2 * gain),
        _costs.runs(one, evidence.seeds, times=2),
        Order.EVIDENCE if gain >= evidence.smallest else Order.SMALL,
        "half of the last difference between two rates",
        change=Change((one.name,), (f"{name} > {one.name}",), {name: (one.name, {"learning_rate": wanted})}),
        details={"candidate": one.name, "tried": {f"{value:g}": score for value, score in sorted(tried.items())}},
    )


def _longer(one: CandidateEvidence, evidence: Evidence) -> Step | None:
    """The schedule ended while the validation score was still rising."""
    found = [_last_rises(run.evaluations, evidence.metric) for run in one.passed]
    rises = [rise for rise in found if rise is not None]
    if len(rises) < len(one.passed) or not rises:
        return None
    before, last = fmean(rise[0] for rise in rises), fmean(rise[1] for rise in rises)
    spread = pstdev([rise[1] for rise in rises]) if len(rises) > 1 else last
    if last <= max(spread, evidence.smallest / 4):
        return None
    # The rises are taken for a geometric series; doubling the epochs gets at most the rest of it.
    ratio = min(0.75, max(0.25, last / before if before > 0 else 0.75))
    gain = min(last * ratio / (1 - ratio), evidence.error / 2)
    error = 1.96 * spread / len(rises) ** 0.5
    epochs = float(one.candidate.epochs) if one.candidate.epochs != "auto" else 3.0
    name = variant_name(one.name, "longer")
    return Step(
        "learning_rate",
        f"Train '{one.name}' for {2 * epochs:g} epochs instead of {epochs:g}",
        f"The schedule ended while '{one.name}' was still improving: its validation score rose by {last:.3f} "
        "between the last two evaluations.",
        gain,
        (gain - error, gain + error),
        _costs.runs(one, evidence.seeds, times=3),
        Order.EVIDENCE if gain >= evidence.smallest and gain > error else Order.SMALL,
        "the last rises of the validation score, carried on as a geometric series",
        change=Change((one.name,), (f"{name} > {one.name}",), {name: (one.name, {"epochs": 2 * epochs})}),
        details={"candidate": one.name, "epochs": epochs, "proposed": 2 * epochs},
    )


def _last_rises(evaluations: Sequence[tuple[int, object]], metric: str) -> tuple[float, float] | None:
    scores = [float(each[metric]) for _, each in evaluations]  # type: ignore[index]
    return (scores[-2] - scores[-3], scores[-1] - scores[-2]) if len(scores) > 2 else None


def _rate(one: CandidateEvidence) -> float:
    written = one.candidate.learning_rate
    return float(one.usual.get("learning_rate", 1e-4)) if written == "auto" else float(written)


def _oddness(one: CandidateEvidence) -> float | None:
    """How many times the usual rate the learning rate is, where it is far from it; None where it is near."""
    usual = one.usual.get("learning_rate")
    if usual is None:
        return None
    times = _rate(one) / float(usual)
    return times if times > FAR or times < 1 / FAR else None


def _start(curve: Sequence[float]) -> float:
    """Loss of the first steps, before anything is learned."""
    return fmean(curve[: max(1, round(_WINDOW * len(curve) / 2))])


def _middle(curve: Sequence[float]) -> float:
    half, width = len(curve) // 2, max(1, round(_WINDOW * len(curve)))
    return fmean(curve[half : half + width])


def _end(curve: Sequence[float]) -> float:
    return fmean(curve[-max(1, round(_WINDOW * len(curve))) :])


def _roughness(curve: Sequence[float]) -> float:
    """The highest loss after the beginning, relative to the first: above 1 where training threw itself back."""
    width = max(1, round(_WINDOW * len(curve) / 2))
    means = [fmean(curve[at : at + width]) for at in range(width, len(curve) - width + 1, width)]
    return max(means, default=1.0) / max(1e-9, _start(curve))

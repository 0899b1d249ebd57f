"""More regularisation where a run learned its rows by heart, less where it could not even learn them.

By heart: the training loss ends far under the validation loss, the validation loss has risen well above its
least, and the
score fell with it. A rising loss alone is not enough: fine-tuned models grow too sure of themselves long before they
answer worse, and calibration mends that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from provetune.study.next.evidence import CandidateEvidence, Evidence, RunEvidence
from provetune.study.next.kinds import _costs
from provetune.study.next.kinds._names import variant_name
from provetune.study.next.step import Change, Order, Step

RISEN = 1.25
"""How many times its least the validation loss must end at."""
BY_HEART = 0.5
"""The training loss ends under this share of the least validation loss."""
LEFT = 0.05
"""Share of what is left to get right that regularisation is held to win, besides what was lost. Assumed."""
UNLEARNED = 0.5
LOSS = "log_loss"
_WINDOW = 0.1


@dataclass(frozen=True)
class _Gap:
    """Of one run: losses, and the validation score at its peak and at the end."""

    train: float
    least: float
    last: float
    peak: float
    end: float
    when: float


class Regularisation:
    """`regularisation`."""

    name = "regularisation"

    def propose(self, evidence: Evidence) -> Sequence[Step]:
        leader = evidence.leader
        gaps = [gap for run in leader.passed if (gap := _gap(run, evidence.metric)) is not None]
        if leader.learns_from != "weights" or not gaps:
            return []
        falls = [gap.peak - gap.end for gap in gaps]
        fall = fmean(falls)
        spread = pstdev(falls) / len(falls) ** 0.5 if len(falls) > 1 else fall / 2
        train, least, last = (fmean(getattr(gap, name) for gap in gaps) for name in ("train", "least", "last"))
        by_heart = train < BY_HEART * least and last > RISEN * least
        if by_heart:
            return [_more(leader, evidence, gaps, fall, spread)]
        if leader.candidate.method == "lora" and train > UNLEARNED * _first(leader) and train > 0.9 * least:
            return [_less(leader, evidence, train, least)]
        return []


KIND = Regularisation()


def _more(leader: CandidateEvidence, evidence: Evidence, gaps: Sequence[_Gap], fall: float, spread: float) -> Step:
    train, least, last = (fmean(getattr(gap, name) for gap in gaps) for name in ("train", "least", "last"))
    epochs = float(leader.candidate.epochs) if leader.candidate.epochs != "auto" else 3.0
    when = fmean(gap.when for gap in gaps)
    decay = 0.01 if leader.candidate.weight_decay == "auto" else float(leader.candidate.weight_decay)
    shorter = float(f"{max(when, 0.2) * epochs:.2g}")
    changed = {"weight_decay": max(0.1, 10 * decay), "epochs": shorter}
    name = variant_name(leader.name, "regularised")
    fell = fall > max(evidence.smallest / 2, 1.96 * spread)
    gain = LEFT * evidence.reducible + (fall if fell else 0.0)
    order = Order.SMALL if gain < evidence.smallest else Order.EVIDENCE if fell else Order.PRIOR
    lost = (
        f", and its score fell by {fall:.3f} from its peak, {when:.0%} of the way through. The best state was kept, "
        "but a schedule that is cut off in the middle is not the one that would have been best."
        if fell
        else ". Its score did not fall with it, so little is to be expected."
    )
    return Step(
        "regularisation",
        f"Regularise '{leader.name}' more: weight decay {changed['weight_decay']:g}, {shorter:g} epochs",
        f"'{leader.name}' learned its rows by heart: the training loss ended at {train:.2f}, the validation "
        f"loss rose from {least:.2f} to {last:.2f}{lost}",
        gain,
        (0.0, 2 * gain),
        _costs.runs(leader, evidence.seeds, times=1 + shorter / epochs),
        order,
        "what the validation score lost after its peak" * fell + " and " * fell + f"prior: {LEFT:.0%} of the error",
        change=Change((leader.name,), (f"{name} > {leader.name}",), {name: (leader.name, changed)}),
        details={"training_loss": train, "validation_loss": [least, last], "fall": fall, "fall_error": spread},
    )


def _less(leader: CandidateEvidence, evidence: Evidence, train: float, least: float) -> Step:
    rank = 4 * int(leader.candidate.extra.get("rank", 8))
    name = variant_name(leader.name, "wider")
    gain = 0.1 * evidence.reducible
    return Step(
        "regularisation",
        f"Give '{leader.name}' more room: rank {rank}",
        f"'{leader.name}' did not even learn its training rows: their loss ended at {train:.2f}, the "
        f"validation rows' at {least:.2f}. Matrices of a higher rank hold it back less.",
        gain,
        (0.0, 2 * gain),
        _costs.runs(leader, evidence.seeds, times=2.2),
        Order.PRIOR,
        "prior: a tenth of what is left to get right",
        change=Change((leader.name,), (f"{name} > {leader.name}",), {name: (leader.name, {"rank": rank})}),
        details={"training_loss": train, "validation_loss": [least, least]},
    )


def _gap(run: RunEvidence, metric: str) -> _Gap | None:
    if len(run.evaluations) < 3 or not run.losses:
        return None
    losses = [float(scores[LOSS]) for _, scores in run.evaluations if LOSS in scores]
    scores = [float(each[metric]) for _, each in run.evaluations]
    if len(losses) < len(scores):
        return None
    peak = max(range(len(scores)), key=lambda place: scores[place])
    train = fmean(run.losses[-max(1, round(_WINDOW * len(run.losses))) :])
    when = run.evaluations[peak][0] / max(1, run.planned_steps)
    return _Gap(train, min(losses), losses[-1], scores[peak], scores[-1], min(1.0, when))


def _first(leader: CandidateEvidence) -> float:
    return fmean(fmean(run.losses[: max(1, len(run.losses) // 20)]) for run in leader.passed if run.losses)

"""A judged claim in words: one plain sentence, and the remarks that belong to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provetune.problem.claims import Claim
from provetune.problem.scanner import write_number
from provetune.statistics.failures import most_failures

if TYPE_CHECKING:
    from provetune.study.claim_figures import CandidateRows

_LONG = 9999.5
"""From here on four digits would need an exponent."""
_FIRST = {"supported": "Supported", "refuted": "Refuted", "inconclusive": "Inconclusive"}


def say_verdict(judged: Mapping[str, Any], claim: Claim, missing: str | None = None) -> str:
    """The verdict as one sentence, e.g. "Supported: accuracy of full is more than 0.02 above that of words (…)."

    Args:
        judged: ``verdict``, ``metric``, ``effect``, ``bound`` and ``interval``.
        missing: why the claim could not be judged.
    """
    verdict = judged["verdict"]
    first = _FIRST[verdict]
    if missing is not None:
        return f"{first}: {missing}"
    figures = [f"{'difference' if claim.right else 'value'} {_signed(judged['effect'], claim)}"]
    if judged["bound"] is not None and claim.kind != "equal" and verdict != "refuted":
        side = "at least" if claim.comparator.startswith(">") else "at most"
        figures.append(f"{side} {_signed(judged['bound'], claim)}")
    low, high = judged["interval"]
    if low is not None and high is not None:
        figures.append(f"interval {_signed(low, claim)} to {_signed(high, claim)}")
    what = f"{judged['metric']} of {claim.left} is {_claimed(claim, opposite=verdict == 'refuted')}"
    whether = "it is open whether " if verdict == "inconclusive" else ""
    return f"{first}: {whether}{what} ({', '.join(figures)})."


def say_failures(names: Sequence[str], candidates: Mapping[str, CandidateRows], confidence: float) -> list[str]:
    """How many runs failed and how many more may; nothing about candidates whose runs all passed."""
    notes = []
    for name in dict.fromkeys(names):
        candidate = candidates.get(name)
        if candidate is None or not candidate.failed:
            continue
        runs = len(candidate.seeds) + len(candidate.failed)
        most = most_failures(len(candidate.failed), runs, confidence)
        first, why = candidate.failed[0]
        notes.append(
            f"{len(candidate.failed)} of {runs} runs of '{name}' failed (run {first}: {why}); up to {most:.0%} of its "
            "runs may fail. The claim is about those that pass."
        )
    return notes


def say_conditions(names: Sequence[str], candidates: Mapping[str, CandidateRows]) -> list[str]:
    """What else a reader must know about the candidates of a claim."""
    notes = []
    for name in dict.fromkeys(names):
        candidate = candidates.get(name)
        if candidate is None:
            continue
        if candidate.deterministic:
            notes.append(f"'{name}' draws no random number: one run stands for all")
        if candidate.data_note:
            notes.append(candidate.data_note)
    return notes


def spell(value: float) -> str:
    """A figure with as many digits as are worth reading."""
    return f"{value:.4f}" if abs(value) < 1 else brief(value)


def brief(value: float, sign: str = "") -> str:
    """A figure in four digits, whole where it is larger.

    Args:
        sign: ``"+"`` shows that of a positive figure too.
    """
    return f"{value:{sign}.4g}" if abs(value) < _LONG else f"{value:{sign},.0f}"


def _claimed(claim: Claim, *, opposite: bool) -> str:
    """The claim, or its opposite, after "is": "more than 0.02 above that of words"."""
    other = f"that of {claim.right}" if claim.right is not None else _number(claim.level or 0.0)
    if claim.kind == "equal":
        return f"{'not ' if opposite else ''}within {_number(claim.margin)} of {other}"
    above = claim.comparator.startswith(">") is not opposite
    if claim.kind == "level" or claim.margin == 0:
        return f"{'above' if above else 'below'} {other}"
    size = _number(abs(claim.margin))
    if above:
        return f"more than {size} above {other}" if claim.margin > 0 else f"less than {size} below {other}"
    return f"more than {size} below {other}" if claim.margin < 0 else f"less than {size} above {other}"


def _signed(value: float, claim: Claim) -> str:
    text = spell(value)
    return f"+{text}" if claim.right is not None and not text.startswith("-") else text


def _number(value: float) -> str:
    return f"{'-' if value < 0 else ''}{write_number(value)}"

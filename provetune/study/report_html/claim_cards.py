"""Claims as the page shows them: a verdict in words, the figures behind it, and a line of the forest plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from provetune.problem.claims import Claim, ClaimSyntaxError, parse_claim
from provetune.study.report_html import numbers
from provetune.study.report_html.places import group_href, seed_hrefs
from provetune.study.report_html.plots.scale import scale_around
from provetune.study.report_html.plots.strips import Interval, axis_strip, interval_strip
from provetune.study.report_html.words import Words

VERDICTS = ("supported", "refuted", "inconclusive")


@dataclass(frozen=True)
class Side:
    """One candidate of a claim: its mean, and each seed's score with where it comes from."""

    name: str
    mean: str
    href: str
    seeds: list[tuple[str, str]]


@dataclass(frozen=True)
class ClaimCard:
    """One claim, ready to be shown.

    Attributes:
        verdict: one of the three, or ``"unjudged"``.
        late: that it was added after a look at the test, or nothing.
        facts: name, figure, and where the figure comes from.
        notes: as the study wrote them down, in English.
    """

    text: str
    verdict: str
    sentence: str
    needs: str
    late: str
    sides: list[Side]
    facts: list[tuple[str, str, str]]
    notes: list[str]


@dataclass(frozen=True)
class Forest:
    """Claims that share an axis: its name, one drawn line each, and the axis."""

    name: str
    lines: list[tuple[str, str, Markup]]
    axis: Markup


def claim_cards(document: Mapping[str, Any], words: Words) -> list[ClaimCard]:
    """Every claim of the document, in its order."""
    return [_card(judged, document, words) for judged in document["claims"]]


def forests(document: Mapping[str, Any], words: Words) -> list[Forest]:
    """The claims that have an effect, by what their axis measures."""
    groups: dict[str, list[tuple[Mapping[str, Any], Claim]]] = {}
    for judged in map(_as_shown, document["claims"]):
        claim = _read(judged)
        if claim is not None and judged.get("effect") is not None:
            groups.setdefault(_axis_name(claim, judged, document, words), []).append((judged, claim))
    found = []
    for name, members in groups.items():
        intervals = [_interval(judged, claim) for judged, claim in members]
        scale = scale_around(_extent(intervals))
        lines = []
        for (judged, _), shown in zip(members, intervals, strict=True):
            said = f"{words(shown.verdict)}: {numbers.signed(shown.effect)}"
            if shown.low is not None and shown.high is not None:
                said += f" ({numbers.signed(shown.low)} … {numbers.signed(shown.high)})"
            lines.append((judged["claim"], shown.verdict, interval_strip(judged["claim"], said, shown, scale)))
        found.append(Forest(name, lines, axis_strip(scale)))
    return found


def verdict_of(judged: Mapping[str, Any]) -> str:
    """The verdict's name, or ``"unjudged"``."""
    verdict = judged.get("verdict")
    return str(verdict) if verdict in VERDICTS else "unjudged"


def _as_shown(judged: Mapping[str, Any]) -> Mapping[str, Any]:
    """A claim with its figures: those of the test, or where they are not shown those of validation."""
    return {**judged, **(judged.get("validation") or {})}


def _card(judged: Mapping[str, Any], document: Mapping[str, Any], words: Words) -> ClaimCard:
    judged = _as_shown(judged)
    verdict, claim = verdict_of(judged), _read(judged)
    notes = [str(note) for note in judged.get("notes") or []]
    late = words("added_after_look") if judged.get("added_after_look") else ""
    if claim is None or (verdict == "unjudged" and judged.get("effect") is None):
        return ClaimCard(str(judged.get("claim", "")), verdict, "", "", late, [], [], notes)
    sides = [_side(judged[part], document) for part in ("left", "right") if judged.get(part)]
    return ClaimCard(
        text=judged["claim"],
        verdict=verdict,
        sentence=_sentence(judged, claim, document, words),
        needs=_needs(judged, words) if verdict == "inconclusive" else "",
        late=late,
        sides=sides,
        facts=_facts(judged, claim, document, words),
        notes=notes,
    )


def _read(judged: Mapping[str, Any]) -> Claim | None:
    try:
        return parse_claim(str(judged.get("claim", "")))
    except ClaimSyntaxError:
        return None


def _side(side: Mapping[str, Any], document: Mapping[str, Any]) -> Side:
    hrefs = seed_hrefs(document, side["name"], len(side["seeds"]))
    seeds = [(numbers.score(value), href) for value, href in zip(side["seeds"], hrefs, strict=True)]
    return Side(side["name"], numbers.score(side["mean"]), group_href(side["name"]), seeds)


def _metric(claim: Claim, document: Mapping[str, Any], words: Words) -> str:
    if claim.scope is None:
        return words.metric(document["metric"])
    return str(claim.scope).replace(claim.scope.metric, words.metric(claim.scope.metric), 1)


def _axis_name(claim: Claim, judged: Mapping[str, Any], document: Mapping[str, Any], words: Words) -> str:
    metric = _metric(claim, document, words)
    return metric if claim.right is None else f"Δ {metric}"


def _needed(claim: Claim) -> tuple[float, ...]:
    if claim.kind == "equal":
        middle = claim.level or 0.0
        return (middle - claim.margin, middle + claim.margin)
    return (claim.margin if claim.kind == "order" else claim.level or 0.0,)


def _interval(judged: Mapping[str, Any], claim: Claim) -> Interval:
    low, high = _ends(judged)
    return Interval(judged["effect"], low, high, _needed(claim), group_href(claim.left), verdict_of(judged))


def _ends(judged: Mapping[str, Any]) -> tuple[float | None, float | None]:
    interval = judged.get("interval") or (None, None)
    return interval[0], interval[1]


def _extent(intervals: Sequence[Interval]) -> list[float]:
    values = [value for one in intervals for value in (one.effect, one.low, one.high, *one.needed)]
    return [float(value) for value in values if value is not None]


def _level(judged: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    return numbers.level(judged.get("alpha") or 1 - document["confidence"])


def _shown(claim: Claim, value: float | None) -> str:
    """An effect in its form: a difference has a sign, a value of its own has none."""
    if value == 0:
        return "0"
    return numbers.score(value) if claim.right is None else numbers.signed(value)


def _sentence(judged: Mapping[str, Any], claim: Claim, document: Mapping[str, Any], words: Words) -> str:
    if judged.get("effect") is None:
        return words("claim_unmeasured")
    level, (low, high) = _level(judged, document), _ends(judged)
    subject = words("subject_level" if claim.right is None else "subject_order", left=claim.left, right=claim.right)
    interval = words("interval_between", level=level, low=_shown(claim, low), high=_shown(claim, high))
    bound = interval
    if claim.kind != "equal" and judged.get("bound") is not None:
        direction = "bound_above" if claim.comparator.startswith(">") else "bound_below"
        bound = words(direction, level=level, bound=_shown(claim, judged["bound"]))
    needed = [_shown(claim, value) for value in _needed(claim)]
    asked = words(f"asked_{claim.comparator}", value=needed[0], low=needed[0], high=needed[-1])
    return words(
        f"claim_{verdict_of(judged)}",  # of an unjudged one: what validation says
        subject=subject,
        metric=_metric(claim, document, words),
        effect=_shown(claim, judged["effect"]),
        bound=bound,
        interval=interval,
        asked=asked,
    )


def _facts(
    judged: Mapping[str, Any], claim: Claim, document: Mapping[str, Any], words: Words
) -> list[tuple[str, str, str]]:
    low, high = _ends(judged)
    between = None if low is None else f"{_shown(claim, low)} … {_shown(claim, high)}"
    estimand, href = judged.get("estimand"), group_href(claim.left)
    known: list[tuple[str, str | None, str]] = [
        (words("effect"), _shown(claim, judged.get("effect")), href),
        (words("bound"), _shown(claim, judged["bound"]) if judged.get("bound") is not None else None, href),
        (words("interval", level=_level(judged, document)), between, href),
        (words("p"), numbers.probability(judged["p"]) if judged.get("p") is not None else None, href),
        (words("p_holm"), numbers.probability(judged["p_holm"]) if judged.get("p_holm") is not None else None, href),
        (words("estimand"), words.known("estimand", str(estimand)) if estimand else None, ""),
        (words("look"), str(judged["look"]) if judged.get("look") is not None else None, "#looks"),
    ]
    return [(name, figure, place) for name, figure, place in known if figure is not None]


def _needs(judged: Mapping[str, Any], words: Words) -> str:
    needs = judged.get("needs")
    if not needs:
        return ""
    ways = [words(f"needs_{part}", **{part: f"{needs[part]:,}"}) for part in ("seeds", "rows") if needs.get(part)]
    alone = bool(ways)
    if both := needs.get("both"):
        seeds, rows = (both["seeds"], both["rows"]) if isinstance(both, Mapping) else both
        ways.append(words("needs_both", seeds=f"{seeds:,}", rows=f"{rows:,}"))
    if not ways:
        # Why, where the study says so; its sentences are English.
        return str(needs.get("note") or words("needs_none")) if words.language == "en" else words("needs_none")
    told = words("needs", ways=words("or").join(ways))
    return told if alone else f"{told} {words('needs_only_both')}"

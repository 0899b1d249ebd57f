"""A plan's figures as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provetune.problem.claims import Claim, parse_claim
from provetune.statistics.caution import FEW
from provetune.study.claim_evidence import LEAST_SEEDS
from provetune.study.claim_figures import is_share
from provetune.study.progress import duration

if TYPE_CHECKING:
    from provetune.study.plan_scatter import Scatter

_FEW_RUNS = 5
# Who says at what distance from its edge a claim is meant to be found.
EQUAL_SIDES, PILOT, STATED, DEFAULT = "equal sides", "pilot", "smallest effect", "default"


def say_claim(entry: Mapping[str, Any], claim: Claim, scatter: Scatter | None, chance: bool) -> str:
    """What a claim can show, and from what that is known, in a few sentences."""
    if entry["rows"] is None:
        return "Judged by at least 20 blocks measured in turn on this machine; neither seeds nor rows decide it."
    if entry["rows"] == 0:
        return "No training or validation row is what this claim is about, so little is to be expected of the test."
    if scatter is None:
        return f"Nothing can be assumed of {entry['metric']} before two runs of each candidate have ended."
    parts = []
    if chance and entry["seeds"] < LEAST_SEEDS:
        parts.append(f"Inconclusive whatever comes: a claim about the procedure needs at least {LEAST_SEEDS} seeds.")
    else:
        parts += _say_power(entry, claim)
    if entry["rows"] < FEW:
        few = f"Only {entry['rows']} rows to test on are expected to count"
        parts.append(f"{few}: hardly anything can be shown by so few.")
    parts.append(_say_basis(entry, scatter))
    return " ".join(parts)


def say_needs(entry: Mapping[str, Any]) -> str:
    """What would make an underpowered claim decidable, with its price."""
    needs, price = entry["needs"], entry["price"]
    ways = []
    if needs["seeds"] is not None:
        ways.append(f"{needs['seeds']} seeds{_say_time(price['seeds']['seconds'])}")
    if needs["rows"] is not None:
        ways.append(f"{needs['rows']:,} rows to test on ({price['rows']['rows']:,} more to label)")
    if needs["both"] is not None:
        seeds, rows = needs["both"]
        ways.append(f"{seeds} seeds{_say_time(price['both']['seconds'])} with {rows:,} rows to test on")
    if not ways:
        return "nothing within reach would make it decidable; a wider margin may."
    only = needs["seeds"] is None and needs["rows"] is None and needs["both"] is not None
    return f"{' or '.join(ways)} would make it decidable{'; neither seeds nor rows alone' if only else ''}."


def say_underpowered(entry: Mapping[str, Any]) -> str:
    """A warning about one claim."""
    if entry["detectable"] is None:
        return f"'{entry['claim']}' cannot be decided: {say_needs(entry)}"
    if entry["aim_from"] == EQUAL_SIDES:
        often = say_often(entry["power_if_equal"])
        weak = f"is underpowered: supported {often} even if both sides are equal ({say_found(entry)})"
    elif entry["aim_from"] == PILOT:
        seen = _value(entry, entry["effect_on_validation"])
        weak = f"is underpowered at what the pilot saw, {seen}: {say_found(entry)}"
    else:
        often = say_often(entry["power_at_smallest_effect"])
        weak = f"is underpowered: supported {often} if it holds by study.smallest_effect ({say_found(entry)})"
    return f"'{entry['claim']}' {weak}. {_capital(say_needs(entry))}"


def say_open(entry: Mapping[str, Any]) -> str:
    """What a claim can show of which nobody said how far from its edge the truth is meant to be found."""
    seen = entry["effect_on_validation"]
    pilot = "" if seen is None else f"; the pilot saw {_value(entry, seen)}"
    said = f"'{entry['claim']}': {say_found(entry)}{pilot}."
    if entry["needs"] is None:
        return said
    smaller, often = _say_at(entry, entry["aim"]), say_often(entry["power_at_smallest_effect"])
    return f"{said} {_capital(smaller)} is shown {often}; {say_needs(entry)}"


def say_found(entry: Mapping[str, Any]) -> str:
    """From which difference (or value) on a claim is supported, e.g. "supported four times in five from +0.069 on"."""
    claim = parse_claim(entry["claim"])
    if claim.kind == "equal":
        return f"± {entry['detectable']:.2g} is the narrowest margin that is shown four times in five"
    onwards = "upwards" if claim.comparator.startswith(">") else "downwards"
    return f"supported four times in five from {_say_at(entry, entry['detectable'])} {onwards}"


def say_often(chance: float) -> str:
    """How often something happens, in words where it hardly does."""
    return "hardly ever" if chance < 0.005 else f"{percent(chance)} of the time"


def say_effect(value: float, metric: str) -> str:
    """A distance in points where the metric is a share, else in its own units."""
    if is_share(metric.partition(":")[0].partition(" ")[0]):
        points = f"{100 * value:.2g}"
        return f"{points} point{'' if points == '1' else 's'}"
    return f"{value:.2g}"


def percent(share: float) -> str:
    """A share without more digits than it deserves."""
    if 0 < share < 0.01:
        return "under 1 %"
    return "over 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def _say_power(entry: Mapping[str, Any], claim: Claim) -> list[str]:
    parts = [f"{_capital(say_found(entry))}."]
    if claim.kind != "equal":
        parts.append(f"That is {say_effect(entry['detectable'], entry['metric'])} from its edge.")
    if entry["aim_from"] == EQUAL_SIDES:
        parts.append(f"Supported {say_often(entry['power_if_equal'])} if both sides are equal.")
    return parts


def _say_at(entry: Mapping[str, Any], distance: float) -> str:
    """The difference, or the value, so far on the claim's side of its edge."""
    claim = parse_claim(entry["claim"])
    edge = claim.margin if claim.level is None else claim.level
    what = "a difference" if claim.right is not None else "a value"
    return f"{what} of {_value(entry, edge + distance if claim.comparator.startswith('>') else edge - distance)}"


def _value(entry: Mapping[str, Any], value: float) -> str:
    """A difference with its sign, a value of its own without."""
    return f"{value:.3g}" if parse_claim(entry["claim"]).right is None else f"{value:+.3g}"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _say_basis(entry: Mapping[str, Any], scatter: Scatter) -> str:
    seeds, rows = (say_effect(sd, entry["metric"]) for sd in (scatter.seed_sd, scatter.row_sd))
    spread = f"a seed SD of {seeds}" if scatter.seed_sd > 0 else "no luck of seeds"
    if scatter.basis == "prior":
        return f"Assumed before any run (prior): {spread}, a row SD of {rows}."
    text = f"From a pilot on validation rows: {spread}, a row SD of {rows}."
    least = min(scatter.runs, default=_FEW_RUNS)
    return f"{text} Its seed SD rests on {least} runs and is rough." if least < _FEW_RUNS else text


def _say_time(seconds: float | None) -> str:
    return "" if seconds is None else f" ({duration(seconds)} more training)"

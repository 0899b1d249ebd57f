"""A plan's figures as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provetune.problem.claims import Claim
from provetune.statistics.caution import FEW
from provetune.study.claim_evidence import LEAST_SEEDS
from provetune.study.plan_scatter import is_share
from provetune.study.progress import duration

if TYPE_CHECKING:
    from provetune.study.plan_scatter import Scatter

_FEW_RUNS = 5


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
        parts.append(f"Only {entry['rows']} test rows are expected to count: hardly anything can be shown by so few.")
    parts.append(_say_basis(entry, scatter))
    return " ".join(parts)


def say_needs(entry: Mapping[str, Any]) -> str:
    """What would make an underpowered claim decidable, with its price."""
    needs, price = entry["needs"], entry["price"]
    ways = []
    if needs["seeds"] is not None:
        ways.append(f"{needs['seeds']} seeds{_say_time(price['seeds']['seconds'])}")
    if needs["rows"] is not None:
        ways.append(f"{needs['rows']:,} test rows ({price['rows']['rows']:,} more to label)")
    if needs["both"] is not None:
        seeds, rows = needs["both"]
        ways.append(f"{seeds} seeds{_say_time(price['both']['seconds'])} with {rows:,} test rows")
    if not ways:
        return "nothing within reach would make it decidable: widen the margin."
    only = needs["seeds"] is None and needs["rows"] is None and needs["both"] is not None
    return f"{' or '.join(ways)} would make it decidable{'; neither seeds nor rows alone' if only else ''}."


def say_underpowered(entry: Mapping[str, Any]) -> str:
    """A warning about one claim."""
    equal, smallest = entry["power_if_equal"], entry["power_at_smallest_effect"]
    if entry["detectable"] is None:
        weak = "cannot be decided"
    elif equal is not None and equal > entry["alpha"]:
        weak = f"is underpowered, supported {percent(equal)} of the time even if both sides are equal"
    else:
        weak = f"is underpowered, supported {percent(smallest)} of the time if it holds by study.smallest_effect"
    return f"'{entry['claim']}' {weak}: {say_needs(entry)}"


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
    reach = say_effect(entry["detectable"], entry["metric"])
    if claim.kind == "equal":
        parts = [f"Shows equality within {reach} or more, four times in five."]
    else:
        parts = [f"Finds a distance of {reach} from its edge four times in five."]
    if entry["power_if_equal"] is not None and entry["power_if_equal"] > entry["alpha"]:
        parts.append(f"Supported {percent(entry['power_if_equal'])} of the time if both sides are equal.")
    return parts


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

"""The table of a derivative: what it costs and what it scores, before and after, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MIB = 1024**2
_FIGURES = {
    "size_bytes": ("size", "MiB", _MIB),
    "latency_p50_ms": ("latency p50", "ms", 1),
    "latency_p95_ms": ("latency p95", "ms", 1),
    "latency_p99_ms": ("latency p99", "ms", 1),
    "texts_a_second": ("texts a second", "", 1),
    "memory_bytes": ("peak memory", "MiB", _MIB),
}


def cost_rows(found: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """What, before, after, difference, and what to say of it.

    Args:
        found: ``costs``, ``levels``, ``golden``, ``neighbours``, as a derivative's record has them, and ``batches``.
    """
    rows = [_figure_row(name, sides) for name, sides in found["costs"]["figures"].items() if name in _FIGURES]
    rows += [_level_row(level) for level in found["levels"]]
    golden, beside = found["golden"], found["neighbours"]
    alone = "" if found.get("batches", True) else "one row at a time: "
    rows.append(("golden examples", "", "", "", _say_same(golden["examples"], "examples", golden)))
    rows.append(("among neighbours", "", "", "", alone + _say_same(beside["texts"], "texts", beside)))
    return rows


def _say_same(count: int, what: str, found: Mapping[str, Any]) -> str:
    return f"{count} {what}, off by at most {found['largest']:.2g}, {found['flips']} decided otherwise"


def _figure_row(name: str, sides: Mapping[str, float | None]) -> tuple[str, str, str, str, str]:
    title, unit, per = _FIGURES[name]
    before, after = sides.get("parent"), sides.get("derivative")
    shown = [f"{value / per:,.1f} {unit}".strip() if value is not None else "–" for value in (before, after)]
    ratio = f"×{after / before:.2f}" if before and after is not None else ""
    return title, shown[0], shown[1], ratio, ""


def _level_row(level: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    value, before, required = level["value"], level["before"], level["required"]
    said = f"{level['metric']} {required}" if required else str(level["metric"])
    shown = [f"{number:.4f}" if number is not None else "–" for number in (before, value)]
    apart = ""
    if value is not None and level["low"] is not None and level["high"] is not None:
        apart = f"{value - before:+.4f} (95 % {level['low']:+.4f} to {level['high']:+.4f})"
    holds = "holds" if level["met"] else "broken"
    bound = level["loss_bound"]
    lost = f"; may have lost up to {bound:.4f}" if bound is not None else ""
    return said, shown[0], shown[1], apart, f"{holds}{lost}"

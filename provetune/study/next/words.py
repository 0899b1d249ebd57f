"""A step's figures as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provetune.study.progress import duration


def say_gain(step: Mapping[str, Any]) -> str:
    """Expected gain in points, with its interval."""
    low, high = step["gain_interval"]
    return f"expected {100 * step['gain']:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"


def say_cost(step: Mapping[str, Any]) -> str:
    """The machine's time, and people's where it takes any."""
    machine, people = step["details"]["machine_seconds"], step["details"]["people_seconds"]
    parts = [f"about {duration(machine)} of computing"]
    if people >= 60:
        parts.append(f"{duration(people)} of somebody's work")
    return " and ".join(parts)

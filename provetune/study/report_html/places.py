"""Where numbers lead: each trial has a place on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote


def trial_id(candidate: str, k: int) -> str:
    """Name of the place of one run. Candidates' names hold no hyphen, so no two runs share one."""
    return f"trial-{candidate}-{k}"


def group_id(candidate: str) -> str:
    """Name of the place of all runs of a candidate."""
    return f"trials-{candidate}"


def trial_href(candidate: str, k: int) -> str:
    """Link to one run."""
    return f"#{quote(trial_id(candidate, k))}"


def group_href(candidate: str) -> str:
    """Link to all runs of a candidate."""
    return f"#{quote(group_id(candidate))}"


def seed_hrefs(document: Mapping[str, Any], candidate: str, seeds: int) -> list[str]:
    """Link of each of a candidate's scores; to all its runs where it is not known whose each is."""
    trials = document["candidates"].get(candidate, {}).get("trials", [])
    if len(trials) == seeds:
        return [trial_href(candidate, trial["k"]) for trial in trials]
    return [group_href(candidate)] * seeds

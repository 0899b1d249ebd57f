"""The bundle that a command line names: a folder, or a problem file whose study has run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROBLEM_FILES = (".yaml", ".yml")


def find_bundle(named: str, workspace: Path | None = None) -> str:
    """The bundle's folder; of a problem file, the best bundle of the study that ended last.

    Args:
        workspace: where a problem file's study lies; ``.provetune`` beside it when left out.

    Raises:
        UsageError: no study of the problem file has ended.
    """
    if not named.endswith(_PROBLEM_FILES):
        return named
    from provetune.study.run import load_study

    return load_study(named, workspace).best


def forced_line(record: Mapping[str, Any]) -> str | None:
    """What whoever uses a bundle must know that was written although acceptance does not hold; None for others."""
    forced = record.get("forced") or []
    if not forced:
        return None
    steps = ", ".join(f"'{each['step']}'" for each in forced)
    why = "; ".join(reason for each in forced for reason in each["broke"])
    return f"This bundle was forced ({steps}): acceptance does not hold for it. {why[:1].upper()}{why[1:]}."

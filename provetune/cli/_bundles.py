"""The bundle that a command line names: a folder, or a problem file whose study has run."""

from __future__ import annotations

from pathlib import Path

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

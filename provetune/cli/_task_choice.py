"""Which task a file is for: every task is asked how well it suits, and the runner-up is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provetune.core.protocols import Task
    from provetune.data.table import RawTable

USUAL = "classification"
LEAST_FIT = 0.3
"""What suits less is not worth telling."""


@dataclass(frozen=True)
class TaskChoice:
    """The task that suits best.

    Attributes:
        why: one sentence, empty where the task was said.
        others: name, fit and reason of others that would do, best first.
    """

    task: Task
    why: str
    others: tuple[tuple[str, float, str], ...] = ()


def choose_task(raw: RawTable, given: Mapping[str, str | list[str]], said: str | None) -> TaskChoice:
    """The task that was said, else the one that suits the file best; classification where two suit alike.

    Args:
        given: columns that were named, by part.
        said: a task's name, or None.

    Raises:
        UsageError: there is no such task.
    """
    from provetune.tasks import TASKS

    if said is not None:
        return TaskChoice(TASKS.get(said), "")
    found = []
    for name in TASKS.names():
        task = TASKS.get(name)
        parts = {role.name for role in task.roles} | {"text"}
        if any(part not in parts for part in given):
            continue
        detected = task.detect(raw, given)
        found.append((name, detected.fit, detected.why))
    ordered = sorted(found, key=lambda one: (-one[1], one[0] != USUAL))
    if not ordered or ordered[0][1] < LEAST_FIT:
        return TaskChoice(TASKS.get(USUAL), "")
    others = tuple(one for one in ordered[1:] if one[1] >= LEAST_FIT)
    return TaskChoice(TASKS.get(ordered[0][0]), ordered[0][2], others)

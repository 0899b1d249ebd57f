"""The kinds of problem: one file each, none knows another."""

from __future__ import annotations

from provetune.core.protocols import Task
from provetune.core.registry import Registry

TASKS: Registry[Task] = Registry(__name__, "TASK", "task")

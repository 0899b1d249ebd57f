"""What is minimised: one file each."""

from __future__ import annotations

from provetune.core.protocols import Objective
from provetune.core.registry import Registry

OBJECTIVES: Registry[Objective] = Registry(__name__, "OBJECTIVE", "objective")

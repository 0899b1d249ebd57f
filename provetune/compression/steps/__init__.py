"""What can be done to a bundle: one file a step. `provetune.compression.step` says what a step is."""

from __future__ import annotations

from provetune.compression.step import Step
from provetune.core.registry import Registry

STEPS: Registry[Step] = Registry(__name__, "STEP", "compression step")

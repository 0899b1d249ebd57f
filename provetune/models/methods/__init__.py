"""What is trainable: one file each, none knows another."""

from __future__ import annotations

from provetune.core.protocols import Method
from provetune.core.registry import Registry

METHODS: Registry[Method] = Registry(__name__, "METHOD", "method")

"""How bundles of each kind answer: one file a `bundle_kind`."""

from __future__ import annotations

from provetune.core.registry import Registry
from provetune.inference.answering import Backend

BACKENDS: Registry[Backend] = Registry(__name__, "BACKEND", "bundle kind")

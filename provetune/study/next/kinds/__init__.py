"""Kinds of steps: one file each, none knows another."""

from __future__ import annotations

from provetune.core.registry import Registry
from provetune.study.next.step import Kind

KINDS: Registry[Kind] = Registry(__name__, "KIND", "kind of step")

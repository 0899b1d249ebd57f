"""Tagging: spans of texts, with labels."""

from __future__ import annotations

from provetune.tasks.tagging.task import Tagging

TASK = Tagging()

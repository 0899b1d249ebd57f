"""Ordinal classification: texts, or pairs of texts, into labels that have an order."""

from __future__ import annotations

from provetune.tasks.ordinal.task import Ordinal

TASK = Ordinal()

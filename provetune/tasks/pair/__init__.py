"""Pair: two texts into a label: do they match, is one a paraphrase of the other, does one entail the other."""

from __future__ import annotations

from provetune.tasks.pair.task import Pair

TASK = Pair()

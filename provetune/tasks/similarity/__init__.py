"""Similarity: two texts into a number, how alike or how related they are."""

from __future__ import annotations

from provetune.tasks.similarity.task import Similarity

TASK = Similarity()

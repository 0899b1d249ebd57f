"""Retrieval: the documents that answer a query, found among many by their vectors."""

from __future__ import annotations

from provetune.tasks.retrieval.task import Retrieval

TASK = Retrieval()

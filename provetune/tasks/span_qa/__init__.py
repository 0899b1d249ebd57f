"""Questions answered with a stretch of a passage."""

from __future__ import annotations

from provetune.tasks.span_qa.task import SpanQa

TASK = SpanQa()

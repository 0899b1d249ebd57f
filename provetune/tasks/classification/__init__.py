"""Classification: texts, or pairs of texts, into labels."""

from __future__ import annotations

from provetune.tasks.classification.task import Classification

TASK = Classification()

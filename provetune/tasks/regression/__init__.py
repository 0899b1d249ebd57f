"""Regression: texts, or pairs of texts, into numbers."""

from __future__ import annotations

from provetune.tasks.regression.task import Regression

TASK = Regression()

"""Sequence to sequence: a text into another, as translation and summarisation do."""

from __future__ import annotations

from provetune.tasks.seq2seq.task import Seq2seq

TASK = Seq2seq()

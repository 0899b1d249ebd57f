"""Relations between two marked entities of a text."""

from __future__ import annotations

from provetune.tasks.relation.task import Relation

TASK = Relation()

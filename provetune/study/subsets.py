"""`data.subset` of a problem file, as each candidate has it."""

from __future__ import annotations

from collections.abc import Sequence

from provetune.core.errors import UsageError
from provetune.core.protocols import Task
from provetune.problem.syntax import Candidate, CandidateData, Subset


def with_subset(candidate: Candidate, subset: Subset | None, task: Task, learns_from: str) -> Candidate:
    """The candidate with the problem's subset, unless its own data names a share or a subset.

    Args:
        learns_from: its method's; what learns from no row has no subset.

    Raises:
        UsageError: a subset is wanted of labels that are no classes.
    """
    own = candidate.data
    if subset is not None and (own is None or not {"share", "subset"} & own.model_fields_set):
        own = (own or CandidateData()).model_copy(update={"subset": subset})
    if own is None or own.subset is None:
        return candidate
    if not task.classes:
        raise UsageError(
            f"A subset takes so many rows of each label, and the labels of the task '{task.name}' are no classes.",
            where="data.subset",
            hint="Take data: {share: 0.1} in a candidate instead.",
        )
    if learns_from in ("labels", "members"):
        own = own.model_copy(update={"subset": None})
    return candidate.model_copy(update={"data": own})


def learned_counts(candidate: Candidate, counts: Sequence[int]) -> tuple[int, ...]:
    """Training rows of each label (C,) that a candidate learns from, of those there are."""
    if candidate.data is None or candidate.data.subset is None:
        return tuple(counts)
    return tuple(min(count, candidate.data.subset.per_label) for count in counts)

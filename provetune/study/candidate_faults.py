"""What stands in the way of single candidates, as findings of `provetune check`: what `provetune run` would refuse.

Every choice of every candidate is made as a run makes it, all but those of the machine, which need torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from provetune.core.errors import CorruptError, DataError, EnvironmentFault, ProvetuneError, UsageError
from provetune.core.protocols import Finding
from provetune.study.choices import CandidateChooser
from provetune.study.members import refuse_unfit_members
from provetune.study.problem_checks import add_baseline

if TYPE_CHECKING:
    from provetune.core.protocols import Targets, Task
    from provetune.data.splits import Splits
    from provetune.models.download import Listener
    from provetune.problem.reading import ProblemFile

CANNOT_RUN = "candidate_cannot_run"


def find_candidate_faults(
    file: ProblemFile, task: Task, targets: Targets, splits: Splits, language: str, progress: Listener | None = None
) -> Iterator[Finding]:
    """A blocking finding for each candidate that cannot work: method, objectives, settings, and what they name.

    A backbone that cannot be had now is told elsewhere; what can be said without it is said.

    Args:
        language: of the texts.
    """
    problem = file.problem
    candidates = add_baseline(problem.candidates, problem.task)
    problem = problem.model_copy(update={"candidates": candidates, "language": language})
    chooser = CandidateChooser(file, problem, task, targets, splits, "auto", progress, [], asks_machine=False)
    for name in candidates:
        try:
            _settle(chooser, name)
        except (UsageError, DataError, CorruptError) as error:
            yield cannot_run(error)
    # What is made of others is looked at where all of it could be settled.
    if set(chooser.candidates) == set(candidates):
        try:
            refuse_unfit_members(chooser.candidates, chooser.backbones, partial(file.where, "candidates"))
        except UsageError as error:
            yield cannot_run(error)


def cannot_run(error: ProvetuneError) -> Finding:
    """A refusal as a finding."""
    return Finding(CANNOT_RUN, "blocking", 1, str(error))


def _settle(chooser: CandidateChooser, name: str) -> None:
    try:
        chooser.settle(name)
    except EnvironmentFault:
        chooser.refuse_without_backbone(name)

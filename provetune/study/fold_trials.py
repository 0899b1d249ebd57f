"""The rounds of a cross-validated run: one trial each, in ``trials/<candidate>-<k>/more/fold-<n>``.

The run itself is made of them: its outcomes are theirs, row by row, and its bundle is theirs together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import CorruptError
from provetune.study.engines import Job
from provetune.study.members import MORE, seed_of_fold
from provetune.study.sealed_test import Seal
from provetune.study.splits_store import load_split
from provetune.study.trial import TEST
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Task

_JUDGE_COST = 2.0


def fold_specs(spec: TrialSpec) -> list[TrialSpec]:
    """What each round of a run is told, in order; none without folds."""
    if spec.folds is None or spec.fold is not None:
        return []
    return [
        replace(
            spec,
            folder=str(spec.place / MORE / f"fold-{number}"),
            seed=seed_of_fold(spec.seed, number),
            fold=number,
            # Trackers name a run by candidate and number, which are the whole run's.
            study={**spec.study, "trackers": []},
        )
        for number in range(int(spec.folds["count"]))
    ]


def with_own_targets(spec: TrialSpec, task: Task, rows: pa.Table) -> TrialSpec:
    """A round's trial with what there is to predict as its own training rows have it: counts, and what follows.

    The label names are the study's, so that the models of all rounds say the same things.

    Args:
        rows: all rows of the study.
    """
    from provetune.study.trial_rows import in_round

    targets = spec.label_names
    taught = in_round(spec, rows, "train")
    own = task.targets(taught, out_of_scope=targets.out_of_scope, options=targets.options)
    alike = (own.names, own.kind, dict(own.options)) == (targets.names, targets.kind, dict(targets.options))
    return replace(spec, targets=own.to_json()) if alike else spec


def judge_jobs(spec: TrialSpec, seal: Seal) -> list[Job]:
    """Jobs in which the model of each round answers the rows held out from it; those done before are left out."""
    return [
        Job(f"{each.id}:test", "judge", {"trial": each.to_json(), "seal": seal.to_json()}, _JUDGE_COST)
        for each in fold_specs(spec)
        if not (each.place / TEST).exists()
    ]


def join_rounds(spec: TrialSpec, file: str) -> pa.Table:
    """Outcomes of all rounds of a run, one for each row of the study, in the order of its rows.

    Args:
        file: ``test.parquet`` for what was said about rows held out, ``validation.parquet`` about those that validated.

    Raises:
        CorruptError: a round's are missing, or they are not of every row once.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from provetune.evaluation.outcomes import read_outcomes

    places = [each.place / file for each in fold_specs(spec)]
    if missing := next((path for path in places if not path.exists()), None):
        raise CorruptError("What a fold's model said is missing.", where=str(missing), hint="Run it again.")
    said = pa.concat_tables([read_outcomes(path) for path in places], promote_options="permissive")
    wanted = load_split(Path(spec.study_folder), "train")["row_id"]
    order = pc.index_in(wanted, value_set=said["row_id"].combine_chunks())
    if len(wanted) != said.num_rows or order.null_count:
        raise CorruptError("The folds' outcomes are not of every row once.", where=str(spec.place), hint="Run --fresh.")
    return said.take(order)


def begun_judging(specs: Sequence[TrialSpec]) -> bool:
    """Whether any round of these runs has answered rows held out from it."""
    return any((each.place / TEST).exists() for spec in specs for each in fold_specs(spec))


def write_joined(spec: TrialSpec) -> None:
    """Put the answers to held-out rows together, as the run's own ``test.parquet``."""
    from provetune.evaluation.outcomes import write_outcomes

    write_outcomes(spec.place / TEST, join_rounds(spec, TEST))


def folds_of(document: Any, k: int, group: str | None) -> dict[str, Any] | None:
    """The folds of the k-th run as a trial is told them; None where the problem has none.

    Args:
        document: the problem's `Split`.
        group: column whose rows stay together.
    """
    from provetune.data.folds import Folds

    if document.folds is None:
        return None
    return Folds(document.folds, document.seed, document.stratify, group).of_run(k).to_json()

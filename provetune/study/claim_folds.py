"""Claims of a cross-validated study: what folds whose training rows overlap leave of the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.overlapping import FoldEstimate, estimate_folds
from provetune.study.claim_figures import CandidateRows, Figures

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array
    from provetune.data.folds import Folds

UNDECIDED = (
    "undecided: the scores are of the folds' models, each on rows held out from it; the bundle is made of them, and no "
    "row is left that it has not seen"
)


@dataclass(frozen=True)
class FoldsOfRuns:
    """In which fold each row is, in each run.

    Attributes:
        count: folds of a run.
        codes: by number of the run, (N,), rows in the order of the study's; alike for all candidates.
    """

    count: int
    codes: Mapping[int, Array]


def folds_of_runs(folds: Folds | None, examples: pa.Table, runs: int) -> FoldsOfRuns | None:
    """The folds of so many runs; None for a study without folds.

    Args:
        examples: all rows of the study.
    """
    if folds is None:
        return None
    return FoldsOfRuns(folds.count, {k: folds.of_run(k).draw(examples) for k in range(runs)})


def estimate_sides(
    sides: Sequence[CandidateRows], figures: Sequence[Figures], folds: FoldsOfRuns, mask: Array | None, least: int
) -> FoldEstimate:
    """The difference of two candidates, run by run on the same folds, or the value of one.

    Args:
        mask: which of the study's rows the figures are about, bool (N,); None for all.
        least: runs that are needed.

    Raises:
        UsageError: a metric that is no mean over rows, or too few runs that both sides have.
    """
    contributions = [each.contributions for each in figures if each.contributions is not None]
    if len(contributions) < len(figures):
        raise UsageError("A score that is no mean over rows cannot be judged from folds.")
    places = [side.by_number() for side in sides]
    common = sorted(set.intersection(*(set(each) for each in places)))
    if len(common) < least:
        raise UsageError(f"A claim needs at least {least} runs that every side of it has, on the same folds.")
    rows = np.flatnonzero(mask) if mask is not None else np.arange(len(folds.codes[common[0]]))
    rows = rows if figures[0].used is None else rows[figures[0].used]
    signs = (1.0, -1.0)
    values = np.stack(
        [
            sum(sign * each[place[run]] for sign, each, place in zip(signs, contributions, places, strict=False))
            for run in common
        ]
    )
    return estimate_folds(values, np.stack([folds.codes[run][rows] for run in common]), folds.count)


def say_folds_note(found: FoldEstimate) -> str:
    """How an interval from folds was made."""
    return (
        f"{found.folds} folds whose training rows overlap: no unbiased variance exists, so the interval is the wider "
        f"one of seeds with rows and of folds corrected for what they share (Nadeau and Bengio, t with {found.freedom} "
        "degrees of freedom)"
    )


def leave_undecided(judged: Sequence[Mapping[str, Any]], system: Sequence[str]) -> list[dict[str, Any]]:
    """Levels of ``accept`` as a cross-validated bundle stands to them: none that is about rows is decided.

    Args:
        judged: as `provetune.study.acceptance.judge_acceptance` gives them.
        system: metrics of the machine, which are measured with the bundle itself.
    """
    return [
        dict(each)
        if str(each["metric"]) in system or each["value"] is None
        else {**each, "bound": None, "met": None, "notes": [*each["notes"], UNDECIDED]}
        for each in judged
    ]

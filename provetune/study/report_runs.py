"""Which finished runs a report is made of, and what they said about the rows of the split that is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.study.document import DOCUMENT
from provetune.study.trial import TEST, VALIDATION, read_result

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class FinishedRun:
    """One finished run: its result and what it said about the rows of one split.

    Attributes:
        folder: of the trial.
        result: its ``result.json``.
        outcomes: see `provetune.evaluation.outcomes`.
    """

    folder: Path
    result: Mapping[str, Any]
    outcomes: pa.Table

    @property
    def k(self) -> int:
        """Number of its seed, from 0."""
        return int(self.result["k"])


def is_test_open(study_folder: Path) -> bool:
    """Whether the study has ended and its sealed test was opened."""
    return (Path(study_folder) / DOCUMENT).exists()


def choose_split(folder: Path, split: str | None, open_test: bool) -> str:
    """The split whose scores are shown: validation, or the test where it was asked for and has been judged.

    Raises:
        UsageError: there is no such split, or the test is not open, or nobody asked for it.
    """
    if split not in (None, *SPLITS):
        raise UsageError(f"There is no split '{split}' to report on.", hint="Known: validation, test.")
    if (open_test or split == "test") and not is_test_open(folder):
        raise UsageError(
            "The test of this study is sealed until all its runs have ended.",
            where=str(folder),
            hint="`provetune run` goes on; until then there is the validation report.",
        )
    if split == "test" and not open_test:
        raise UsageError(
            "What came of the test is shown only when it is asked for.",
            where=str(folder),
            hint="Add --open-test; what is stored already is shown, which is no new look.",
        )
    return split or ("test" if open_test else "validation")


def finished_runs(folder: Path, candidate: str, seeds: int, split: str) -> list[FinishedRun]:
    """The finished runs of a candidate that have outcomes of this split, in the order of their seeds."""
    from provetune.evaluation.outcomes import read_outcomes

    runs = []
    for k in range(seeds):
        place = folder / "trials" / f"{candidate}-{k}"
        outcomes = place / (TEST if split == "test" else VALIDATION)
        result = read_result(place)
        if result is not None and outcomes.exists():
            runs.append(FinishedRun(place, result, read_outcomes(outcomes)))
    return runs


def align(runs: Sequence[FinishedRun], examples: pa.Table) -> tuple[pa.Table, list[pa.Table]]:
    """Examples and every run's outcomes in one order; rows without a label, or unknown to a run, left out."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = examples.column("row_id").combine_chunks()
    places = [pc.index_in(ids, value_set=run.outcomes.column("row_id").combine_chunks()) for run in runs]
    known = np.ones(len(ids), dtype=bool)
    for run, place in zip(runs, places, strict=True):
        found = place.is_valid().to_numpy(zero_copy_only=False)
        labelled = run.outcomes.column("label").is_valid().to_numpy()
        known &= found
        known[found] &= labelled[place.drop_null().to_numpy()]
    mask = pa.array(known)
    return examples.filter(mask), [
        run.outcomes.take(place.filter(mask)) for run, place in zip(runs, places, strict=True)
    ]

"""The claims of one study, judged from what its runs said about rows: stored outcomes, never the rows' texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import TrialRecord
from provetune.problem.claims import Claim, canonical, normalised, parse_claim
from provetune.statistics.looks import spend
from provetune.study.claim_folds import FoldsOfRuns, folds_of_runs
from provetune.study.failed_runs import FailedCheck, SortedRuns, sort_runs
from provetune.study.interim import FUTILITY_ALPHA, Stage
from provetune.study.repeated import is_deterministic
from provetune.study.shown_metrics import metric_limits
from provetune.study.trial import TEST, VALIDATION
from provetune.study.trial_book import TrialBook
from provetune.study.verdict import CandidateRows, judge_claims

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.problem.syntax import Candidate
    from provetune.statistics.judged import Judged
    from provetune.study.resolved import ResolvedStudy

_WITH_PROBABILITIES = ("log_loss", "ece", "auc", "aurc")


class StudyClaims:
    """Judges a study's claims as often as there are looks.

    Args:
        folder: the study's own folder.
        check: by which runs count as failed.
    """

    def __init__(self, resolved: ResolvedStudy, folder: Path, book: TrialBook, check: FailedCheck) -> None:
        self.resolved, self.folder, self.book, self.check = resolved, folder, book, check
        self.problem, self.study = resolved.problem, resolved.problem.study
        self.claims = [parse_claim(text) for text in self.problem.claims]
        self.kinds = {metric.name: metric.kind for metric in resolved.task.metrics}

    @property
    def alpha(self) -> float:
        """One-sided, of a first look at test rows."""
        return round(1 - self.study.confidence, 12)

    def timed(self) -> list[str]:
        """Candidates whose speed a claim is about."""
        asked = (claim for claim in self.claims if claim.scope and self.kinds.get(claim.scope.metric) == "system")
        return sorted({name for claim in asked for name in claim.candidates})

    def needs_rows(self) -> bool:
        """Whether a claim is about some of the rows, so that their columns are wanted."""
        return any(claim.scope is not None and claim.scope.conditions for claim in self.claims)

    def sorted_runs(self, name: str, seeds: int | None = None) -> SortedRuns:
        """A candidate's runs, those below a number of seeds, by whether they passed the check."""
        most = self.study.seeds if seeds is None else seeds
        runs = [run for run in self.book.finished(name) if run.k < most]
        crashed = {k: message for k, message in self.book.failures(name).items() if k < most}
        return sort_runs(runs, crashed, self.check)

    def judge(
        self,
        stage: Stage,
        look: int,
        *,
        examples: pa.Table | None,
        groups: Sequence[Any] | None,
        blocks: Mapping[str, Mapping[str, Sequence[float]]],
        before: set[str],
    ) -> list[dict[str, Any]]:
        """Every claim's verdict at a stage of a look at the test rows.

        Args:
            look: its number among the charged looks at these rows.
            examples: the test rows' columns, where they are needed.
            groups: a value a test row, where rows are not independent.
            before: claims, as written, that were registered before the first look.
        """
        known = {canonical(normalised(parse_claim(text), self.resolved.metric)) for text in before}
        added = [
            place
            for place, claim in enumerate(self.claims)
            if canonical(normalised(claim, self.resolved.metric)) not in known
        ]
        return judge_claims(
            self.claims,
            self._candidates(self.claims, stage.seeds, TEST, groups),
            metric=self.resolved.metric,
            kinds=self.kinds,
            alpha=stage.alpha(spend(self.alpha, look), self.study),
            smallest=self.study.smallest_effect,
            look=look,
            next_alpha=spend(self.alpha, look + 1),
            confidence=self.study.confidence,
            examples=examples,
            blocks=blocks,
            added=added,
            limits=metric_limits(self.resolved.task),
            folds=self._folds(),
        )

    def _folds(self) -> FoldsOfRuns | None:
        """Which fold each row was in, where the study is cross-validated."""
        from provetune.study.splits_store import load_split

        folds = self.resolved.splits.folds
        return None if folds is None else folds_of_runs(folds, load_split(self.folder, "train"), self.study.seeds)

    def out_of_reach(self, numbers: Sequence[int], stage: Stage) -> list[int]:
        """Which of these claims validation refutes clearly enough to train no further for them."""
        from provetune.study.splits_store import load_split

        claims = [self.claims[number] for number in numbers]
        judged = judge_claims(
            claims,
            self._candidates(claims, stage.seeds, VALIDATION, None),
            metric=self.resolved.metric,
            kinds=self.kinds,
            alpha=FUTILITY_ALPHA,
            examples=load_split(self.folder, "validation") if self.needs_rows() else None,
        )
        return [number for number, one in zip(numbers, judged, strict=True) if one["verdict"] == "refuted"]

    def spending(self, look: int) -> dict[str, Any]:
        """What this look may err, and what all looks so far may together."""
        spent = sum(spend(self.alpha, each) for each in range(1, look + 1))
        return {"confidence": self.study.confidence, "look": look, "alpha": spend(self.alpha, look), "spent": spent}

    def _candidates(
        self, claims: Sequence[Claim], seeds: int, file: str, groups: Sequence[Any] | None
    ) -> dict[str, CandidateRows]:
        names = sorted({name for claim in claims for name in claim.candidates})
        metrics = {claim.scope.metric if claim.scope else self.resolved.metric for claim in claims}
        probabilities = not metrics.isdisjoint(_WITH_PROBABILITIES)
        return {name: self._candidate(name, seeds, file, groups, probabilities) for name in names}

    def _candidate(
        self, name: str, seeds: int, file: str, groups: Sequence[Any] | None, probabilities: bool
    ) -> CandidateRows:
        candidate = self.problem.candidates[name]
        sorted_runs = self.sorted_runs(name, seeds)
        deterministic = is_deterministic(candidate, folds=self.problem.data.split.folds)
        runs = sorted_runs.passed[:1] if deterministic else sorted_runs.passed
        return CandidateRows(
            tuple(self._rows(run, file, groups, probabilities) for run in runs),
            deterministic,
            tuple(sorted_runs.failed.items()),
            _data_note(name, candidate),
            tuple(run.k for run in runs),
        )

    def _rows(self, run: TrialRecord, file: str, groups: Sequence[Any] | None, probabilities: bool) -> Judged:
        from provetune.evaluation.outcomes import read_outcomes
        from provetune.statistics.rows import JudgedRows

        rows: Judged = self.resolved.task.judged(
            read_outcomes(self.folder / run.folder / file), self.resolved.targets, groups
        )
        # Probabilities of many labels and runs take more memory than all else.
        return replace(rows, probabilities=None) if isinstance(rows, JudgedRows) and not probabilities else rows


def _data_note(name: str, candidate: Candidate) -> str | None:
    if candidate.data is None or not candidate.data.draws:
        return None
    subset = candidate.data.subset
    drawn = f"{candidate.data.share:.0%} of the" if subset is None else f"{subset.per_label:,} rows a label of the"
    return f"each run of '{name}' draws its own {drawn} training rows: their luck is in it too"

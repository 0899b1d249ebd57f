"""The end of a study: choose by validation, open the sealed test once, judge, and write down what was found.

With `study.stop_early` the test is opened in stages that count as one look (`provetune.study.interim`); the best bundle
is chosen before the first of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import CorruptError
from provetune.core.files import atomic_path, read_json
from provetune.core.protocols import WITHOUT_BACKBONE, JudgesTogether, TrialRecord
from provetune.data.drawing import group_keys
from provetune.ledger.entries import StudyRecord
from provetune.ledger.records import Ledger
from provetune.problem.scopes import parse_accept_key
from provetune.study import paired_latency
from provetune.study.acceptance import judge_acceptance
from provetune.study.claim_folds import leave_undecided
from provetune.study.document import FORMAT, spread, write_document
from provetune.study.engines import Job, Listener, Pool
from provetune.study.failed_runs import FailedCheck
from provetune.study.fold_trials import judge_jobs, write_joined
from provetune.study.interim import Decisions, Stage
from provetune.study.members import MORE, combined_last, combining, members_of, with_members
from provetune.study.repeated import is_deterministic
from provetune.study.sealed_test import LATENCY, PIECE_ROWS, Seal, join_pieces, judged_hash, read_test_rows
from provetune.study.selection import Best, choose_best, median_run
from provetune.study.splits_store import split_summary
from provetune.study.study_claims import StudyClaims
from provetune.study.trial import BUNDLE, TEST
from provetune.study.trial_book import TrialBook, raise_if_expected
from provetune.study.wear import say_wear

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.study.resolved import ResolvedStudy

_LEARNING_COST = {
    "texts": 0.0,
    "examples": 0.0,
    "features": 1.0,
    "labels": 1.0,
    "contrasts": 2.0,
    "weights": 2.0,
    "members": 2.0,
}


class Judging:
    """Everything that happens after the last trial has ended."""

    def __init__(
        self,
        resolved: ResolvedStudy,
        folder: Path,
        ledger: Ledger,
        record: StudyRecord,
        book: TrialBook,
        listener: Listener,
        check: FailedCheck,
    ) -> None:
        self.resolved, self.folder, self.ledger = resolved, folder, ledger
        self.record, self.book, self.listener = record, book, listener
        self.problem, self.task = resolved.problem, resolved.task
        self.seal = Seal(ledger.url, record.key, judged_hash(resolved.judged_facts()))
        self.claims = StudyClaims(resolved, folder, book, check)
        self.decisions = Decisions(len(self.claims.claims))
        self.test_hash = split_summary(folder)["test"]["hash"]
        self.best: Best | None = None
        self._columns: pa.Table | None = None

    @property
    def runs(self) -> dict[str, list[TrialRecord]]:
        """Runs that have ended well, by candidate."""
        return {name: self.book.finished(name) for name in self.problem.candidates}

    def open(self, pool: Pool, stage: Stage) -> None:
        """Open the test for the runs of a stage, and judge the claims by them."""
        runs = {name: [run for run in runs if run.k < stage.seeds] for name, runs in self.runs.items()}
        if self.best is None:
            # Before any test row is seen: what is chosen here, and from which runs, no test outcome can move.
            self.best = choose_best(runs, self.task.metrics[0], self._costs())
        self._predict_test_rows(pool, runs)
        if not self.claims.claims:
            return
        judged = self.claims.judge(
            stage,
            self._look(),
            examples=self._labelled_columns() if self.claims.needs_rows() else None,
            groups=self._groups(),
            blocks=self._measure_in_turn(pool, runs),
            before=self.ledger.claims_before(self.test_hash),
        )
        self.ledger.record_verdicts(self.record.key, self.decisions.take(judged))

    def wear(self) -> str | None:
        """What to know before training where the test rows have been looked at too often already."""
        charged = {look.judged: look.number for look in self.ledger.looks(self.test_hash) if look.charged}
        look = charged.get(self.seal.judged, len(charged) + 1)
        return say_wear(look - 1, split_summary(self.folder)["test"]["rows"], self.claims.alpha)

    def wanted(self, stage: Stage) -> set[str]:
        """Candidates that a stage has to train: all at the first, later those of claims that are still open."""
        if stage.before == 0:
            return set(self.problem.candidates)
        passed = Stage(stage.before)
        for number in self.claims.out_of_reach(self.decisions.open(), passed):
            self.decisions.give_up(number)
        names = {name for number in self.decisions.open() for name in self.claims.claims[number].candidates}
        names = with_members(names, self.problem.candidates)
        return {name for name in names if not self._is_deterministic(name)}

    def conclude(self, pool: Pool) -> dict[str, Any]:
        """Judge the best bundle and write the study's document."""
        best = self._chosen()
        accept = self._accept(pool, best)
        self._update_bundle(best, accept)
        self._drop_bundles(best)
        document = self._document(best, accept)
        write_document(self.folder, document)
        return document

    def _costs(self) -> dict[str, tuple[float, ...]]:
        """What a candidate costs, in order: how it learns, its backbone's size, its place in the file."""
        from provetune.models.methods import METHODS

        found: dict[str, tuple[float, ...]] = {}
        for place, (name, candidate) in enumerate(self.problem.candidates.items()):
            backbone = self.resolved.backbones.get(name)
            weights = [] if backbone is None else list(Path(backbone.path).glob("*.safetensors"))
            size = float(sum(path.stat().st_size for path in weights))
            found[name] = (_LEARNING_COST[METHODS.get(candidate.method).learns_from], size, float(place))
        # What is made of others costs more than each of them: an ensemble as much as all its models to answer.
        for name in combined_last(self.problem.candidates):
            candidate = self.problem.candidates[name]
            costs, runs = [found[member] for member in members_of(candidate)], float(candidate.extra["runs"])
            method = combining(candidate.method)
            one = method is not None and method.averages == "weights"
            size = max(cost[1] for cost in costs) if one else runs * sum(cost[1] for cost in costs)
            found[name] = (max(cost[0] for cost in costs) + 1 / 2, size, found[name][2])
        return found

    def _chosen(self) -> Best:
        if self.best is None:
            raise RuntimeError("The test must be opened before a study is concluded.")
        return self.best

    def _is_deterministic(self, name: str) -> bool:
        return is_deterministic(self.problem.candidates[name], folds=self.problem.data.split.folds)

    # -- the test rows ------------------------------------------------------------------------------------

    def _predict_test_rows(self, pool: Pool, ended: Mapping[str, list[TrialRecord]]) -> None:
        """Every finished run's bundle predicts the test rows, equal ones once; what was predicted before stays."""
        jobs: list[Job] = []
        repeated, cut, folded = [], [], []
        for name, runs in ended.items():
            same = self._is_deterministic(name)
            for number, run in enumerate(runs):
                if (self.folder / run.folder / TEST).exists():
                    continue
                if same and number > 0:
                    repeated.append((runs[0], run))
                    continue
                spec = self.book.spec(run.candidate, run.k)
                if spec.folds is not None:
                    jobs += judge_jobs(spec, self.seal)
                    folded.append(spec)
                    continue
                body = {"trial": spec.to_json(), "seal": self.seal.to_json()}
                starts = self._test_pieces(name)
                if not starts:
                    jobs.append(Job(f"{spec.id}:test", "judge", body, _LEARNING_COST["weights"]))
                    continue
                pieces = ((f"{spec.id}:test:{start}", {**body, "start": start}) for start in starts)
                jobs += [Job(job, "judge", each, _LEARNING_COST["weights"]) for job, each in pieces]
                cut.append(spec.place)
        self._do(pool, jobs)
        for place in cut:
            join_pieces(place, self._test_count())
        for spec in folded:
            write_joined(spec)
        for first, run in repeated:
            with atomic_path(self.folder / run.folder / TEST) as temporary:
                shutil.copyfile(self.folder / first.folder / TEST, temporary)

    def _test_pieces(self, name: str) -> range:
        """First rows of the pieces that workers share, where a candidate has a single run to judge; else none."""
        from provetune.models.methods import METHODS
        from provetune.tasks import TASKS

        candidate, rows = self.problem.candidates[name], self._test_count()
        alone = self.problem.study.seeds == 1 or self._is_deterministic(name)
        quick = METHODS.get(candidate.method).learns_from in WITHOUT_BACKBONE
        apart = not isinstance(TASKS.get(self.problem.task), JudgesTogether)
        return range(0, rows, PIECE_ROWS) if alone and apart and not quick and rows > PIECE_ROWS else range(0)

    def _test_count(self) -> int:
        return int(split_summary(self.folder)["test"]["rows"])

    def _do(self, pool: Pool, jobs: list[Job]) -> None:
        for outcome in (pool.run(jobs, self.listener) if jobs else {}).values():
            if outcome.error is not None:
                raise_if_expected({**outcome.error, "died": False})
                raise CorruptError(
                    f"A trained bundle could not be judged ({outcome.error['message']}).",
                    where=str(self.folder / "logs"),
                    hint="Run the same line again; if it stays, run with --fresh.",
                )

    def _test_outcomes(self, run: TrialRecord) -> pa.Table:
        from provetune.evaluation.outcomes import read_outcomes

        return read_outcomes(self.folder / run.folder / TEST)

    def _look(self) -> int:
        """Which charged look at the test rows this study is."""
        for look in self.ledger.looks(self.test_hash):
            if look.charged and look.judged == self.seal.judged:
                return look.number
        # The outcomes lie here, but were made under another ledger.
        purpose = "claims judged from stored outcomes"
        look = self.ledger.record_look(self.test_hash, purpose, study_key=self.record.key, judged=self.seal.judged)
        return look.number

    def _test_columns(self) -> pa.Table:
        """The columns of the test rows, for claims and levels about some of them and for groups."""
        if self._columns is None:
            self._columns = read_test_rows(self.folder, self.ledger, "columns for claims and acceptance", self.seal)
        return self._columns

    def _labelled_columns(self) -> pa.Table:
        rows = self._test_columns()
        return rows.filter(rows.column("label").is_valid())

    def _groups(self) -> list[Any] | None:
        group = self._group()
        return None if group is None else group_keys(self._test_columns(), group).to_pylist()

    def _measure_in_turn(
        self, pool: Pool, ended: Mapping[str, list[TrialRecord]]
    ) -> Mapping[str, Mapping[str, list[float]]]:
        """Blocks of the candidates whose speed is compared, measured in turn; what was measured before stays."""
        names = [name for name in self.claims.timed() if ended.get(name)]
        path = self.folder / paired_latency.FILE
        if names and not path.exists():
            runs = {name: median_run(ended[name], self.task.metrics[0]) for name in names}
            trials = {name: self.book.spec(name, run.k).to_json() for name, run in runs.items()}
            self._do(pool, [Job("latency", paired_latency.JOB, {"trials": trials, "file": str(path)})])
        blocks: dict[str, dict[str, list[float]]] = read_json(path)["blocks"] if names else {}
        return blocks

    # -- acceptance ---------------------------------------------------------------------------------------

    def _accept(self, pool: Pool, best: Best) -> list[dict[str, Any]]:
        if not self.problem.accept:
            return []
        scopes = [parse_accept_key(key) for key in self.problem.accept]
        groups = self._groups()
        judged = judge_acceptance(
            self.problem.accept,
            self.task,
            self.resolved.targets,
            self._test_outcomes(best.trial),
            confidence=self.problem.study.confidence,
            blocks=self._blocks(pool, best),
            examples=self._test_columns() if any(scope.conditions for scope in scopes) else None,
            groups=groups,
        )
        if self.resolved.splits.folds is not None:
            judged = leave_undecided(judged, [metric.name for metric in self.task.metrics if metric.kind == "system"])
        self.ledger.record_acceptance(self.record.key, f"{best.trial.folder}/{BUNDLE}", judged)
        return judged

    def _group(self) -> str | None:
        """The column whose rows are not independent of each other, where the test rows have it."""
        group = self.problem.data.columns.group or self.problem.data.split.group
        return group if group is not None and f"raw.{group}" in self.resolved.splits.test.column_names else None

    def _blocks(self, pool: Pool, best: Best) -> Mapping[str, list[float]]:
        """Measurements of the best bundle on this machine, where a level asks for one."""
        system = {metric.name for metric in self.task.metrics if metric.kind == "system"}
        if not any(parse_accept_key(key).metric in system for key in self.problem.accept):
            return {}
        spec = self.book.spec(best.candidate, best.trial.k)
        if not (spec.place / LATENCY).exists():
            self._do(pool, [Job(f"{spec.id}:latency", "latency", {"trial": spec.to_json()})])
        blocks: dict[str, list[float]] = read_json(spec.place / LATENCY)["blocks"]
        return blocks

    # -- what is kept -------------------------------------------------------------------------------------

    def _update_bundle(self, best: Best, accept: list[dict[str, Any]]) -> None:
        from provetune.models.bundle import update_record

        scores = self.task.score(self._test_outcomes(best.trial), self.resolved.targets)
        update_record(
            self.folder / best.trial.folder / BUNDLE,
            acceptance=accept,
            verdict=self.decisions.final() or None,
            metrics={"validation": dict(best.trial.scores), "test": scores},
        )

    def _drop_bundles(self, best: Best) -> None:
        if self.problem.study.keep == "all":
            return
        for run in (run for runs in self.runs.values() for run in runs):
            if run != best.trial:
                shutil.rmtree(self.folder / run.folder / BUNDLE, ignore_errors=True)
        for path in self.folder.glob(f"trials/*/{MORE}/*/{BUNDLE}"):
            shutil.rmtree(path, ignore_errors=True)  # what is made of them holds its own

    def _document(self, best: Best, accept: list[dict[str, Any]]) -> dict[str, Any]:
        candidates = {}
        for name, runs in self.runs.items():
            scores = [self.task.score(self._test_outcomes(run), self.resolved.targets) for run in runs]
            bundles = [f"{run.folder}/{BUNDLE}" for run in runs]
            candidates[name] = {
                "metrics": spread(scores),
                "validation": spread([run.scores for run in runs]),
                "bundles": [path for path in bundles if (self.folder / path).exists()],
                "seconds": round(sum(run.seconds for run in runs), 3),
                "failed": [{"k": k, "message": why} for k, why in self.claims.sorted_runs(name).failed.items()],
            }
        summary = split_summary(self.folder)
        looks = max((look.number for look in self.ledger.looks(self.test_hash)), default=0)
        worn = say_wear(looks, summary["test"]["rows"], self.claims.alpha)
        return {
            "format_version": FORMAT,
            "study": self.resolved.study_id,
            "workspace": "",
            "problem": self.problem.name,
            "task": self.problem.task,
            "metric": self.task.metrics[0].name,
            "rows": {name: each["rows"] for name, each in summary.items()},
            **({} if self.problem.data.split.folds is None else {"folds": self.problem.data.split.folds}),
            "candidates": candidates,
            "best": {"candidate": best.candidate, "seed": best.trial.k, "bundle": f"{best.trial.folder}/{BUNDLE}"},
            "claims": self.decisions.final(),
            "accept": accept,
            "alpha": self.claims.spending(self._look()),
            "failed_check": self.claims.check.to_json(),
            "looks": looks,
            "notes": [*self.resolved.notes, *([] if worn is None else [worn])],
        }

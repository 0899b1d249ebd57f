"""The end of a study: choose by validation, open the sealed test once, judge, and write down what was found."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import CorruptError
from provetune.core.files import atomic_path, read_json
from provetune.core.protocols import TrialRecord
from provetune.data.drawing import group_keys
from provetune.ledger.entries import StudyRecord
from provetune.ledger.records import Ledger
from provetune.problem.scopes import parse_accept_key
from provetune.study.acceptance import judge_acceptance
from provetune.study.document import FORMAT, spread, write_document
from provetune.study.engines import Job, Listener, Pool
from provetune.study.repeated import is_deterministic
from provetune.study.sealed_test import LATENCY, Seal, judged_hash, read_test_rows
from provetune.study.selection import Best, choose_best
from provetune.study.splits_store import split_summary
from provetune.study.trial import BUNDLE, TEST
from provetune.study.trial_book import TrialBook, raise_if_expected

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.study.resolved import ResolvedStudy

_LEARNING_COST = {"texts": 0.0, "features": 1.0, "weights": 2.0}


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
    ) -> None:
        self.resolved, self.folder, self.ledger = resolved, folder, ledger
        self.record, self.book, self.listener = record, book, listener
        self.problem, self.task = resolved.problem, resolved.task
        self.runs = {name: book.finished(name) for name in self.problem.candidates}
        self.seal = Seal(ledger.url, record.key, judged_hash(self._facts()))

    def conclude(self, pool: Pool) -> dict[str, Any]:
        """Judge what was trained and write the study's document."""
        best = choose_best(self.runs, self.task.metrics[0], self._costs())
        self._predict_test_rows(pool)
        accept = self._accept(pool, best)
        self._update_bundle(best, accept)
        self._drop_bundles(best)
        document = self._document(best, accept)
        write_document(self.folder, document)
        return document

    def _facts(self) -> dict[str, Any]:
        """What a look is a look at: the same facts judged again are no new look."""
        summary = split_summary(self.folder)
        return {
            "claims": list(self.problem.claims),
            "accept": dict(self.problem.accept),
            "candidates": {name: each.model_dump(mode="json") for name, each in self.problem.candidates.items()},
            "seeds": {name: [run.seed for run in runs] for name, runs in self.runs.items()},
            "rows": {name: summary[name]["hash"] for name in ("train", "validation")},
        }

    def _costs(self) -> dict[str, tuple[float, ...]]:
        """What a candidate costs, in order: how it learns, its backbone's size, its place in the file."""
        from provetune.models.methods import METHODS

        found: dict[str, tuple[float, ...]] = {}
        for place, (name, candidate) in enumerate(self.problem.candidates.items()):
            backbone = self.resolved.backbones.get(name)
            weights = [] if backbone is None else list(Path(backbone.path).glob("*.safetensors"))
            size = float(sum(path.stat().st_size for path in weights))
            found[name] = (_LEARNING_COST[METHODS.get(candidate.method).learns_from], size, float(place))
        return found

    # -- the test rows ------------------------------------------------------------------------------------

    def _predict_test_rows(self, pool: Pool) -> None:
        """Every finished run's bundle predicts the test rows, equal ones once; what was predicted before stays."""
        jobs, repeated = [], []
        for name, runs in self.runs.items():
            same = is_deterministic(self.problem.candidates[name].method)
            for number, run in enumerate(runs):
                if (self.folder / run.folder / TEST).exists():
                    continue
                if same and number > 0:
                    repeated.append((runs[0], run))
                    continue
                spec = self.book.spec(run.candidate, run.k)
                body = {"trial": spec.to_json(), "seal": self.seal.to_json()}
                jobs.append(Job(f"{spec.id}:test", "judge", body, _LEARNING_COST["weights"]))
        self._do(pool, jobs)
        for first, run in repeated:
            with atomic_path(self.folder / run.folder / TEST) as temporary:
                shutil.copyfile(self.folder / first.folder / TEST, temporary)

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

    # -- acceptance ---------------------------------------------------------------------------------------

    def _accept(self, pool: Pool, best: Best) -> list[dict[str, Any]]:
        if not self.problem.accept:
            return []
        scopes = [parse_accept_key(key) for key in self.problem.accept]
        group = self._group()
        rows = None
        if group is not None or any(scope.conditions for scope in scopes):
            rows = read_test_rows(self.folder, self.ledger, "columns for acceptance", self.seal)
        judged = judge_acceptance(
            self.problem.accept,
            self.task,
            self.resolved.targets,
            self._test_outcomes(best.trial),
            confidence=self.problem.study.confidence,
            blocks=self._blocks(pool, best),
            examples=rows,
            groups=None if group is None or rows is None else group_keys(rows, group).to_pylist(),
        )
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
            verdict=self._claims() or None,
            metrics={"validation": dict(best.trial.scores), "test": scores},
        )

    def _drop_bundles(self, best: Best) -> None:
        if self.problem.study.keep == "all":
            return
        for run in (run for runs in self.runs.values() for run in runs):
            if run != best.trial:
                shutil.rmtree(self.folder / run.folder / BUNDLE, ignore_errors=True)

    def _claims(self) -> list[dict[str, Any]]:
        return [{"claim": text, "status": "recorded"} for text in self.problem.claims]

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
                "failed": [{"k": k, "message": message} for k, message in self.book.failures(name).items()],
            }
        summary = split_summary(self.folder)
        looks = self.ledger.looks(summary["test"]["hash"])
        return {
            "format_version": FORMAT,
            "study": self.resolved.study_id,
            "workspace": "",
            "problem": self.problem.name,
            "task": self.problem.task,
            "metric": self.task.metrics[0].name,
            "rows": {name: each["rows"] for name, each in summary.items()},
            "candidates": candidates,
            "best": {"candidate": best.candidate, "seed": best.trial.k, "bundle": f"{best.trial.folder}/{BUNDLE}"},
            "claims": self._claims(),
            "accept": accept,
            "looks": max((look.number for look in looks), default=0),
            "notes": list(self.resolved.notes),
        }

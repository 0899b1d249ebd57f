"""One study from its resolved problem to its document: prepare, train, judge, conclude.

Every phase can be cut off and done again: it looks at what is on the disk and does the rest.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

from provetune.core.errors import Refused
from provetune.core.memory import release_memory
from provetune.ledger.entries import StudyRecord
from provetune.ledger.records import Ledger
from provetune.study.engines import ENGINES, Listener, Pool
from provetune.study.failed_runs import KEY as CHECK
from provetune.study.failed_runs import FailedCheck, fix_check
from provetune.study.fold_trials import begun_judging
from provetune.study.interim import Stage, plan_stages
from provetune.study.judging import Judging
from provetune.study.machine import differences, package_versions
from provetune.study.members import MORE
from provetune.study.other_rows import save_other_rows
from provetune.study.parallelism import Plan, plan_workers
from provetune.study.plan import plan_notes
from provetune.study.resolved import RESOLVED, ResolvedStudy, save_resolved
from provetune.study.sealed_test import PIECES
from provetune.study.set_aside import SET_ASIDE, write_set_aside
from provetune.study.splits_store import save_splits
from provetune.study.trial import CHECKPOINT, TEST, read_result, sweep_ended
from provetune.study.trial_book import TrialBook
from provetune.study.trial_plan import make_jobs, make_specs, needs_backbone, training_bytes
from provetune.study.workspace import Workspace


class Session:
    """A study being carried out in a workspace that is locked for it.

    Args:
        resolved: the study, every `auto` made explicit.
        listener: told every event.
        engine: name of the engine that does the trials.
    """

    def __init__(
        self, resolved: ResolvedStudy, workspace: Workspace, ledger: Ledger, listener: Listener, engine: str = "local"
    ) -> None:
        self.resolved, self.workspace, self.ledger = resolved, workspace, ledger
        self.listener, self.engine = listener, ENGINES.get(engine)
        self.problem = resolved.problem
        self.folder = workspace.study_folder(resolved.study_id)

    def carry_out(self, *, fresh: bool = False, allow_machine_change: bool = False) -> dict[str, Any]:
        """Do whatever of the study is not done yet; returns its document as it is kept on the disk.

        Raises:
            Refused: the machine is another than the one the study began on; every run of a candidate failed.
            EnvironmentFault: no space, no memory, a place that cannot be written.
        """
        from provetune.data.split_notes import is_warning

        self._say("prepare", "Preparing rows")
        record, plan = self._prepare(fresh, allow_machine_change)
        specs = make_specs(self.resolved, self.workspace, plan.threads)
        book = TrialBook(self.ledger, record.key, specs, self.folder, self.listener)
        check = self._failed_check(record)
        judging = Judging(self.resolved, self.folder, self.ledger, record, book, self.listener, check)
        for note in filter(is_warning, self.resolved.notes):
            self._note(note)
        if (worn := judging.wear()) is not None:
            self._note(worn)
        for note in plan_notes(self.resolved, self.ledger, self.workspace, plan):
            self._note(note)
        with self.engine.open(plan.workers, plan.threads, self.folder / "logs") as pool:
            for stage in plan_stages(self.problem.study, len(self.problem.claims)):
                wanted = judging.wanted(stage)
                if not wanted:
                    break
                self._train(pool, book, plan, stage, wanted)
                self._check_failures(book)
                self._say("judge", "Opening the sealed test")
                judging.open(pool, stage)
            return judging.conclude(pool)

    # -- prepare ------------------------------------------------------------------------------------------

    def _prepare(self, fresh: bool, allow_machine_change: bool) -> tuple[StudyRecord, Plan]:
        """Rows and resolved problem on the disk, everything frozen in the ledger, before the first step."""
        known = None if fresh else self.ledger.find_study(self.resolved.study_id, self.workspace.identity)
        save_splits(self.folder, self.resolved.splits)
        save_other_rows(self.folder, self.resolved.other_rows)
        if self.resolved.splits.set_aside.num_rows:
            write_set_aside(self.folder / SET_ASIDE, self.resolved.splits.set_aside)
        for pattern in ("trials/*", f"trials/*/{MORE}/*"):
            sweep_ended(self.folder.glob(pattern))
        self.resolved.leave_rows_on_disk(self.folder)
        release_memory()  # the workers need it; this process only waits for them
        if not (self.folder / RESOLVED).exists():
            save_resolved(self.folder, self.resolved)
        threads = None if known is None else known.entry.machine.get("threads_per_trial")
        if known is not None:
            self._check_machine(known, allow_machine_change)
        plan = self._plan(threads)
        machine = {**self.resolved.machine, "threads_per_trial": plan.threads}
        entry = self.resolved.entry(self.workspace.identity, machine)
        entry = replace(entry, problem={**entry.problem, CHECK: self._make_check().to_json()})
        record = self.ledger.register_study(entry, fresh=fresh)
        if known is not None:
            self._note_resumed(known)
        self._note(f"Trials at a time: {plan.workers}, threads of each: {plan.threads} ({plan.reason})")
        return record, plan

    def _check_machine(self, known: StudyRecord, allowed: bool) -> None:
        now = {**self.resolved.machine, "threads_per_trial": known.entry.machine.get("threads_per_trial")}
        changed = differences(known.entry.machine, now)
        if not changed:
            return
        if not allowed:
            raise Refused(
                f"The study began on another machine ({'; '.join(changed)}), so its runs would not be equal.",
                where=str(self.folder),
                hint="Go on there, allow it with --allow-machine-change, or start anew with --fresh.",
            )
        if known.entry.machine.get("precision") != now["precision"]:
            # A run cannot go on in another number format; those not ended start anew.
            for pattern in (f"trials/*/{CHECKPOINT}", f"trials/*/{MORE}/*/{CHECKPOINT}"):
                for checkpoint in self.folder.glob(pattern):
                    shutil.rmtree(checkpoint)
        self.ledger.change_machine(known.key, now, "; ".join(changed))

    def _note_resumed(self, known: StudyRecord) -> None:
        self.ledger.note("resumed", "The study was taken up again.", study_key=known.key)
        before, now = known.entry, package_versions()
        if before.code_hash == self.resolved.code_hash and before.packages == now:
            return
        message = "Provetune or its packages have changed since this study began; runs left to do use the new ones."
        details = {"code_hash": self.resolved.code_hash, "packages": now}
        self.ledger.note("code_changed", message, study_key=known.key, details=details)
        self._note(message)

    def _plan(self, threads: int | None) -> Plan:
        from provetune.models.cache import cache_folder

        trials = [(name, k) for name in self.problem.candidates for k in range(self.problem.study.seeds)]
        folders = (self.workspace.trial_folder(self.resolved.study_id, *trial) for trial in trials)
        left = sum(read_result(folder) is None for folder in folders)
        return plan_workers(
            max(1, left),
            self.problem.study.parallel,
            threads=threads,
            trial_bytes=training_bytes(self.resolved),
            device=self.resolved.device,
            cache=cache_folder(),
            gradient=any(needs_backbone(each.method) for each in self.problem.candidates.values()),
            on_measure=lambda: self._note("Measuring how many trials at a time this machine is fastest with"),
        )

    # -- train --------------------------------------------------------------------------------------------

    def _train(self, pool: Pool, book: TrialBook, plan: Plan, stage: Stage, wanted: set[str]) -> None:
        new = [spec for spec in book.specs if stage.before <= spec.k < stage.seeds and spec.candidate in wanted]
        if begun_judging(new) or any((spec.place / name).exists() for spec in new for name in (TEST, PIECES)):
            # A kill came after the test was opened for these runs. Their number stands: one that failed stays failed.
            book.keep_failures(new)
        ids = {spec.id for spec in new}
        waiting = [spec for spec in book.waiting() if spec.id in ids]
        known = [spec for spec in book.specs if spec.id in ids or spec.k < stage.before]
        self._say("train", f"Training {len(waiting)} of {len(known)} trials")
        self.listener(
            {
                "event": "trials",
                "primary": self.resolved.metric,
                "workers": plan.workers,
                "trials": [
                    {
                        "id": spec.id,
                        "candidate": spec.candidate,
                        "k": spec.k,
                        "state": "waiting" if spec in waiting else "stored",
                    }
                    for spec in known
                ],
            }
        )
        if waiting:
            pool.run(make_jobs(waiting, self.resolved), book.hear)

    def _make_check(self) -> FailedCheck:
        return fix_check(self.resolved.task, self.resolved.targets, self.resolved.splits.validation)

    def _failed_check(self, record: StudyRecord) -> FailedCheck:
        """The check by which runs count as failed, as it was frozen before the first step."""
        frozen = record.entry.problem.get(CHECK)
        return self._make_check() if frozen is None else FailedCheck.from_json(frozen)

    def _check_failures(self, book: TrialBook) -> None:
        """A candidate without a single finished run ends the study before the seal is broken."""
        for candidate in self.problem.candidates:
            failed = book.failures(candidate)
            if failed and not book.finished(candidate):
                first = next(iter(failed.values()))
                raise Refused(
                    f"Every run of '{candidate}' failed: {first}",
                    where=str(self.folder / "logs"),
                    hint="The sealed test was not opened; change the candidate, or run again to try once more.",
                )

    def _note(self, message: str) -> None:
        self.listener({"event": "note", "message": message})

    def _say(self, phase: str, message: str) -> None:
        self.listener({"event": "phase", "phase": phase, "message": message, "study": self.resolved.study_id})

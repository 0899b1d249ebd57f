"""Jobs in worker processes of this machine: ``python -m provetune.study.worker``, JSON lines both ways."""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provetune.core.errors import EnvironmentFault
from provetune.study.engines import Job, Listener, Outcome
from provetune.study.engines._process import Messages, WorkerProcess

_START_ATTEMPTS = 3


class LocalEngine:
    """Processes on this machine."""

    name = "local"
    summary = "Worker processes on this machine."

    @contextmanager
    def open(self, workers: int, threads: int, logs: Path) -> Iterator[LocalPool]:
        """See `provetune.study.engines.Engine.open`."""
        pool = LocalPool(workers, threads, logs)
        try:
            yield pool
        finally:
            pool.close()


class LocalPool:
    """Up to `workers` processes, started when there is something to do and kept for the next batch of jobs."""

    def __init__(self, workers: int, threads: int, logs: Path) -> None:
        self.workers = workers
        self.threads = threads
        self.logs = Path(logs)
        self._messages: Messages = queue.Queue()
        self._processes: list[WorkerProcess] = []

    def run(self, jobs: Sequence[Job], listener: Listener) -> dict[str, Outcome]:
        """See `provetune.study.engines.Pool.run`. A job whose worker dies is started again `retries` times."""
        batch = _Batch(jobs, listener)
        listener({"event": "batch", "counts": dict(Counter(job.kind for job in jobs))})
        while not batch.finished:
            self._assign(batch)
            worker, message = self._messages.get()
            if message is None:
                self._bury(worker, batch)
            elif message["kind"] == "ready":
                worker.ready = True
            else:
                batch.take(worker, message)
        return batch.outcomes

    def close(self) -> None:
        """End every worker, whatever it is doing: what it wrote so far can be resumed from."""
        for worker in self._processes:
            worker.dismiss()
        for worker in self._processes:
            worker.end()
        self._processes = []

    def pids(self) -> list[int]:
        """Process ids of the living workers."""
        return [worker.process.pid for worker in self._processes]

    def _assign(self, batch: _Batch) -> None:
        """Give each idle worker the longest job that may start; start workers that are still missing."""
        # One that died idle is still in the list until its end is heard; a job given to it would count as its death.
        idle = [worker for worker in self._processes if worker.job is None and worker.exit_code() is None]
        while (job := batch.next()) is not None:
            if not idle and len(self._processes) < self.workers:
                idle.append(self._start())
            if not idle:
                batch.put_back(job)
                return
            worker = idle.pop(0)
            worker.job = job
            batch.started(job)
            worker.send({"id": job.id, "job": job.kind, "spec": dict(job.spec)})

    def _start(self) -> WorkerProcess:
        taken = {worker.log.name for worker in self._processes}
        names = (f"worker-{number}.log" for number in range(self.workers))
        log = self.logs / next(name for name in names if name not in taken)
        worker = WorkerProcess(self.threads, log, self._messages)
        self._processes.append(worker)
        return worker

    def _bury(self, worker: WorkerProcess, batch: _Batch) -> None:
        """A worker is gone: its job is tried again by another, or given up."""
        if worker not in self._processes:
            return
        self._processes.remove(worker)
        worker.end()
        if not worker.ready:
            batch.false_starts += 1
            if batch.false_starts >= _START_ATTEMPTS:
                raise EnvironmentFault(
                    "A worker process cannot be started.",
                    where=str(worker.log),
                    hint=worker.last_words() or "Run `provetune doctor`.",
                )
            if worker.job is not None:
                batch.put_back(worker.job)
            return
        if worker.job is not None:
            batch.died(worker.job, worker)


class _Batch:
    """The jobs of one call: which wait, which run, how they ended."""

    def __init__(self, jobs: Sequence[Job], listener: Listener) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.false_starts = 0
        self._waiting = sorted(jobs, key=lambda job: -job.cost)
        self._open = {job.id for job in jobs}
        self._deaths = dict.fromkeys(self._open, 0)
        self._listener = listener

    @property
    def finished(self) -> bool:
        return not self._open

    def next(self) -> Job | None:
        """The longest waiting job whose predecessors have ended. A failed predecessor counts as ended: who
        comes after it does the work itself or fails with a reason of its own."""
        for place, job in enumerate(self._waiting):
            if not self._open.intersection(job.after):
                return self._waiting.pop(place)
        return None

    def put_back(self, job: Job) -> None:
        self._waiting.insert(0, job)

    def started(self, job: Job) -> None:
        self._listener({"event": "job", "job": job.kind, "id": job.id, "state": "running"})

    def take(self, worker: WorkerProcess, message: Mapping[str, Any]) -> None:
        """An event is passed on; an end is noted and the worker is free again."""
        if message["kind"] == "event":
            self._listener({"id": message["id"], **message["event"]})
            return
        job, worker.job = worker.job, None
        if job is not None:
            self._end(job, message.get("result"), message.get("error"))

    def died(self, job: Job, worker: WorkerProcess) -> None:
        self._deaths[job.id] += 1
        if self._deaths[job.id] <= job.retries:
            self._listener({"event": "job", "job": job.kind, "id": job.id, "state": "retried"})
            self.put_back(job)
            return
        reason = f"Its worker process died {self._deaths[job.id]} times (last exit code {worker.exit_code()})."
        self._end(
            job,
            None,
            {
                "type": "EnvironmentFault",
                "message": reason,
                "where": str(worker.log),
                "hint": "Most often the machine ran out of memory: lower batch_tokens or study.parallel.",
                "expected": True,
                "died": True,
                "traceback": worker.last_words(),
            },
        )

    def _end(self, job: Job, result: Mapping[str, Any] | None, error: Mapping[str, Any] | None) -> None:
        self._open.discard(job.id)
        self.outcomes[job.id] = Outcome(job.id, result, error, self._deaths[job.id])
        ended: dict[str, Any] = {"event": "job", "job": job.kind, "id": job.id}
        if error is None:
            self._listener({**ended, "state": "done", "result": dict(result or {})})
        else:
            self._listener({**ended, "state": "failed", "message": error["message"], "error": dict(error)})


ENGINE = LocalEngine()

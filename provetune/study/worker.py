"""A worker: one process that does the jobs of a study one after another.

    python -m provetune.study.worker --threads 1

The protocol is one JSON object a line, in both directions.

To the worker, on its standard input:
    {"id": "full-0", "job": "train", "spec": {…}}         a kind of `JOBS` and all it needs

From the worker, on its standard output:
    {"kind": "ready", "pid": 4711}                         once, when it can take a job
    {"kind": "event", "id": "full-0", "event": {…}}        what the job says while it runs
    {"kind": "done", "id": "full-0", "result": {…}}        the job ended well
    {"kind": "failed", "id": "full-0", "error": {…}}       it did not: type, message, where, hint, traceback

Closing the worker's input ends it at once, even in the middle of a job; so it also ends when the process that
started it is killed. Everything a job writes is whole or absent, so it can be cut off at any moment. Whatever
else is printed, by us or by a library, goes to the error stream: standard output carries the protocol alone.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Mapping
from typing import IO, Any, TypeAlias

from provetune.core.errors import ProvetuneError

Work: TypeAlias = Generator[dict[str, Any], None, dict[str, Any]]

JOBS: Mapping[str, str] = {
    "train": "provetune.study.trial:train_job",
    "member": "provetune.study.trial:train_job",
    "features": "provetune.study.frozen_features:features_job",
    "judge": "provetune.study.sealed_test:judge_job",
    "latency": "provetune.study.sealed_test:latency_job",
}
"""Kinds of work: the generator function that does each. It yields events and returns the result. Any other
``module:function`` of that form is a kind too."""

_PIECE = 1 << 16


def environment(threads: int) -> dict[str, str]:
    """Variables a worker must be started with: libraries read them once, when they are first loaded.

    Passive waiting keeps most of the speed when another process wants the same core; spinning threads lose
    seven eighths of it.
    """
    count = str(threads)
    return {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "RAYON_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_DYNAMIC": "FALSE",
        "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false",
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8",
    }


def serve(requests: queue.Queue[dict[str, Any]], send: Callable[[Mapping[str, Any]], None], threads: int) -> None:
    """Do jobs as they come, for ever; the watcher of the input ends the process."""
    send({"kind": "ready", "pid": os.getpid()})
    while True:
        request = requests.get()
        send(do_job(request, send, threads))


def do_job(request: Mapping[str, Any], send: Callable[[Mapping[str, Any]], None], threads: int) -> dict[str, Any]:
    """Do one job, sending its events on the way; the message that says how it ended."""
    name = request["id"]
    try:
        work = _work(request["job"], {**request["spec"], "threads": threads})
        while True:
            try:
                event = next(work)
            except StopIteration as end:
                return {"kind": "done", "id": name, "result": end.value or {}}
            send({"kind": "event", "id": name, "event": event})
    except Exception as error:  # noqa: BLE001 - the process boundary: whatever went wrong is told, and the worker lives on
        traceback.print_exc()
        return {"kind": "failed", "id": name, "error": describe_error(error)}


def describe_error(error: Exception) -> dict[str, Any]:
    """An error as JSON, so that the other side can raise it or show it in one line."""
    ours = isinstance(error, ProvetuneError)
    return {
        "type": type(error).__name__,
        "message": error.message if isinstance(error, ProvetuneError) else f"{type(error).__name__}: {error}",
        "where": error.where if isinstance(error, ProvetuneError) else None,
        "hint": error.hint if isinstance(error, ProvetuneError) else None,
        "expected": ours,
        "traceback": "".join(traceback.format_exception(error)),
    }


def _work(job: str, spec: Mapping[str, Any]) -> Work:
    module, _, function = JOBS.get(job, job).partition(":")
    made: Work = getattr(importlib.import_module(module), function)(spec)
    return made


def _watch(requests: queue.Queue[dict[str, Any]]) -> None:
    """Put each line of the input into the queue; when the input ends, so does the process.

    Reads the descriptor itself: a thread blocked inside ``sys.stdin`` holds its lock and would break the exit.
    """
    rest = b""
    while piece := os.read(0, _PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.strip():
                requests.put(json.loads(line))
    os._exit(0)


def _protocol_stream() -> IO[str]:
    """The real standard output for the protocol alone; descriptor 1 now leads to the error stream."""
    kept = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(kept, "w", encoding="utf-8", buffering=1)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the starter decides
    parser = argparse.ArgumentParser(prog="provetune.study.worker", description="Does the jobs of a study.")
    parser.add_argument("--threads", type=int, required=True, help="computing threads")
    threads = parser.parse_args(arguments).threads
    stream = _protocol_stream()
    lock = threading.Lock()

    def send(message: Mapping[str, Any]) -> None:
        line = json.dumps(message, ensure_ascii=False, default=str)
        with lock:
            try:
                stream.write(line + "\n")
                stream.flush()
            except BrokenPipeError:
                os._exit(0)

    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_watch, args=(requests,), daemon=True).start()
    serve(requests, send, threads)


if __name__ == "__main__":
    main()

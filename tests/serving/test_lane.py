"""One bundle's queue with a worker in the same process: clocks that jump, what is given up, what is let go."""

from __future__ import annotations

import ast
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from quick_worker import QuickWorkers, quick_lane
from served import write_plain_bundle

import provetune.serving
from provetune.core.errors import CorruptError, UsageError
from provetune.serving.admin import _done
from provetune.serving.exchange import Watch
from provetune.serving.faults import Fault
from provetune.serving.limits import TokenBuckets
from provetune.serving.settings import Settings
from provetune.serving.shadowing import compare
from provetune.serving.worker_process import WorkerProcess

PLAIN = (None, False)
WALL_CLOCK = {"access.py", "aliases.py", "keys.py", "openai.py", "steady_clock.py"}
"""Who may ask what time it is: lines of logs, dates of keys and aliases, and `created` of OpenAI's answers."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plain_bundle(tmp_path_factory.mktemp("plain") / "plain")


async def _silent() -> Any:
    await asyncio.sleep(60)
    return {"type": "http.disconnect"}


def test_clocks_that_jump_move_no_deadline_no_wait_and_no_rate(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock leaps by years with every look at it; spans stay what they are."""
    leaps = iter(range(1, 1_000_000))
    monkeypatch.setattr(time, "time", lambda: 2e9 + (-1) ** (number := next(leaps)) * number * 1e7)

    async def ask() -> tuple[float, float]:
        lane = await quick_lane(bundle, QuickWorkers(answering=False), deadline_s=0.2)
        began = time.monotonic()
        ticket = lane.submit(["a"], PLAIN)
        with pytest.raises(Fault) as fault, Watch(lane, ticket, _silent):
            await ticket.future
        assert fault.value.status == 504
        late = time.monotonic() - began
        await lane.close()
        answering = await quick_lane(bundle, QuickWorkers(), max_wait_ms=50.0)
        began = time.monotonic()
        for _ in range(3):
            both = [answering.submit([each], PLAIN) for each in "ab"]
            rows = await asyncio.gather(*(each.future for each in both))
            assert [json.loads(row)["label"] for (row,) in rows] == ["a", "b"]
        await answering.close()
        return late, time.monotonic() - began

    late, answered = asyncio.run(ask())
    assert 0.2 <= late < 2.0
    assert answered < 2.0
    buckets = TokenBuckets()
    assert [buckets.take("key", 60, 2) for _ in range(3)] == [0, 0, 1]


def test_who_needs_a_span_never_asks_what_time_it_is() -> None:
    """`time.time` and `datetime.now` stand where a moment is told, nowhere else in the room."""
    found = set()
    for path in Path(provetune.serving.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.time", "datetime.now"):
                found.add(path.name)
    assert found == WALL_CLOCK


def test_what_the_shadow_has_no_time_for_leaves_its_queue(bundle: Path) -> None:
    async def shadowed() -> tuple[int, int]:
        lane = await quick_lane(bundle, QuickWorkers(answering=False), deadline_s=0.05)
        lane.submit(["busy"], PLAIN)
        await asyncio.sleep(0)  # the worker takes it and keeps silent
        await asyncio.sleep(0)
        task = asyncio.create_task(compare(lane, ["a", "b"], PLAIN, [b"{}", b"{}"]))
        await asyncio.sleep(0.01)
        waiting = lane._batcher.rows
        await task
        left = lane._batcher.rows
        await lane.close()
        return waiting, left

    assert asyncio.run(shadowed()) == (2, 0)


def test_a_bundle_that_is_let_go_answers_what_waits_first(bundle: Path) -> None:
    async def retired() -> tuple[list[bytes], bool]:
        workers = QuickWorkers()
        lane = await quick_lane(bundle, workers)
        ticket = lane.submit(["a"], PLAIN)
        await lane.retire()
        return await ticket.future, workers.made[0].stopped

    rows, stopped = asyncio.run(retired())
    assert json.loads(rows[0])["label"] == "a"
    assert stopped


def test_where_a_bundle_lies_stays_on_this_machine() -> None:
    """What a worker says is wrong reaches whoever administers the server without places."""
    process = WorkerProcess({}, lambda head, rows: None, lambda worker: None)

    async def failed() -> Any:
        process._ready = asyncio.get_running_loop().create_future()
        said = {"message": "A file was changed.", "where": "/srv/private/model.safetensors", "hint": "Copy it again."}
        process._hear({"op": "failed", "kind": "CorruptError", **said}, [])
        return await _done(process._ready)

    with pytest.raises(Fault) as fault:
        asyncio.run(failed())
    assert (fault.value.status, fault.value.message) == (409, "A file was changed. Copy it again.")
    assert isinstance(fault.value.__cause__, CorruptError)
    assert fault.value.__cause__.where == "/srv/private/model.safetensors"


def test_without_descriptors_a_worker_is_an_error_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle whose worker died comes back later, where none could be started at first for want of descriptors."""
    import socket

    from provetune.core.errors import EnvironmentFault

    def none_left(*args: Any) -> Any:
        raise OSError(24, "Too many open files")

    process = WorkerProcess({}, lambda head, rows: None, lambda worker: None)

    async def start() -> None:
        # The loop has a pair of its own, so that this comes once it runs.
        monkeypatch.setattr(socket, "socketpair", none_left)
        await process.start(1.0)

    with pytest.raises(EnvironmentFault, match="Too many open files"):
        asyncio.run(start())


@pytest.mark.parametrize("wrong", [{"deadline_s": float("inf")}, {"deadline_s": float("nan")}, {"queue": 0}])
def test_limits_are_numbers_that_end(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="must be a number from"):
        Settings(**wrong)

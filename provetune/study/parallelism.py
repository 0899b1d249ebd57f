"""How many trials run at the same time, and with how many threads each: measured, not guessed.

On most processors several processes of few threads train more examples a second, together, than one process
of many. By how much depends on the machine, so a small synthetic encoder is trained once in each way for about a
second, and the answer is kept in the cache folder. A study then fixes its threads a trial, because the bits of
a result depend on them; how many workers there are may change from one session to the next.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

from provetune.core.files import read_json, write_json
from provetune.core.processor import processor_name, usable_cores
from provetune.study.worker import environment

_MEASURE_SECONDS = 1.0
_FORMAT = 1
_RUNTIME_BYTES = 900 << 20
"""What a worker takes before it holds a model: interpreter, torch, transformers, one batch."""


@dataclass(frozen=True)
class Plan:
    """Workers at the same time, threads of each, and the sentence that says why."""

    workers: int
    threads: int
    reason: str


def plan_workers(
    trials: int,
    wanted: int | str,
    *,
    threads: int | None = None,
    trial_bytes: int = 0,
    device: str = "cpu",
    cache: Path | None = None,
    gradient: bool = True,
    on_measure: Callable[[], None] = lambda: None,
) -> Plan:
    """How a study's trials are spread over this machine.

    Args:
        trials: how many there are to run; never more workers than that.
        wanted: ``study.parallel``: a number, or ``"auto"``.
        threads: threads a trial that the study has fixed already, or None for a new study.
        trial_bytes: memory that the largest trial holds beyond the libraries.
        device: a GPU is given to one trial at a time.
        cache: folder that keeps the measurement.
        gradient: whether any trial computes with a network; only then is measuring worth its seconds.
        on_measure: called before a measurement that takes seconds.
    """
    cores = usable_cores()
    room = _memory_room(trial_bytes)
    if device != "cpu":
        return Plan(1, threads or cores, f"one trial at a time has the {device} device")
    if wanted != "auto":
        workers = max(1, min(int(wanted), trials))
        return Plan(workers, threads or max(1, cores // int(wanted)), "study.parallel says so")
    if threads is not None:
        workers = max(1, min(cores // threads, trials, room))
        return Plan(workers, threads, f"the study began with {threads} threads a trial")
    if not gradient or cores == 1:
        workers = max(1, min(cores, trials, room))
        return Plan(workers, max(1, cores // workers), "one trial a core")
    best = _fastest(measure_rates(cache, on_measure), trials, room)
    return Plan(best, max(1, cores // best), f"measured on this machine: {best} at a time is fastest")


def measure_rates(cache: Path | None = None, on_measure: Callable[[], None] = lambda: None) -> dict[int, float]:
    """Training steps a second of a small encoder, all processes together, by number of processes.

    Takes a few seconds; measured once for each processor, number of cores and torch version.
    """
    if cache is not None and (rates := kept_rates(cache)):
        return rates
    on_measure()
    cores = usable_cores()
    rates = {count: _measure(count, max(1, cores // count)) for count in _ways(cores)}
    if cache is not None:
        write_json(_rates_file(cache), {"processor": processor_name(), "cores": cores, "rates": rates})
    return rates


def kept_rates(cache: Path) -> dict[int, float]:
    """What `measure_rates` measured earlier; empty where there is nothing or it cannot be read."""
    try:
        return {int(count): float(rate) for count, rate in read_json(_rates_file(cache))["rates"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _ways(cores: int) -> list[int]:
    """Numbers of processes worth trying: one, powers of two, one a core."""
    ways = {1, cores}
    count = 2
    while count < cores:
        ways.add(count)
        count *= 2
    return sorted(ways)


def _fastest(rates: dict[int, float], trials: int, room: int) -> int:
    """The fastest way among those that fit; one process when none was measured."""
    fitting = {count: rate for count, rate in rates.items() if count <= min(trials, room)}
    return max(fitting, key=lambda count: fitting[count], default=1)


def _memory_room(trial_bytes: int) -> int:
    """Workers whose memory fits into what is free, at least one; a quarter is left to others."""
    free = psutil.virtual_memory().available
    limit = Path("/sys/fs/cgroup/memory.max")
    used = Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and (text := limit.read_text().strip()) != "max":
        free = min(free, int(text) - int(used.read_text()))
    return max(1, int(0.75 * free) // (_RUNTIME_BYTES + trial_bytes))


def _rates_file(cache: Path) -> Path:
    return Path(cache) / f"parallelism-{_machine_key()}.json"


def _machine_key() -> str:
    facts = f"{_FORMAT}-{processor_name()}-{usable_cores()}-{version('torch')}"
    return "".join(letter if letter.isalnum() else "-" for letter in facts)


def _measure(processes: int, threads: int) -> float:
    """Steps a second of `processes` at the same time: all get ready, then all are told to go."""
    with ExitStack() as stack:
        children = [stack.enter_context(_child(threads)) for _ in range(processes)]
        try:
            for child in children:
                _read(child)
            for child in children:
                _tell(child)
            return sum(float(_read(child)) for child in children)
        finally:
            for child in children:
                child.kill()


def _child(threads: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "provetune.study.parallelism", "--threads", str(threads)]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment(threads)},
    )


def _read(child: subprocess.Popen[str]) -> str:
    line = child.stdout.readline() if child.stdout is not None else ""
    return line.strip() or "0"


def _tell(child: subprocess.Popen[str]) -> None:
    if child.stdin is not None:
        child.stdin.write("go\n")
        child.stdin.flush()


def _train_small_encoder(threads: int, seconds: float) -> None:
    """The child: builds, warms up, says "ready", waits, trains for `seconds`, says its steps a second."""
    import torch

    from provetune.models.precision import choose_precision

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(256, 8, 1024, dropout=0.0, batch_first=True)
    model = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    optimiser = torch.optim.AdamW(model.parameters(), fused=True)
    batch = torch.randn(32, 16, 256)
    half = choose_precision("auto").name == "bf16"

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            loss = model(batch).float().square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    for _ in range(3):
        step()
    print("ready", flush=True)  # noqa: T201 - the line its starter waits for
    sys.stdin.readline()
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        steps += 1
    print(steps / (time.perf_counter() - start), flush=True)  # noqa: T201 - the answer


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of a measuring child."""
    parser = argparse.ArgumentParser(prog="provetune.study.parallelism", description="Measures one process.")
    parser.add_argument("--threads", type=int, required=True, help="computing threads")
    _train_small_encoder(parser.parse_args(arguments).threads, _MEASURE_SECONDS)


if __name__ == "__main__":
    main()

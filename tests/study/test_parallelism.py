"""How many workers: by measurement, by wish, by memory, and fixed threads once a study began."""

from __future__ import annotations

from pathlib import Path

import pytest

from provetune.core.files import write_json
from provetune.study import parallelism
from provetune.study.parallelism import Plan, measure_rates, plan_workers


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallelism, "usable_cores", lambda: 8)
    monkeypatch.setattr(parallelism, "_memory_room", lambda trial_bytes: 100)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("rates", "trials", "workers", "threads"),
    [
        ({1: 10.0, 2: 15.0, 4: 22.0, 8: 30.0}, 10, 8, 1),
        ({1: 10.0, 2: 15.0, 4: 22.0, 8: 20.0}, 10, 4, 2),
        ({1: 10.0, 2: 15.0, 4: 22.0, 8: 30.0}, 3, 2, 4),
        ({1: 10.0, 2: 15.0, 4: 22.0, 8: 30.0}, 1, 1, 8),
        ({1: 40.0, 2: 15.0, 4: 22.0, 8: 30.0}, 10, 1, 8),
    ],
)
def test_fastest_way_that_fits(
    rates: dict[int, float], trials: int, workers: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallelism, "measure_rates", lambda cache, on_measure: rates)
    plan = plan_workers(trials, "auto")
    assert (plan.workers, plan.threads) == (workers, threads)


@pytest.mark.usefixtures("machine")
def test_wish_is_followed_but_not_beyond_the_trials() -> None:
    assert plan_workers(10, 4) == Plan(4, 2, "study.parallel says so")
    assert plan_workers(2, 4).workers == 2
    assert plan_workers(2, 4).threads == 2


@pytest.mark.usefixtures("machine")
def test_threads_stay_as_the_study_fixed_them() -> None:
    plan = plan_workers(10, "auto", threads=3)
    assert (plan.workers, plan.threads) == (2, 3)
    assert plan_workers(10, 2, threads=1).threads == 1
    assert plan_workers(10, "auto", threads=64).workers == 1


@pytest.mark.usefixtures("machine")
def test_little_memory_means_fewer_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallelism, "_memory_room", lambda trial_bytes: 2)
    monkeypatch.setattr(parallelism, "measure_rates", lambda cache, on_measure: {1: 10.0, 2: 15.0, 4: 22.0, 8: 30.0})
    assert plan_workers(10, "auto") == Plan(2, 4, "measured on this machine: 2 at a time is fastest")


@pytest.mark.usefixtures("machine")
def test_nothing_is_measured_where_no_network_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(cache: Path | None, on_measure: object) -> dict[int, float]:
        raise AssertionError("measured")

    monkeypatch.setattr(parallelism, "measure_rates", refuse)
    assert (plan_workers(5, "auto", gradient=False).workers, plan_workers(5, "auto", gradient=False).threads) == (5, 1)
    assert plan_workers(5, "auto", device="cuda").workers == 1


def test_memory_room_divides_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        available = 8 << 30

    monkeypatch.setattr(parallelism.psutil, "virtual_memory", lambda: Memory)
    monkeypatch.setattr(parallelism.Path, "exists", lambda self: False)
    # three quarters of 8 GiB over (900 MiB + 1 GiB): 6144 / 1924 = 3
    assert parallelism._memory_room(1 << 30) == 3
    assert parallelism._memory_room(1 << 40) == 1


def test_measurement_is_kept_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []

    def pretend(processes: int, threads: int) -> float:
        calls.append((processes, threads))
        return float(processes)

    monkeypatch.setattr(parallelism, "_measure", pretend)
    monkeypatch.setattr(parallelism, "usable_cores", lambda: 6)
    assert measure_rates(tmp_path) == {1: 1.0, 2: 2.0, 4: 4.0, 6: 6.0}
    assert calls == [(1, 6), (2, 3), (4, 1), (6, 1)]
    assert measure_rates(tmp_path) == {1: 1.0, 2: 2.0, 4: 4.0, 6: 6.0}
    assert len(calls) == 4


def test_spoilt_measurement_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallelism, "_measure", lambda processes, threads: 1.0)
    kept = tmp_path / f"parallelism-{parallelism._machine_key()}.json"
    write_json(kept, {"other": 1})
    assert set(measure_rates(tmp_path).values()) == {1.0}
    kept.write_text("{half")
    assert set(measure_rates(tmp_path).values()) == {1.0}


@pytest.mark.slow
def test_measuring_for_real_gives_a_rate() -> None:
    assert parallelism._measure(1, 1) > 0.5

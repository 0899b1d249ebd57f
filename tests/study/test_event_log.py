"""events.jsonl: what a kill leaves in it, and what it holds when the trial went on."""

from __future__ import annotations

from pathlib import Path

from provetune.core.events import Evaluated, Event, Finished, Saved, Started, Step
from provetune.study.event_log import EventLog, read_events


def step(number: int) -> Step:
    return Step(number, 0.5, 1e-3, 1.0, 8 * number, 0.1 * number)


def events(first: int, last: int) -> list[Event]:
    """Steps of one sitting; scored at every second, saved at every third one, in the loop's order."""
    found: list[Event] = [Started(last, first)]
    for number in range(first + 1, last + 1):
        found.append(step(number))
        if number % 2 == 0:
            found.append(Evaluated(number, {"accuracy": 0.5}, True))
        if number % 3 == 0:
            found.append(Saved(number, "checkpoint"))
    return [*found, Finished(last, 2, {"accuracy": 0.5}, 1.0, 8 * last)]


def kinds(path: Path) -> list[tuple[str, int]]:
    return [(event["event"], event["step"]) for event in read_events(path)]


def write(path: Path, sequence: list[Event]) -> None:
    with EventLog(path) as log:
        for event in sequence:
            log.append(event)


def test_interrupted_log_equals_uninterrupted_one(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    write(whole, events(0, 8))
    # Cut off after step 5; the checkpoint was made at step 3.
    write(cut, [event for event in events(0, 8) if not isinstance(event, Finished) and event.step <= 5])
    with cut.open("a") as stream:
        stream.write('{"event": "step", "st')
    write(cut, events(3, 8))
    assert kinds(cut) == kinds(whole)
    assert kinds(cut).count(("step", 4)) == 1


def test_cut_off_before_the_first_checkpoint_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, [Started(8), step(1), step(2)])
    write(path, events(0, 8))
    assert kinds(path)[:3] == [("started", 0), ("step", 1), ("step", 2)]
    assert len(kinds(path)) == len(set(kinds(path)))


def test_scoring_lost_between_checkpoint_and_kill_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, [Started(4), step(1), Saved(1, "c"), step(2), Evaluated(2, {"accuracy": 1.0}, True), Saved(2, "c")])
    write(path, [Started(4, 2), Evaluated(2, {"accuracy": 1.0}, True), step(3)])
    assert kinds(path) == [
        ("started", 0),
        ("step", 1),
        ("saved", 1),
        ("step", 2),
        ("evaluated", 2),
        ("saved", 2),
        ("step", 3),
    ]


def test_missing_log_is_empty(tmp_path: Path) -> None:
    assert list(read_events(tmp_path / "none.jsonl")) == []

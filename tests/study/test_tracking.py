from __future__ import annotations

from types import SimpleNamespace

import pytest

from provetune.core.events import Started, Step
from provetune.study.event_log import read_events
from provetune.study.tracking import tracking
from provetune.training.trackers import TRACKERS


class Failing:
    """Takes one event and then fails, as a client does whose server went away."""

    def __init__(self) -> None:
        self.taken: list[object] = []
        self.closed = False

    def consume(self, event: object) -> None:
        if self.taken:
            raise ConnectionError("server gone")
        self.taken.append(event)

    def close(self) -> None:
        self.closed = True


def test_a_tracker_that_fails_costs_its_curves_and_nothing_else(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing()
    kind = SimpleNamespace(open=lambda *_: failing)
    monkeypatch.setattr(TRACKERS, "get", lambda _: kind)
    spec = SimpleNamespace(
        study={"trackers": ["wandb"]},
        study_folder=str(tmp_path),
        place=tmp_path,
        record={"problem": {"name": "p"}},
        candidate="full",
        k=0,
        seed=1,
        settings={},
    )
    with tracking(spec) as tell:  # type: ignore[arg-type]
        for event in (Started(2), Step(1, 0.5, 0.1, 1.0, 8, 0.1), Step(2, 0.4, 0.1, 1.0, 16, 0.2)):
            tell(event)
    assert [event["event"] for event in read_events(tmp_path / "events.jsonl")] == ["started", "step", "step"]
    assert len(failing.taken) == 1
    assert not failing.closed

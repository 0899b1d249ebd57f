"""A trial's events, sent to its log and to the trackers that the study names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from provetune.core.errors import UsageError
from provetune.core.events import Event, Finished, to_json
from provetune.study.event_log import EventLog
from provetune.study.trial_spec import TrialSpec
from provetune.training.trackers import TRACKERS, Tracker

Tell: TypeAlias = Callable[[Event], None]


@contextmanager
def tracking(spec: TrialSpec) -> Iterator[Tell]:
    """Gives a function that writes an event into ``events.jsonl`` and then tells it to each tracker.

    Raises:
        EnvironmentFault: a tracker's extra is not installed.
    """
    names = spec.study.get("trackers") or []
    folder = Path(spec.study_folder) / "tracking"
    problem = (spec.record.get("problem") or {}).get("name", "study")
    with ExitStack() as stack:
        log = stack.enter_context(EventLog(spec.place / "events.jsonl"))
        details = {"candidate": spec.candidate, "k": spec.k, "seed": spec.seed, **spec.settings}
        opened = [
            _Spared(name, TRACKERS.get(name).open(f"{problem}/{spec.candidate}/{spec.k}", folder, details))
            for name in names
        ]
        for tracker in opened:
            stack.enter_context(closing(tracker))

        def tell(event: Event) -> None:
            log.append(event)
            for tracker in opened:
                tracker.consume(event)

        yield tell


def told(spec: TrialSpec, events: Iterable[Event]) -> Generator[dict[str, Any], None, Finished]:
    """The events of a trial that goes through the training loop, as JSON; returns the last one.

    Each is in the trial's ``events.jsonl`` before it is yielded.

    Raises:
        UsageError: it was stopped before its end.
    """
    finished: Finished | None = None
    with tracking(spec) as tell:
        for event in events:
            tell(event)
            yield to_json(event)
            if isinstance(event, Finished):
                finished = event
    if finished is None:
        raise UsageError(f"The training of '{spec.id}' was stopped before its end.")
    return finished


class _Spared:
    """A tracker whose failure costs its curves and nothing else: the events are in the log already."""

    def __init__(self, name: str, tracker: Tracker) -> None:
        self.name = name
        self.tracker: Tracker | None = tracker

    def consume(self, event: Event) -> None:
        self._attempt(lambda tracker: tracker.consume(event))

    def close(self) -> None:
        self._attempt(lambda tracker: tracker.close())

    def _attempt(self, say: Callable[[Tracker], None]) -> None:
        if self.tracker is None:
            return
        try:
            say(self.tracker)
        except Exception as error:  # noqa: BLE001 - other people's clients, over networks, raise anything
            self.tracker = None
            logging.getLogger(__name__).warning("The tracker '%s' is left out from here on: %s", self.name, error)

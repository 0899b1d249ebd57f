"""Where events are also sent: one file each, each needing its extra. They only listen; training knows none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from provetune.core.events import Event
from provetune.core.registry import Registry


class Tracker(Protocol):
    """One run's line to a tracker."""

    def consume(self, event: Event) -> None:
        """Pass on what the event says."""

    def close(self) -> None:
        """Send what is left."""


class TrackerKind(Protocol):
    """Opens runs of one kind of tracker."""

    name: str

    def open(self, run: str, folder: Path, details: Mapping[str, Any]) -> Tracker:
        """Begin a run.

        Args:
            run: its name, e.g. ``"support-intents/full/0"``.
            folder: where trackers that keep files put them.
            details: settings to show beside the curves, JSON values.

        Raises:
            EnvironmentFault: the extra is not installed; says how to install it.
        """


TRACKERS: Registry[TrackerKind] = Registry(__name__, "TRACKER", "tracker")

"""A trial's ``events.jsonl``: what training said, one JSON object a line, exact across interruptions.

A trial that was cut off has written events beyond its last checkpoint. When it goes on, those are removed first,
so that the finished file holds the same steps as that of a trial that was never cut off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from provetune.core.events import Event, Saved, Started, to_json
from provetune.core.files import disk_errors, sync_stream, write_text


class EventLog:
    """Appends events to a file. Close it, or use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._stream: IO[str] | None = None
        self._seen: set[tuple[str, int]] = set()

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, event: Event) -> None:
        """Write one event. `Started` decides what stays of an earlier sitting; `Saved` reaches the disk.

        An event whose kind and step are in the file already is passed over: a checkpoint lies between a step
        and what may follow it, which is then said again.
        """
        if isinstance(event, Started):
            self._go_on_from(event.step)
        key = (type(event).__name__.lower(), event.step)
        if key in self._seen or (isinstance(event, Started) and self._seen):
            return
        self._seen.add(key)
        with disk_errors(self.path):
            if self._stream is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = self.path.open("a", encoding="utf-8")
            self._stream.write(json.dumps(to_json(event), ensure_ascii=False) + "\n")
            if isinstance(event, Saved):
                sync_stream(self._stream)
            else:
                self._stream.flush()

    def close(self) -> None:
        """Force what was written to the disk."""
        if self._stream is not None:
            with disk_errors(self.path):
                sync_stream(self._stream)
            self._stream.close()
            self._stream = None

    def _go_on_from(self, step: int) -> None:
        self.close()
        kept = [event for event in read_events(self.path) if step > 0 and event["step"] <= step]
        self._seen = {(event["event"], event["step"]) for event in kept}
        if self.path.exists():
            write_text(self.path, "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in kept))


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a log, in order. A half line at the end, left by a kill, is passed over."""
    if not Path(path).exists():
        return
    with Path(path).open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if line.endswith("\n"):
                yield json.loads(line)

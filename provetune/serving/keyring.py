"""The keys that a running server knows: read from the ledger once a second, kept while the ledger is away.

A request never waits for the database. What was revoked is refused a second later; when the database restarts, keys
that were known a moment ago go on for `GRACE_S`, and after that nobody is let in until it is back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from provetune.core.errors import ProvetuneError, UsageError
from provetune.ledger.api_keys import KeyBook, KeyEntry
from provetune.ledger.connection import ledger_url
from provetune.serving.keys import has_expired, is_secret, split_key
from provetune.serving.steady_clock import Calendar, steady_seconds

POLL_S = 1.0
GRACE_S = 60.0

Verdict = Literal["open", "known", "unknown", "unavailable"]


@dataclass(frozen=True)
class Known:
    """What became of a presented key: of ``"known"`` the entry, of ``"unavailable"`` nothing can be said just now."""

    verdict: Verdict
    entry: KeyEntry | None = None


@dataclass
class Keyring:
    """Keys as they stand in a ledger, watched.

    Args:
        url: the ledger's URL; a SQLite file that is not there holds no keys. None: no keys, ever.
        calendar, steady: the clocks; others in tests.
        say: told once when the ledger goes away and once when it is back.
    """

    url: str | None
    calendar: Calendar = field(default_factory=Calendar)
    steady: Callable[[], float] = steady_seconds
    say: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self._entries: Mapping[str, KeyEntry] = {}
        self._closed = False
        self._read_at = self.steady()
        self._away = False
        self._book: KeyBook | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if self.url is not None:
            ledger_url(self.url)

    @property
    def closed(self) -> bool:
        """Whether a key is demanded: once there was one, always."""
        return self._closed

    @property
    def usable(self) -> int:
        """Keys that are neither revoked nor expired."""
        moment = self.calendar.now()
        return sum(entry.revoked_at is None and not has_expired(entry, moment) for entry in self._entries.values())

    def start(self) -> None:
        """Read the keys, and go on reading them in a thread of its own.

        Raises:
            EnvironmentFault, CorruptError: the ledger cannot be read now, so nothing would be known of its keys.
        """
        if self.url is None:
            return
        self._read()
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._watch, name="keys", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop watching and let go of the database."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None
        self._let_go()

    def look_up(self, text: str | None) -> Known:
        """What a presented key is worth; None where none was presented."""
        if not self._closed:
            return Known("open")
        # Whatever keeps the keys from being read, a thread that died among it: they are not believed for ever.
        if self.steady() - self._read_at > GRACE_S:
            return Known("unavailable")
        parts = None if text is None else split_key(text)
        if parts is None:
            return Known("unknown")
        entry = self._entries.get(parts[0])
        if not is_secret(entry, parts[1]) or entry is None:
            return Known("unknown")
        if entry.revoked_at is not None or has_expired(entry, self.calendar.now()):
            return Known("unknown")
        return Known("known", entry)

    def refresh(self) -> bool:
        """Read the keys again; False, and those of before stay, where the ledger cannot be read."""
        try:
            self._read()
        except ProvetuneError as error:
            if not self._away:
                self._away = True
                self._tell(f"{error} Keys known so far are good for {GRACE_S:.0f} s.")
            return False
        if self._away:
            self._away = False
            self._tell("The ledger with the keys is back.")
        return True

    def _tell(self, text: str) -> None:
        # Whoever listened may have gone; the keys are watched all the same.
        with suppress(OSError, ValueError):
            self.say(text)

    def _watch(self) -> None:
        while not self._stop.wait(POLL_S):
            self.refresh()

    def _read(self) -> None:
        book = self._open()
        found = [] if book is None else book.entries()
        if not found and self._closed:
            raise UsageError("The keys are gone from the ledger.", hint="Bring the ledger back, or start again.")
        self._entries = {entry.key_id: entry for entry in found}
        self._closed = self._closed or bool(found)
        self._read_at = self.steady()

    def _open(self) -> KeyBook | None:
        """The ledger's table; None where there is no ledger yet."""
        if self.url is None or not _may_exist(self.url):
            self._let_go()
            return None
        if self._book is None:
            self._book = KeyBook(self.url)
        return self._book

    def _let_go(self) -> None:
        if self._book is not None:
            self._book.close()
            self._book = None


def _may_exist(url: str) -> bool:
    """Whether there can be a ledger: a SQLite file that is not there has not been made."""
    from pathlib import Path

    read = ledger_url(url)
    return read.get_backend_name() != "sqlite" or (bool(read.database) and Path(str(read.database)).exists())

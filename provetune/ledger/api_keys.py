"""Keys of the service as the ledger keeps them: a salted hash each, never the key.

A key is revoked, not deleted: that there was one is what keeps a server closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import RowMapping

from provetune.core.errors import UsageError
from provetune.core.suggest import advice
from provetune.ledger.connection import WRITES, database_errors, open_engine
from provetune.ledger.records import file_url
from provetune.ledger.rows import now
from provetune.ledger.tables import API_KEYS


@dataclass(frozen=True)
class KeyEntry:
    """A key as it is stored.

    Attributes:
        key_id: its public part, which logs show.
        name: whose it is, in the words of whoever made it.
        salt, hash: hex; what the secret part is compared with.
        scopes: what it may do.
        per_minute: requests a minute in the long run; None for any number.
        burst: requests that may come at once.
        created_at, expires_at, revoked_at: ISO 8601 in UTC.
    """

    key_id: str
    name: str
    salt: str
    hash: str
    scopes: tuple[str, ...]
    per_minute: float | None
    burst: int | None
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None


class KeyBook:
    """The table of keys in a ledger. Safe to use from several processes and threads at once.

    Args:
        location: a file, or a SQLAlchemy URL.
        create: False refuses a ledger that is not there.

    Raises:
        UsageError, EnvironmentFault, CorruptError: see `provetune.ledger.connection.open_engine`.
    """

    def __init__(self, location: str | Path, *, create: bool = True) -> None:
        self.url = location if isinstance(location, str) and "://" in location else file_url(Path(location))
        self._engine = open_engine(self.url, create=create)

    def __enter__(self) -> KeyBook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    def add(self, entry: KeyEntry) -> None:
        """Store a new key."""
        with self._write() as connection:
            connection.execute(insert(API_KEYS).values(**{**asdict(entry), "scopes": list(entry.scopes)}))

    def revoke(self, key_id: str) -> KeyEntry:
        """Mark a key as revoked, now and for ever; a second time changes nothing.

        Raises:
            UsageError: there is no such key.
        """
        this = API_KEYS.c.key_id == key_id
        with self._write() as connection:
            connection.execute(update(API_KEYS).where(this, API_KEYS.c.revoked_at.is_(None)).values(revoked_at=now()))
            row = connection.execute(select(API_KEYS).where(this)).mappings().first()
            if row is None:
                known = list(connection.execute(select(API_KEYS.c.key_id).order_by(API_KEYS.c.key)).scalars())
                hint = advice(key_id, known) if known else "There are none: `provetune keys create` makes one."
                raise UsageError(f"There is no key '{key_id}'.", hint=hint)
            return _entry(row)

    def entries(self) -> list[KeyEntry]:
        """Every key that was ever made, oldest first."""
        with database_errors(self._engine), self._engine.connect() as connection:
            rows = connection.execute(select(API_KEYS).order_by(API_KEYS.c.key)).mappings()
            return [_entry(row) for row in rows]

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with database_errors(self._engine), self._engine.connect() as connection:
            connection = connection.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection


def _entry(row: RowMapping) -> KeyEntry:
    fields = {name: value for name, value in row.items() if name != "key"}
    return KeyEntry(**{**fields, "scopes": tuple(row["scopes"])})

"""Opening the ledger: the engine, SQLite's durability settings, and the migration to the newest tables.

SQLite runs in WAL mode with ``synchronous=FULL``: a commit returns only after its bytes were synced, so what
was acknowledged survives a kill and a power cut (with ``NORMAL``, WAL may roll back acknowledged commits
when the power fails). Writers queue by ``BEGIN IMMEDIATE``: a transaction that began as a reader and
then wrote could fail with "locked" at once, however long the busy timeout is.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from provetune.core.errors import CorruptError, EnvironmentFault, ProvetuneError, UsageError
from provetune.core.files import disk_errors, sync_folder
from provetune.core.locks import exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = "0003"
"""Newest migration. A test holds it equal to alembic's own head."""

WRITES = "ledger_writes"
"""Execution option that marks a connection whose transaction takes the write lock when it begins."""

_BUSY_S = 120
_POSTGRESQL = "postgresql+psycopg"
_MIGRATIONS = Path(__file__).with_name("migrations")


def open_engine(url: str, *, create: bool = True) -> Engine:
    """An engine on a ledger that has the newest tables; creates and migrates it where needed.

    Args:
        url: SQLAlchemy URL: ``sqlite:////path/ledger.sqlite`` or ``postgresql+psycopg://…``.
        create: False refuses a ledger that is not there, for work that only reads.

    Raises:
        UsageError: the URL cannot be used, or there is no ledger and none is to be made.
        EnvironmentFault: the database cannot be reached or written, or was written by a newer version.
        CorruptError: the file is not a database.
    """
    engine = _create(url)
    try:
        with database_errors(engine):
            _open(engine, create)
    except ProvetuneError:
        engine.dispose()
        raise
    return engine


def _open(engine: Engine, create: bool) -> None:
    file = database_file(engine)
    if not create and not _is_there(engine, file):
        raise UsageError(
            "There is no ledger here.",
            where=engine.url.render_as_string(hide_password=True) if file is None else str(file),
            hint="A study that was run with --ledger is found with the same --ledger.",
        )
    if file is not None:
        with disk_errors(file):
            file.parent.mkdir(parents=True, exist_ok=True)
    if file is None or not file.exists() or _revision(engine) != HEAD:
        _prepare(engine, file)


def database_file(engine: Engine) -> Path | None:
    """The file behind a SQLite engine; None for a server or a database in memory."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return None
    return Path(name)


@contextmanager
def database_errors(engine: Engine) -> Iterator[None]:
    """Turn what a database driver says into one clear line."""
    try:
        yield
    except DBAPIError as error:
        raise _translate(error, engine.url.render_as_string(hide_password=True)) from error


def ledger_url(url: str) -> URL:
    """A ledger's URL, read; PostgreSQL's is for the driver that the extra ``postgresql`` installs.

    Raises:
        UsageError: it is none, or of another kind of database.
    """
    hint = "Use sqlite:////path/to/ledger.sqlite or postgresql+psycopg://user@host/database."
    try:
        read = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UsageError(f"'{url}' is not a database URL.", hint=hint) from error
    if read.drivername in ("postgresql", "postgres"):
        return read.set(drivername=_POSTGRESQL)
    if read.drivername not in ("sqlite", "sqlite+pysqlite", _POSTGRESQL):
        shown = read.render_as_string(hide_password=True)
        raise UsageError(f"'{shown}' is not a database URL of a ledger.", hint=hint)
    return read


def shown_url(url: str) -> str:
    """A ledger's URL as it may be shown: without its password.

    Raises:
        UsageError: it is none, or of another kind of database.
    """
    return ledger_url(url).render_as_string(hide_password=True)


def _create(url: str) -> Engine:
    read = ledger_url(url)
    try:
        engine = create_engine(read, **_pool_options(read))
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            f"This ledger needs the package '{error.name}'.", hint="Install it: pip install 'provetune[postgresql]'."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _pool_options(url: URL) -> dict[str, Any]:
    # Strict JSON: PostgreSQL refuses NaN, so SQLite must not take it either.
    options: dict[str, Any] = {"json_serializer": partial(json.dumps, ensure_ascii=False, allow_nan=False)}
    if url.get_backend_name() == "sqlite":
        return {**options, "connect_args": {"timeout": _BUSY_S}}
    return {**options, "pool_pre_ping": True}


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by itself: `_begin_sqlite` says which kind is wanted.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    # On macOS a plain fsync stops at the drive's cache.
    cursor.execute("PRAGMA fullfsync=ON")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _set_up_postgresql(connection: Any, _record: Any) -> None:
    # A server that acknowledges before it has synced would lose what was acknowledged when the power fails.
    cursor = connection.cursor()
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    cursor.close()
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is_there(engine: Engine, file: Path | None) -> bool:
    return (file is None or file.exists()) and _revision(engine) is not None


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _prepare(engine: Engine, file: Path | None) -> None:
    lock = nullcontext() if file is None else exclusive(file.with_name(f"{file.name}.lock"), what="open ledger")
    with lock:
        if engine.dialect.name == "sqlite":
            _use_write_ahead_log(engine)
        known = _known_revisions()
        revision = _revision(engine)
        if revision is not None and revision not in known:
            raise EnvironmentFault(
                f"The ledger was written by a newer version (revision {revision}).",
                where=engine.url.render_as_string(hide_password=True),
                hint="Update provetune, or choose another ledger with --ledger.",
            )
        _migrate(engine)
        if file is not None:
            sync_folder(file.parent)


def _use_write_ahead_log(engine: Engine) -> None:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()
    finally:
        raw.close()


def _configuration() -> Any:
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(_configuration()).walk_revisions()}


def _migrate(engine: Engine) -> None:
    from alembic import command

    configuration = _configuration()
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(721001)"))
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")


def _translate(error: DBAPIError, where: str) -> ProvetuneError:
    message = " ".join(str(error.orig).split()).rstrip(".")
    if "not a database" in message or "malformed" in message:
        return CorruptError(
            "The ledger is damaged.", where=where, hint="Move the file away; a new one is begun beside the results."
        )
    if "disk is full" in message or "No space left" in message:
        return EnvironmentFault("No space is left for the ledger.", where=where, hint="Free some space and try again.")
    if "readonly" in message or "unable to open" in message:
        return EnvironmentFault(
            "The ledger cannot be written here.", where=where, hint="Choose another place with --workspace."
        )
    if isinstance(error, OperationalError):
        return EnvironmentFault(f"The ledger cannot be reached: {message}.", where=where)
    return EnvironmentFault(f"The ledger refused a write: {message}.", where=where)

"""A PostgreSQL server for tests alone: its own folder, a unix socket in it, no network port."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNPRIVILEGED = ("postgres", "nobody")
SETTINGS = "-c listen_addresses='' -c shared_buffers=16MB -c max_connections=40"


class NoServer(Exception):
    """Why no server can be started here."""


def find_programs() -> Path:
    """Folder with `initdb` and `pg_ctl`: on the path, or where Debian's packages put them.

    Raises:
        NoServer: they are not installed.
    """
    found = shutil.which("pg_ctl")
    if found is not None:
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")
    newest = max(versions, key=lambda path: int(path.parts[4]), default=None)
    if newest is None:
        raise NoServer("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    return newest.parent


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server and give the URL of its database; it is stopped and removed on leaving.

    Raises:
        NoServer: it is not installed, or does not start here.
    """
    programs = find_programs()
    place = Path(tempfile.mkdtemp(prefix="provetune-pg-"))
    try:
        user = _hand_over(place)
        _call(
            [programs / "initdb", "-D", place / "data", "-U", "tester", "-A", "trust", "-E", "UTF8", "-N"], place, user
        )
        options = f"-k {place} {SETTINGS}"
        start = [programs / "pg_ctl", "-D", place / "data", "-w", "-l", place / "log", "-o", options, "start"]
        _call(start, place, user)
        try:
            yield f"postgresql+psycopg://tester@/postgres?host={place}"
        finally:
            _call([programs / "pg_ctl", "-D", place / "data", "-w", "-m", "fast", "stop"], place, user)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def make_schema(server: str) -> str:
    """URL of an empty ledger: a new schema in the server's database."""
    from sqlalchemy import create_engine, text

    schema = f"ledger_{uuid.uuid4().hex}"
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    engine.dispose()
    return f"{server}&options=-csearch_path%3D{schema}"


def _hand_over(place: Path) -> str | None:
    """The user to run as: the server refuses root. The folder becomes that user's."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            shutil.chown(place, name)
        except LookupError:
            continue
        return name
    raise NoServer("the server refuses to run as root, and there is no user to run it as")


def _call(command: list[str | Path], place: Path, user: str | None) -> None:
    # Output goes to a file: the server would keep a pipe open for as long as it runs.
    with (place / "calls").open("ab+") as output:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=place,
            user=user,
            extra_groups=None if user is None else [],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=False,
        )
        if done.returncode != 0:
            output.seek(0)
            last = output.read().decode(errors="replace").strip().splitlines()[-1:]
            raise NoServer(f"{Path(command[0]).name} ended with {done.returncode}: {' '.join(last)}")

"""The ledger's tests run on SQLite and on a real PostgreSQL server, where one can be started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgresql_server import NoServer, make_schema, running_server

from provetune.ledger.records import Ledger, file_url


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a PostgreSQL server that runs for this session; tests that ask for it are skipped without one."""
    pytest.importorskip("psycopg")
    server = running_server()
    try:
        url = server.__enter__()
    except NoServer as reason:
        pytest.skip(str(reason))
    try:
        yield url
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_location(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Makes URLs of ledgers that are not there yet, of one kind of database after the other."""
    if request.param == "sqlite":
        numbers = iter(range(100))
        return lambda: file_url(tmp_path / f"ledger{next(numbers)}.sqlite")
    server = request.getfixturevalue("postgresql")
    return lambda: make_schema(server)


@pytest.fixture
def location(new_location: Callable[[], str]) -> str:
    """URL of a ledger that is not there yet."""
    return new_location()


@pytest.fixture
def ledger(location: str) -> Iterator[Ledger]:
    """An empty ledger, open."""
    with Ledger(location) as opened:
        yield opened

"""Keys in SQLite and PostgreSQL, and a server whose PostgreSQL is restarted under it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from postgresql_server import find_programs, make_schema

from provetune.core.errors import UsageError
from provetune.ledger.api_keys import KeyBook
from provetune.serving.keyring import GRACE_S, Keyring
from provetune.serving.keys import make_key


def test_keys_are_kept_and_never_deleted(location: str) -> None:
    first, second = make_key("shop", per_minute=90.0), make_key("商店", ["admin"], expires="30d")
    with KeyBook(location) as book:
        book.add(first.entry)
        book.add(second.entry)
        assert book.entries() == [first.entry, second.entry]
        taken = book.revoke(first.entry.key_id)
        assert taken.revoked_at is not None
        assert book.revoke(first.entry.key_id) == taken
        with pytest.raises(UsageError, match="There is no key"):
            book.revoke("000000000000")
    with KeyBook(location, create=False) as again:
        assert [entry.revoked_at is None for entry in again.entries()] == [False, True]


def test_two_servers_on_one_ledger_see_one_truth(location: str) -> None:
    made = make_key("shop")
    one, other = Keyring(location), Keyring(location)
    with KeyBook(location) as book:
        assert (one.refresh(), other.refresh()) == (True, True)
        assert not one.closed
        book.add(made.entry)
        one.refresh(), other.refresh()
        assert one.look_up(made.text).verdict == other.look_up(made.text).verdict == "known"
        book.revoke(made.entry.key_id)
        one.refresh(), other.refresh()
        assert one.look_up(made.text).verdict == other.look_up(made.text).verdict == "unknown"
    one.stop()
    other.stop()


def test_a_restart_of_the_server_is_survived(postgresql: str) -> None:
    location = make_schema(postgresql)
    made, later = make_key("shop"), make_key("later")
    with KeyBook(location) as book:
        book.add(made.entry)
    said: list[str] = []
    moment = [0.0]
    ring = Keyring(location, steady=lambda: moment[0], say=said.append)
    assert ring.refresh()
    call_server(postgresql, "stop")
    try:
        assert not ring.refresh()
        assert not ring.refresh()
        moment[0] = GRACE_S - 1
        assert ring.look_up(made.text).verdict == "known"
        assert ring.look_up(later.text).verdict == "unknown"
        moment[0] = GRACE_S + 1
        assert ring.look_up(made.text).verdict == "unavailable"
        assert len(said) == 1  # told once
    finally:
        call_server(postgresql, "start")
    assert ring.refresh()
    assert ring.look_up(made.text).verdict == "known"
    with KeyBook(location) as book:
        book.revoke(made.entry.key_id)
    assert ring.refresh()
    assert ring.look_up(made.text).verdict == "unknown"
    assert said[1:] == ["The ledger with the keys is back."]
    # A restart between two looks, which leaves broken connections in the pool.
    call_server(postgresql, "restart")
    assert ring.refresh()
    ring.stop()


def call_server(url: str, what: str) -> None:
    """Stop, start or restart the tests' PostgreSQL server, with the options it was started with."""
    place = Path(parse_qs(urlsplit(url).query)["host"][0])
    data = place / "data"
    command = [str(find_programs() / "pg_ctl"), "-D", str(data), "-w", "-m", "fast", "-l", str(place / "log"), what]
    if what == "start":
        command = [each for each in command if each not in ("-m", "fast")]
        command += ["-o", f"-k {place} -c listen_addresses='' -c shared_buffers=16MB -c max_connections=40"]
    with (place / "calls").open("ab") as output:
        subprocess.run(
            command,
            cwd=place,
            user=None if os.geteuid() else data.stat().st_uid,
            extra_groups=None if os.geteuid() else [],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=True,
        )

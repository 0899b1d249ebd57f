"""The door: every route and method demands a key, names and origins are held against the server's own."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from door_app import SCOPES, add_key, bearer, door, door_app, knock

from provetune.core.errors import UsageError
from provetune.ledger.api_keys import KeyBook
from provetune.ledger.records import file_url
from provetune.serving.access import check_bind, open_access
from provetune.serving.access_hosts import is_loopback
from provetune.serving.keyring import GRACE_S, Keyring
from provetune.serving.keys import NewKey
from provetune.serving.limits import Limits

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")
PATHS = (*SCOPES, "/", "/nowhere", "/v1/predict/", "//v1/models", "/health/live/../../v1/models", "/HEALTH/live")


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return file_url(tmp_path / "ledger.sqlite")


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, NewKey]:
    """An application behind a door with one key, and the key; for tests that change nothing."""
    location = file_url(tmp_path_factory.mktemp("door") / "ledger.sqlite")
    made = add_key(location)
    return door(location).wrap(door_app()), made


@pytest.fixture(scope="module")
def open_app() -> Any:
    """An application behind a door without keys."""
    return door(None).wrap(door_app())


@pytest.mark.parametrize("path", PATHS)
def test_every_route_and_method_demands_a_key(made_once: tuple[Any, NewKey], path: str) -> None:
    for method in METHODS:
        found = knock(made_once[0], path, method)
        if SCOPES.get(path) == "open":
            assert found.status in (200, 405)
        else:
            assert found.status == 401
            assert found.body == b"" if method == "HEAD" else found.error == "unauthorized"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer pt_000000000000_" + "A" * 43},
        {"authorization": "Bearer null"},
        {"authorization": "Basic ####"},
        {"authorization": "Basic " + base64.b64encode(b"\xff\xfe:x").decode()},
        {"x-api-key": "admin"},
        {"x-api-key": "pt_" + "é" * 56},
        {"cookie": "key=KEY"},
        {"authorization": "Digest KEY"},
        {"authorization": "Bearer KEYx"},
        {"authorization": "Bearer xKEY"},
        {"authorization": "Bearer KEY", "x-api-key": "KEY"},
    ],
)
def test_what_is_no_good_key_is_refused(made_once: tuple[Any, NewKey], headers: dict[str, str]) -> None:
    app, made = made_once
    shown = {name: value.replace("KEY", made.text) for name, value in headers.items()}
    if headers.get("authorization") == "Digest KEY":
        shown["authorization"] = f"Digest {made.text}x"
    assert knock(app, headers=shown).error == "unauthorized"


def test_a_key_is_taken_in_each_of_three_ways(ledger: str) -> None:
    made = add_key(ledger)
    app = door(ledger).wrap(door_app())
    password = base64.b64encode(f"anybody:{made.text}".encode()).decode()
    for headers in (bearer(made), {"x-api-key": made.text}, {"authorization": f"Basic {password}"}):
        assert knock(app, headers=headers).status == 200
    assert knock(app, headers={"accept": "text/html"}).headers["www-authenticate"].startswith("Basic ")
    assert knock(app).headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (("predict",), {"/v1/predict"}),
        (("read",), {"/v1/models"}),
        (("admin",), {"/v1/predict", "/v1/models", "/v1/admin/promote"}),
    ],
)
def test_a_scope_opens_its_routes_alone(ledger: str, scopes: tuple[str, ...], allowed: set[str]) -> None:
    made = add_key(ledger, "shop", *scopes)
    app = door(ledger).wrap(door_app())
    for path, method in (("/v1/predict", "POST"), ("/v1/models", "GET"), ("/v1/admin/promote", "POST")):
        found = knock(app, path, method, headers=bearer(made), pieces=[b"{}"])
        assert (found.status, found.error) == ((200, None) if path in allowed else (403, "forbidden"))
    assert knock(app, "/nowhere", headers=bearer(made)).status == 404


def test_without_any_key_all_is_open_and_the_first_key_closes_it_for_ever(ledger: str) -> None:
    access = door(ledger)
    app = access.wrap(door_app())
    assert knock(app).status == 200
    made = add_key(ledger)
    assert access.keyring.refresh()
    assert knock(app).status == 401
    assert knock(app, headers=bearer(made)).status == 200
    with KeyBook(ledger) as book:
        book.revoke(made.entry.key_id)
    access.keyring.refresh()
    assert knock(app, headers=bearer(made)).status == 401
    # The last key was taken back, and a server that begins now is as closed.
    assert knock(door(ledger).wrap(door_app())).status == 401


def test_a_ledger_that_is_removed_opens_nothing(ledger: str, tmp_path: Path) -> None:
    moment = [0.0]
    made = add_key(ledger)
    ring = Keyring(ledger, steady=lambda: moment[0])
    app = door(ledger, keyring=ring).wrap(door_app())
    for file in tmp_path.glob("ledger.sqlite*"):
        file.unlink()
    assert not ring.refresh()
    assert (knock(app).status, knock(app, headers=bearer(made)).status) == (401, 200)
    moment[0] = GRACE_S + 1
    later = knock(app, headers=bearer(made))
    assert (later.status, later.error, later.headers["retry-after"]) == (503, "keys_unavailable", "5")
    assert knock(app, "/health/live").status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example",
     "192.168.1.7", "[::2]:8000", "", "localhost:port", "localhost:8000:1", "a b", "127.0.0.1/", "2130706433", "0"],
)  # fmt: skip
def test_another_host_is_refused(open_app: Any, host: str) -> None:
    for path in ("/v1/models", "/health/live", "/nowhere"):
        found = knock(open_app, path, headers={"host": host})
        assert (found.status, found.error) == (403, "forbidden_host")


@pytest.mark.parametrize("more", [[(b"host", b"localhost")], [(b"host", b"evil.example")]])
def test_two_hosts_or_none_are_refused(open_app: Any, more: list[tuple[bytes, bytes]]) -> None:
    assert knock(open_app, more_headers=more).error == "forbidden_host"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:8001"},
        {"origin": "http://127.0.0.1"},
        {"origin": "file://127.0.0.1:8000"},
        {"origin": "http://127.0.0.1:8000.evil.example"},
        {"origin": "http://127.0.0.1:8000@evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_another_site_is_refused(open_app: Any, headers: dict[str, str]) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        found = knock(open_app, "/v1/predict", method, headers=headers)
        assert (found.status, found.error) == (403, "forbidden_origin")


def test_the_page_itself_and_a_followed_link_are_let_in(open_app: Any) -> None:
    app = open_app
    own = {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
    assert knock(app, "/v1/predict", "POST", headers=own).status == 200
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert knock(app, headers=link).status == 200
    assert knock(app, "/v1/predict", "POST", headers=link).error == "forbidden_origin"
    for host in ("localhost", "LOCALHOST:80", "[::1]:8000", "127.0.0.1"):
        assert knock(app, headers={"host": host}).status == 200


def test_beyond_loopback_addresses_and_added_names_are_the_servers(ledger: str) -> None:
    made = add_key(ledger)
    access = open_access(ledger, door(ledger).find_gate, host="0.0.0.0", allow_hosts=["api.example.org"])
    app = access.wrap(door_app())
    told = {
        host: knock(app, headers={"host": host, **bearer(made)}).status
        for host in ("10.0.0.7:8000", "[2001:db8::1]", "API.example.org:443", "evil.example")
    }
    assert list(told.values()) == [200, 200, 200, 403]
    access.close()
    with pytest.raises(UsageError, match="no host name"):
        open_access(None, access.find_gate, allow_hosts=["https://api.example.org"])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", ""])
def test_beyond_loopback_a_good_key_is_needed(ledger: str, host: str) -> None:
    for options in ({}, {"no_auth": True}):
        with pytest.raises(UsageError) as refused:
            open_access(ledger, door(None).find_gate, host=host, **options)
        assert len(refused.value.lines()) == 1
    made = add_key(ledger)
    with pytest.raises(UsageError, match="stays on this machine"):
        open_access(ledger, door(None).find_gate, host=host, no_auth=True)
    access = open_access(ledger, door(None).find_gate, host=host)
    assert "demanded" in access.notice
    access.close()
    with KeyBook(ledger) as book:
        book.revoke(made.entry.key_id)
    with pytest.raises(UsageError, match="no key that is good"):
        open_access(ledger, door(None).find_gate, host=host)


def test_on_loopback_it_says_who_may_use_it(ledger: str) -> None:
    ring = door(ledger).keyring
    assert "Open to everybody" in check_bind("127.0.0.1", ring, no_auth=False)
    add_key(ledger)
    ring.refresh()
    assert check_bind("localhost", ring, no_auth=False).startswith("A key is demanded")
    access = open_access(ledger, door(None).find_gate, host="::1", no_auth=True)
    assert "Open to everybody" in access.notice
    assert knock(access.wrap(door_app())).status == 200
    access.close()


def test_loopback_is_what_this_machine_alone_can_reach() -> None:
    inside = ("127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]", "LocalHost")
    outside = ("0.0.0.0", "::", "", "10.0.0.1", "localhost.example", "127.0.0.1.example", "128.0.0.1")
    assert all(map(is_loopback, inside))
    assert not any(map(is_loopback, outside))


def test_every_answer_has_the_same_headers_and_no_more(open_app: Any) -> None:
    app = open_app
    for found in (knock(app), knock(app, "/nowhere"), knock(app, "/broken"), knock(app, headers={"host": "evil"})):
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in found.headers["content-security-policy"]
        assert found.headers["cache-control"] == "no-store"
        assert len(found.headers["x-request-id"]) == 16
        assert not {"server", "x-powered-by", "access-control-allow-origin"} & found.headers.keys()
    wide = knock(app, "/wide").headers
    assert not {"server", "x-powered-by", "access-control-allow-origin"} & wide.keys()
    assert wide["cache-control"] == "max-age=5"


def test_a_fault_inside_stays_inside(open_app: Any) -> None:
    app = open_app
    found = knock(app, "/broken")
    assert (found.status, found.error) == (500, "internal")
    assert found.headers["x-request-id"] in json.loads(found.body)["error"]["message"]
    assert not any(word in found.body for word in (b"secret", b"Traceback", b"RuntimeError"))
    with pytest.raises(ConnectionAbortedError) as broken:
        knock(app, "/half")
    assert broken.value.__suppress_context__
    assert "secret" not in str(broken.value)


def post(app: Any, *pieces: bytes, headers: dict[str, str] | None = None, pause: float = 0.0) -> tuple[int, str | None]:
    found = knock(app, "/v1/predict", "POST", headers=headers, pieces=list(pieces), pause=pause)
    return found.status, found.error


def test_a_body_is_read_whole_and_no_more_than_allowed() -> None:
    app = door(None, limits=Limits(body_bytes=100, body_seconds=0.2)).wrap(door_app())
    assert json.loads(knock(app, "/v1/predict", "POST", pieces=[b"1"] * 100).body)["bytes"] == 100
    assert post(app, *[b"1"] * 101) == (413, "too_large")
    assert post(app, b"1", headers={"content-length": "101"}) == (413, "too_large")
    assert post(app, b"1", headers={"content-length": "99999999999999999"}) == (413, "too_large")
    for length in ("-1", "1e3", "", "0x10", "1, 2", "٣".encode().decode("latin-1")):
        assert post(app, b"1", headers={"content-length": length}) == (400, "invalid_length")
    assert post(app, *[b"1"] * 50, pause=0.02) == (408, "timeout")


def test_a_text_has_so_many_letters_at_most() -> None:
    app = door(None, limits=Limits(text_letters=100)).wrap(door_app())
    assert post(app, json.dumps({"inputs": ["a" * 100, {"b": "c" * 100}]}).encode()) == (200, None)
    assert post(app, json.dumps({"inputs": ["a", {"b": ["c" * 101]}]}).encode()) == (413, "too_large")
    assert post(app, json.dumps({"input": "é" * 100}, ensure_ascii=False).encode()) == (200, None)
    assert post(app, json.dumps({"b" * 101: 1}).encode()) == (413, "too_large")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb'{"texts": ["\ud83d"]}', (422, "invalid_text")),
        (rb'{"texts": ["\uDE00 a"]}', (422, "invalid_text")),
        (rb'{"\ud800": 1}', (422, "invalid_text")),
        (rb'{"texts": ["\ud83d\ude00"]}', (200, None)),
        (rb'{"texts": ["\\ud83d"]}', (200, None)),
        (b'{"texts": ["\xff"]}', (400, "invalid_json")),
        ("é".encode("utf-16"), (400, "invalid_json")),
        (b'{"top_k": NaN}', (400, "invalid_json")),
        (b'{"top_k": -Infinity}', (400, "invalid_json")),
        (b'{"texts": ["NaN and Infinity"]}', (200, None)),
        (b'{"top_k": 1e999}', (400, "invalid_json")),
        (b'{"top_k": 1e300}', (200, None)),
        (b'{"top_k": ' + b"9" * 5_000 + b"}", (400, "invalid_json")),
        (b'{"texts": ["' + b"9" * 5_000 + b'"]}', (200, None)),
        (b"[" * 65 + b"]" * 65, (400, "invalid_json")),
        (b"[" * 64 + b"]" * 64, (200, None)),
        (b"[" * 1_000_000, (400, "invalid_json")),
        (b'{"a":' * 300_000, (400, "invalid_json")),
        (b'{"texts": ["' + b"[{" * 500 + b'"]}', (200, None)),
        (b"[" + b"[], " * 500 + b"1]", (200, None)),
    ],
)
def test_what_only_looks_like_json_is_refused(open_app: Any, body: bytes, expected: tuple[int, str | None]) -> None:
    assert post(open_app, body) == expected


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    [b'"\\"', b'\\"', b'"', b"[\\", b"1" * 299 + b" ", b"\\ud800", b'{"', b"\\"],
    ids=lambda piece: repr(piece[:8]),
)
def test_no_body_takes_long_to_refuse(open_app: Any, piece: bytes) -> None:
    body = b'["' + b"[" * 100 + piece * (1_900_000 // len(piece))
    assert post(open_app, body)[0] in (200, 400, 422)


def test_a_caller_who_hangs_up_is_answered_nothing(open_app: Any) -> None:

    async def hang_up() -> Any:
        return {"type": "http.disconnect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/predict", "headers": [(b"host", b"localhost")]}
    asyncio.run(open_app(scope, hang_up, send))
    assert sent == []


def test_a_websocket_is_closed(open_app: Any) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(open_app({"type": "websocket", "path": "/", "headers": []}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]

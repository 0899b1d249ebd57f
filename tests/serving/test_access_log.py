"""The access log: what stands in a line, what never does, and that a request never waits or fails for its sake."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from door_app import add_key, bearer, door, door_app, knock
from hypothesis import given
from hypothesis import strategies as st

from provetune.core.errors import EnvironmentFault, UsageError
from provetune.ledger.records import file_url
from provetune.serving.access_log import AccessLog, Line
from provetune.serving.privacy import masked, masked_texts

PERSONAL = {
    "email": "anna.lee@example.org",
    "phone": "13812345678",
    "card": "4111 1111 1111 1111",
    "id": "11010519491231002X",
}


def lines_of(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]


def asked_with(tmp_path: Path, body: bytes, **options: Any) -> tuple[dict[str, Any], str, Any]:
    """The log line of one request, the whole log, and the key."""
    location, place = file_url(tmp_path / "ledger.sqlite"), tmp_path / "log" / "access.jsonl"
    made = add_key(location)
    log = AccessLog(place, **options)
    access = door(location, log=log)
    assert knock(access.wrap(door_app()), "/v1/predict", "POST", headers=bearer(made), pieces=[body]).status == 200
    access.close()
    (line,) = lines_of(place)
    return line, place.read_text(encoding="utf-8"), made


def test_a_line_holds_who_what_and_how_long_but_no_text(tmp_path: Path) -> None:
    body = json.dumps({"input": f"my secret {PERSONAL['email']}"}).encode()
    line, whole, made = asked_with(tmp_path, body)
    assert line.keys() == {"at", "request", "key", "method", "route", "status", "ms"}
    assert (line["key"], line["method"], line["route"], line["status"]) == (
        made.entry.key_id,
        "POST",
        "/v1/predict",
        200,
    )
    assert 0 < line["ms"] < 60_000
    assert "secret" not in whole
    assert made.text[16:] not in whole


def test_texts_are_masked_before_they_are_written(tmp_path: Path) -> None:
    document = {
        "input": [" and ".join(PERSONAL.values()), {"a": PERSONAL["email"]}, int(PERSONAL["phone"]), "a plain word"]
    }
    line, whole, _ = asked_with(tmp_path, json.dumps(document).encode(), texts="masked")
    assert line["texts"] == [
        "<EMAIL> and <PHONE> and <BANK_CARD> and <ID_NUMBER>",
        "<EMAIL>",
        "<PHONE>",
        "a plain word",
    ]
    assert not any(each in whole for each in PERSONAL.values())


def test_paths_queries_and_odd_methods_are_not_written(tmp_path: Path) -> None:
    place = tmp_path / "access.jsonl"
    access = door(None, log=AccessLog(place, texts="masked"))
    app = access.wrap(door_app())
    knock(app, f"/v1/{PERSONAL['email']}")
    knock(app, "/v1/models", PERSONAL["email"])
    knock(app, "/v1/models", headers={"user-agent": PERSONAL["email"], "host": PERSONAL["email"]})
    knock(app, "/broken")
    access.close()
    whole = place.read_text(encoding="utf-8")
    assert PERSONAL["email"] not in whole
    assert "secret text" not in whole
    told = [(line["method"], line["route"], line["status"], line.get("error")) for line in lines_of(place)]
    assert told[:3] == [
        ("GET", "(none)", 404, None),
        ("other", "/v1/models", 405, None),
        ("GET", "/v1/models", 403, "forbidden_host"),
    ]
    assert told[3][:3] == ("GET", "/broken", 500)
    assert str(told[3][3]).startswith("RuntimeError at door_app.py:")


@given(st.text(max_size=300), st.sampled_from(sorted(PERSONAL.values())), st.text(max_size=300))
def test_what_is_found_is_never_half_written(before: str, personal: str, after: str) -> None:
    shown = masked(f"{before} {personal} {after}")
    assert personal not in shown or personal in before + after


def test_a_text_is_masked_before_it_is_cut() -> None:
    shown = masked("x " * 496 + PERSONAL["email"])  # the cut falls into the address
    assert shown.endswith("<EMAIL>…") or "@" not in shown
    assert "anna" not in shown


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"true", b"12", b"{}"])
def test_what_has_no_texts_has_none(body: bytes) -> None:
    assert masked_texts(body) == []


def test_a_full_disk_costs_lines_and_no_request(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    log = AccessLog(full)
    access = door(None, log=log)
    app = access.wrap(door_app())
    for _ in range(20):
        assert knock(app).status == 200
        log.flush()
    assert log.lost == 20
    assert capfd.readouterr().err.count("cannot be written") == 1  # told once, not with each request
    access.close()


def test_the_log_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    place = tmp_path / "access.jsonl"
    log = AccessLog(place)
    line = Line(0.0, "a", None, "GET", "/", 200, 1.0)
    log.write(line)
    log.flush()
    os.close(log._stream.fileno())  # what a disk that went away looks like
    log.write(line)
    log.flush()
    assert log.lost == 1
    log.write(line)
    log.close()
    assert len(lines_of(place)) == 2


def test_a_reader_who_stands_still_holds_nobody_up(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(pipe)
    line = Line(0.0, "a" * 16, None, "GET", "/v1/models", 200, 1.0)
    began = time.perf_counter()
    for _ in range(30_000):
        log.write(line)
    assert time.perf_counter() - began < 10
    assert log.lost > 0
    assert sum(thread.name == "access log" for thread in threading.enumerate()) >= 1
    began = time.perf_counter()
    log.close()  # nor does whoever ends the server wait for it
    assert time.perf_counter() - began < 5
    os.close(reader)


def test_a_log_that_cannot_be_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="folder"):
        AccessLog(tmp_path)
    with pytest.raises(UsageError, match="masked or not at all"):
        AccessLog(texts="all")  # type: ignore[arg-type]
    (tmp_path / "closed").mkdir(mode=0o500)
    if os.geteuid() != 0:
        with pytest.raises(EnvironmentFault):
            AccessLog(tmp_path / "closed" / "log")

"""A server of real processes whose model does as texts say: what it survives (docs/concepts/reliability.md)."""

from __future__ import annotations

import http.client
import json
import random
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from odd_worker import expected
from served import Caller, Server, in_threads, odd_server, write_plain_bundle

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plain_bundle(tmp_path_factory.mktemp("bundles") / "plain")


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with limits that are easily reached; its tests leave it as it was."""
    folder = tmp_path_factory.mktemp("server")
    with odd_server(folder, bundle=bundle, max_batch_rows=8, max_batch_tokens=400) as found:
        yield found


def test_everyone_gets_their_own_answer(server: Server) -> None:
    """Row 11: many clients, several texts each, some of whom hang up."""

    def ask(number: int) -> int:
        draw = random.Random(number)
        wrong = 0
        with Caller(server.url) as caller:
            for step in range(12):
                texts = [f"client {number} step {step} text {k}" for k in range(draw.randint(1, 5))]
                if draw.random() < 0.2:
                    hang_up(server, {"inputs": texts})
                    continue
                status, told, _ = caller.ask(inputs=texts)
                assert status == 200, told
                wrong += told["answers"] != [expected(text) for text in texts]
        return wrong

    assert sum(in_threads(12, ask)) == 0


def test_one_bad_item_hurts_nobody_else(server: Server) -> None:
    """Row 13: eight requests that are computed together, and eight items of one request."""
    texts = ["fine 1", "fine 2", "#raise now", "fine 3", "", "fine 4", "fine 5", "fine 6"]
    found = in_threads(8, lambda number: server.predict(texts[number]))
    assert [each.status_code for each in found] == [200, 200, 500, 200, 422, 200, 200, 200]
    assert [found[k].json()["answer"] for k in (0, 7)] == [expected("fine 1"), expected("fine 6")]
    named = server.client.post("/v1/predict", json={"inputs": ["a", "b", "", "c"]})
    assert (named.status_code, named.json()["error"]["item"]) == (422, 2)
    assert named.json()["error"]["message"].startswith("inputs[2]: ")


def test_a_model_that_miscounts_is_told_at_once(server: Server) -> None:
    """Row 14."""
    began = time.monotonic()
    found = server.predict("#miscount")
    assert found.status_code == 500
    assert time.monotonic() - began < 1.0
    assert "traceback" not in found.text.lower()
    assert server.predict("still there").json()["answer"] == expected("still there")


def test_what_is_too_long_is_answered_at_once(server: Server) -> None:
    """Row 15."""
    for text in ("x" * 2000, "x" * 3_000_000, "word " * 5000):
        began = time.monotonic()
        found = server.predict(text)
        assert found.status_code == 413
        assert time.monotonic() - began < 1.0


def test_a_batch_holds_so_many_rows_however_many_a_request_has(server: Server) -> None:
    """Row 16."""
    texts = [f"row {number}" for number in range(32)]
    found = in_threads(6, lambda _: server.client.post("/v1/predict", json={"inputs": texts}).json()["answers"])
    assert all(each == [expected(text) for text in texts] for each in found)
    buckets = _buckets(server, "provetune_batch_items")
    assert buckets["8.0"] == buckets["+Inf"]
    assert server.metric("provetune_batch_tokens_sum") > 0


def test_a_worker_that_dies_takes_only_its_own_requests_with_it(server: Server) -> None:
    """Row 19: killed under load; the queue waits for the next worker."""
    (worker,) = server.workers()
    before = server.metric("provetune_worker_restarts_total")

    def ask(number: int) -> list[httpx.Response]:
        return [server.predict(f"#sleep 0.05 client {number} step {step}") for step in range(6)]

    def ask_or_kill(number: int) -> list[httpx.Response]:
        if number:
            return ask(number)
        time.sleep(0.6)
        worker.send_signal(signal.SIGKILL)
        return []

    found = [each for answers in in_threads(9, ask_or_kill) for each in answers]
    failed = [each for each in found if each.status_code != 200]
    assert len(failed) <= 8
    assert {(each.status_code, each.json()["error"]["type"]) for each in failed} == {(503, "worker_died")}
    assert all("retry-after" in each.headers for each in failed)
    assert server.wait_until(server.ready, 10) < 10
    assert server.predict("back").json()["answer"] == expected("back")
    assert server.metric("provetune_worker_restarts_total") == before + 1


def test_a_stuck_worker_is_not_ready_and_a_freed_one_is(server: Server) -> None:
    """Row 18: its one thread stands still."""
    (worker,) = server.workers()
    assert server.ready()
    worker.suspend()
    try:
        assert server.wait_until(lambda: not server.ready(), 10) < 10
        assert server.client.get("/health/live").status_code == 200
        assert server.client.get("/v1/models").json()["data"][0]["state"] == "stuck"
    finally:
        worker.resume()
    server.wait_until(server.ready, 10)


def test_whoever_hangs_up_leaves_the_queue(server: Server) -> None:
    """Row 20: while the worker is busy, so that all of them wait."""
    files = psutil.Process(server.process.pid).num_fds()
    before = server.metric("provetune_cancelled_items_total")
    blocker = socket_request(server, {"input": "#sleep 1.5"})
    time.sleep(0.2)
    for number in range(60):
        hang_up(server, {"input": f"nobody waits {number}"}, after_s=0.01)
    server.wait_until(lambda: server.metric("provetune_cancelled_items_total") - before >= 57, 5)
    assert blocker.recv(4096).startswith(b"HTTP/1.1 200")
    blocker.close()
    server.wait_until(lambda: server.metric("provetune_queue_items") == 0, 5)
    server.wait_until(lambda: psutil.Process(server.process.pid).num_fds() <= files + 2, 5)


def test_too_many_are_told_to_come_again(bundle: Path, tmp_path: Path) -> None:
    """Row 17: ten times as many clients as may wait, a model that takes 20 ms a batch."""
    with odd_server(tmp_path, bundle=bundle, env={"ODD_PAUSE_S": "0.02"}, queue=4, max_batch_rows=1) as server:
        end = time.monotonic() + 3

        def ask(_: int) -> list[tuple[int, bool, float]]:
            found = []
            with Caller(server.url) as caller:
                while time.monotonic() < end:
                    status, document, took = caller.ask(input="hello")
                    found.append((status, document.get("retry_after", 0) >= 1, took))
            return found

        found = [each for answers in in_threads(40, ask) for each in answers]
        assert {status for status, _, _ in found} == {200, 429}
        assert all(retry for status, retry, _ in found if status == 429)
        refused = _buckets(server, "provetune_turned_away_seconds")
        assert refused["0.05"] >= 0.99 * refused["+Inf"] > 0
        # Whoever is let in waits for four others at most, a tenth of a second; the rest is this machine's.
        accepted = sorted(took for status, _, took in found if status == 200)
        assert accepted[len(accepted) // 2] < 2.0


def test_a_shutdown_answers_what_it_accepted(bundle: Path, tmp_path: Path) -> None:
    """Row 21: SIGTERM to the whole group, workers too, while everybody asks."""
    with odd_server(tmp_path, bundle=bundle, env={"ODD_PAUSE_S": "0.03"}, grace_s=0.5) as server:
        workers = server.workers()
        stop = time.monotonic() + 1.0
        gone = []

        def ask(number: int) -> list[int]:
            found: list[int] = []
            with Caller(server.url) as caller:
                while True:
                    try:
                        found.append(caller.ask(input=f"{number}")[0])
                    except ConnectionRefusedError:
                        return found
                    except (ConnectionError, http.client.HTTPException) as error:
                        gone.append(repr(error))
                        return found

        def ask_or_stop(number: int) -> list[int]:
            if number:
                return ask(number)
            time.sleep(max(0.0, stop - time.monotonic()))
            for each in workers:
                each.send_signal(signal.SIGTERM)
            server.process.send_signal(signal.SIGTERM)
            return []

        began = time.monotonic()
        answers = [status for found in in_threads(9, ask_or_stop) for status in found]
        assert server.process.wait(30) == 0
        assert time.monotonic() - began < 30
        assert answers.count(200) == len(answers) > 20
        assert gone == []
        assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in workers)


def test_memory_and_descriptors_stay_and_a_leak_would_show(bundle: Path, tmp_path: Path) -> None:
    """Rows 9 and 22 in short: mixed lengths, from the middle to the end; and the same with a leak that was planted."""

    def growth(env: dict[str, str]) -> tuple[float, int]:
        with odd_server(tmp_path, bundle=bundle, env=env) as server:
            processes = [psutil.Process(server.process.pid), *server.workers()]

            def state() -> tuple[float, int]:
                sizes = sum(each.memory_info().rss for each in processes) / 1e6
                return sizes, sum(each.num_fds() for each in processes)

            def ask(requests: int) -> None:
                draw = random.Random(0)
                for _ in range(requests):
                    texts = ["word " * draw.randint(1, 200) for _ in range(8)]
                    assert server.client.post("/v1/predict", json={"inputs": texts}).status_code == 200

            ask(40)
            middle = state()
            ask(90)
            end = state()
            return end[0] - middle[0], end[1] - middle[1]

    megabytes, descriptors = growth({})
    assert megabytes <= 50
    assert descriptors <= 2
    assert growth({"ODD_LEAK": "1"})[0] > 50


def test_answers_stream_until_nobody_reads_and_have_a_deadline(bundle: Path, tmp_path: Path) -> None:
    env = {"ODD_STREAMS": "1", "ODD_PAUSE_S": "0.02"}
    with odd_server(tmp_path, bundle=bundle, env=env, deadline_s=2.0) as server:
        with server.client.stream("POST", "/v1/predict", json={"input": "one two three", "stream": True}) as found:
            assert found.headers["content-type"].startswith("text/event-stream")
            events = [line[6:] for line in found.iter_lines() if line]
        assert events[-1] == "[DONE]"
        assert "".join(json.loads(each)["text"] for each in events[:-1]) == "one two three "
        long = " ".join(["word"] * 2000)
        with server.client.stream("POST", "/v1/predict", json={"input": long, "stream": True}) as found:
            next(found.iter_lines())
        # Not after the 40 s of the other.
        server.wait_until(lambda: server.predict("next").status_code == 200, 10)
        late = server.predict("#sleep 3")
        assert (late.status_code, late.json()["error"]["type"]) == (504, "deadline")
        server.wait_until(lambda: server.predict("next").status_code == 200, 10)


def socket_request(server: Server, document: dict[str, Any]) -> socket.socket:
    """A request that was sent and is not read yet."""
    host, port = server.url.removeprefix("http://").split(":")
    found = socket.create_connection((host, int(port)))
    body = json.dumps(document).encode()
    head = f"POST /v1/predict HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\n"
    found.sendall(head.encode() + f"content-length: {len(body)}\r\n\r\n".encode() + body)
    return found


def hang_up(server: Server, document: dict[str, Any], after_s: float = 0.0) -> None:
    """Ask, and do not wait for the answer."""
    with socket_request(server, document):
        time.sleep(after_s)


def _buckets(server: Server, name: str) -> dict[str, float]:
    """Cumulative counts of a histogram by upper bound."""
    found = {}
    for line in server.client.get("/metrics").text.splitlines():
        if line.startswith(f"{name}_bucket"):
            found[line.split('le="')[1].split('"')[0]] = float(line.rpartition(" ")[2])
    return found

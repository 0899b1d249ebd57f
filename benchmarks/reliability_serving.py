"""The service under load, faults and time: rows 9 to 22 of docs/concepts/reliability.md at their full size.

    python benchmarks/reliability_serving.py --save reliability_serving.json    # three hours, resumable
    python benchmarks/reliability_serving.py --quick                            # a twentieth
    python benchmarks/reliability_serving.py memory drain                       # these alone

Demands, each with its figures and whether it was met:
    memory    100,000 requests of mixed length; from the middle on, server and worker grow by 50 MB at most
    shapes    200 lengths, twice; after the second time memory is at most 1.1 times what it was after the first
    callers   64 clients, 20,000 texts, every fifth request abandoned; each answer is that of its own text
    alone     500 texts, each alone and among 32 neighbours: 1e-5 apart at most, no other label
    overload  ten times as many clients as may wait, a model of 20 ms, 60 s: 200 or 429 with Retry-After, refusals
              within 50 ms (99 %), accepted ones within twice the time of a full queue (95 %)
    deaths    20 workers are killed under load: only what they computed fails, the next one is ready within 10 s
    gone      1,000 clients hang up while they wait: 95 % leave the queue uncomputed, no descriptor is left open
    drain     20 times SIGTERM under load: nothing that was accepted is dropped, the end comes within 30 s
    soak      2 h at 70 % of what it can do: no 5xx, the 95th percentile drifts by 10 % at most, descriptors flat

`deaths`, `gone`, `overload` and `drain` ask a model that only sleeps; the others a random BERT of two layers.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import psutil
from harness import Cells, add_usual_arguments, machine, say
from load_clients import Asked, ask
from served import Caller, Server, in_threads, odd_server, real_server, write_network_bundle, write_plain_bundle
from word_tokenizer import WORDS

PATH = "/v1/predict"
VOCABULARY = WORDS.split()


class Place:
    """Folders, bundles and sizes of one sitting."""

    def __init__(self, folder: Path, share: float) -> None:
        self.folder, self.share = folder, share
        self.plain = write_plain_bundle(folder / "plain")
        self.network = write_network_bundle(folder / "network", max_length=220, positions=224)

    def size(self, full: float) -> int:
        return max(1, round(full * self.share))

    def real(self) -> Any:
        return real_server(self.folder / "real", str(self.network), "--threads", "1")

    def odd(self, pause_s: float, **settings: Any) -> Any:
        return odd_server(self.folder / "odd", bundle=self.plain, env={"ODD_PAUSE_S": str(pause_s)}, **settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demands", nargs="*", choices=[[], *DEMANDS], help="these alone")
    add_usual_arguments(parser)
    arguments = parser.parse_args()
    share = 0.05 if arguments.quick else 1.0
    cells = Cells(arguments.save, {"share": share}, fresh=arguments.fresh)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), share)
        for name in arguments.demands or DEMANDS:
            found[name] = cells.measure(name, lambda name=name: DEMANDS[name](place))
            say(f"{name}: {'met' if found[name]['met'] else 'NOT MET'}  {found[name]}")
    document = {"demands": found, "machine": machine()}
    cells.keep(document)
    if arguments.json:
        import json

        print(json.dumps(document))
    sys.exit(0 if all(each["met"] for each in found.values()) else 1)


def memory(place: Place) -> dict[str, Any]:
    requests, draw = place.size(100_000), random.Random(0)
    with place.real() as server, Caller(server.url) as caller:
        for number in range(requests):
            if number == requests // 2:
                middle = _megabytes(server)
            caller.ask(input=_text(draw, 1, 200))
        grown = _megabytes(server) - middle
    return {"requests": requests, "grown_mb": grown, "met": grown <= 50}


def shapes(place: Place) -> dict[str, Any]:
    found = []
    with place.real() as server, Caller(server.url) as caller:
        for _ in range(2):
            for length in range(1, 201):
                caller.ask(input=" ".join((VOCABULARY * 12)[:length]))
            found.append(_megabytes(server))
    return {"first_mb": found[0], "second_mb": found[1], "met": found[1] <= 1.1 * found[0]}


def callers(place: Place) -> dict[str, Any]:
    from odd_worker import expected

    each = place.size(20_000) // 64 + 1
    with place.odd(0.0) as server:

        def one(number: int) -> tuple[int, int]:
            draw, asked, wrong = random.Random(number), 0, 0
            while asked < each:
                texts = [f"{number} {asked + k}" for k in range(draw.randint(1, 6))]
                asked += len(texts)
                with Caller(server.url) as caller:
                    if draw.random() < 0.2:
                        caller.leave(inputs=texts)
                        continue
                    answers = caller.ask(inputs=texts)[1].get("answers")
                    wrong += answers != [expected(text) for text in texts]
            return asked, wrong

        found = in_threads(64, one)
    wrong = sum(each for _, each in found)
    return {"texts": sum(each for each, _ in found), "wrong": wrong, "met": wrong == 0}


def alone(place: Place) -> dict[str, Any]:
    draw = random.Random(1)
    texts = [_text(draw, 1, 200) for _ in range(place.size(500))]
    largest, flips = 0.0, 0
    with place.real() as server, Caller(server.url) as caller:
        for text in texts:
            one = caller.ask(input=text, proba=True)[1]["answer"]
            neighbours = [_text(draw, 1, 200) for _ in range(32)]
            other = caller.ask(inputs=[*neighbours[:16], text, *neighbours[16:]], proba=True)[1]["answers"][16]
            largest = max(largest, *(abs(one["labels"][key] - other["labels"][key]) for key in one["labels"]))
            flips += one["label"] != other["label"]
    return {"texts": len(texts), "largest": largest, "flips": flips, "met": largest <= 1e-5 and not flips}


def overload(place: Place) -> dict[str, Any]:
    queue, pause_s = 8, 0.02
    with place.odd(pause_s, queue=queue, max_batch_rows=1) as server:
        found = ask(_port(server), PATH, [{"input": "a"}], clients=10 * queue, seconds=place.size(60))
        refused = _quantile(server, "provetune_turned_away_seconds", 0.99)
        accepted = _quantile(server, "provetune_request_seconds", 0.95)
    full = (queue + 1) * pause_s
    clean = set(found.statuses) <= {200, 429, 503}
    met = clean and refused <= 0.05 and accepted <= 2 * full
    return {"statuses": found.figures()["statuses"], "refused_p99_s": refused, "accepted_p95_s": accepted, "met": met}


def deaths(place: Place) -> dict[str, Any]:
    lost, back = [], []
    with place.odd(0.02, max_batch_rows=8) as server:
        for _ in range(place.size(20)):
            statuses: list[int] = []

            def one(number: int, statuses: list[int] = statuses) -> None:
                if number == 0:
                    time.sleep(0.5)
                    server.workers()[0].send_signal(signal.SIGKILL)
                    began = time.monotonic()
                    server.wait_until(lambda: not server.ready(), 5)
                    server.wait_until(server.ready, 60)
                    back.append(time.monotonic() - began)
                    return
                with Caller(server.url) as caller:
                    statuses += [caller.ask(input=f"{number} {step}")[0] for step in range(30)]

            in_threads(17, one)
            lost.append(sum(status != 200 for status in statuses))
    return {
        "kills": len(back),
        "most_lost": max(lost),
        "slowest_s": max(back),
        "met": max(lost) <= 8 and max(back) <= 10,
    }


def gone(place: Place) -> dict[str, Any]:
    count, left = place.size(1000), 0.0
    with place.odd(0.0, queue=2000) as server:
        files = psutil.Process(server.process.pid).num_fds()
        while left < count:
            before = server.metric("provetune_cancelled_items_total")

            def one(number: int) -> None:
                with Caller(server.url) as caller:
                    if number == 0:
                        caller.ask(input="#sleep 2")
                        return
                    time.sleep(0.3)
                    caller.leave(input=f"{number}")

            in_threads(26, one)
            server.wait_until(lambda: server.metric("provetune_queue_items") == 0, 30)
            left += 25
            cancelled = server.metric("provetune_cancelled_items_total")
            say(f"gone: {left:.0f} hung up, {cancelled - before:.0f} of 25 left the queue")
        time.sleep(1)
        residue = psutil.Process(server.process.pid).num_fds() - files
    share = cancelled / left
    return {"hung_up": left, "left_the_queue": share, "descriptors": residue, "met": share >= 0.95 and residue <= 2}


def drain(place: Place) -> dict[str, Any]:
    dropped, seconds = 0, []
    for _ in range(place.size(20)):
        with place.odd(0.02) as server:
            broken: list[int] = []

            def one(number: int, server: Server = server, broken: list[int] = broken) -> None:
                if number == 0:
                    time.sleep(1.0)
                    server.process.send_signal(signal.SIGTERM)
                    return
                with Caller(server.url) as caller:
                    while True:
                        try:
                            status = caller.ask(input=f"{number}")[0]
                        except ConnectionRefusedError:
                            return
                        except OSError:
                            status = 0
                        if status != 200:
                            broken.append(status)
                            return

            began = time.monotonic() + 1.0
            in_threads(17, one)
            server.process.wait(60)
            seconds.append(time.monotonic() - began)
            dropped += len(broken)
    return {
        "ends": len(seconds),
        "dropped": dropped,
        "slowest_s": max(seconds),
        "met": not dropped and max(seconds) <= 30,
    }


def soak(place: Place) -> dict[str, Any]:
    draw = random.Random(2)
    bodies = [{"input": _text(draw, 1, 60)} for _ in range(200)]
    with place.real() as server:
        port = _port(server)
        most = ask(port, PATH, bodies, clients=8, seconds=10).figures()["per_second"]
        # Eight clients that ask as fast as they are answered; they pause so long that it comes to 70 %.
        files, minutes = _files(server), []
        for _ in range(place.size(120)):
            found = Asked()
            for _ in range(6):
                part = ask(port, PATH, bodies, clients=8, seconds=7.0)
                time.sleep(3.0)
                found.seconds += part.seconds
                for status, count in part.statuses.items():
                    found.statuses[status] = found.statuses.get(status, 0) + count
            found.lasted = 60.0
            minutes.append(found.figures())
        opened = _files(server) - files
    quarter = max(1, len(minutes) // 4)
    early = statistics.median(each["p95_ms"] for each in minutes[:quarter])
    late = statistics.median(each["p95_ms"] for each in minutes[-quarter:])
    errors = sum(each["errors"] for each in minutes)
    met = not errors and late <= 1.1 * early and opened <= 2
    return {
        "per_second": most,
        "minutes": len(minutes),
        "errors": errors,
        "drift": late / early,
        "descriptors": opened,
        "met": met,
    }


DEMANDS: dict[str, Callable[[Place], dict[str, Any]]] = {
    each.__name__: each for each in (memory, shapes, callers, alone, overload, deaths, gone, drain, soak)
}


def _text(draw: random.Random, least: int, most: int) -> str:
    return " ".join(draw.choices(VOCABULARY, k=draw.randint(least, most)))


def _port(server: Server) -> int:
    return int(server.url.rsplit(":", 1)[1])


def _processes(server: Server) -> list[psutil.Process]:
    return [psutil.Process(server.process.pid), *server.workers()]


def _megabytes(server: Server) -> float:
    return sum(each.memory_info().rss for each in _processes(server)) / 1e6


def _files(server: Server) -> int:
    return sum(each.num_fds() for each in _processes(server))


def _quantile(server: Server, name: str, share: float) -> float:
    """The upper bound of the bucket of a histogram that holds a quantile, seconds."""
    buckets = [
        (float(line.split('le="')[1].split('"')[0]), float(line.rpartition(" ")[2]))
        for line in server.client.get("/metrics").text.splitlines()
        if line.startswith(f"{name}_bucket")
    ]
    most = max(count for _, count in buckets)
    return min(bound for bound, count in buckets if count >= share * most)


if __name__ == "__main__":
    main()

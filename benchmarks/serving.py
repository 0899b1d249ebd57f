"""Serving, against a plain FastAPI server with a transformers pipeline, LitServe and mosec: side by side in one run.

    python benchmarks/serving.py [--quick] [--json] [--save serving.json] [--bundle FOLDER] [--ours NAME=FOLDER …]

Every server answers the same texts of clinc150 with the same minilm-en classifier (random head unless --bundle gives
one that was trained) from one worker, over loopback, asked by 1, 8 and 64 clients that each wait for their answer.
Servers run one after another, in turn, --rounds times; each (server, clients, round) is kept and not measured twice.
LitServe and mosec are left out where they are not installed. --ours adds bundles that Provetune serves besides, e.g.
one that was exported to ONNX.

Ratios are of medians, at 64 clients: throughput of ours to each other's; and at every number of clients the other's
95th percentile to ours. Goal: five times the plain server's throughput at 64 clients, a lower p95 at every level.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Cells, add_usual_arguments, labelled_rows, machine, say
from load_clients import ask
from predict_speed import make_bundle

HERE = Path(__file__).resolve().parent
CLIENTS = (1, 8, 64)
PATHS = {"plain": "/predict", "litserve": "/predict", "mosec": "/inference"}
OURS = "provetune"


def main() -> None:
    arguments = parse()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    cells = Cells(arguments.save, settings_of(arguments), fresh=arguments.fresh)
    texts = labelled_rows("clinc150", 500, "test")[0]
    with tempfile.TemporaryDirectory() as place:
        bundle = arguments.bundle or str(make_bundle(Path(place)))
        ours = {OURS: bundle, **dict(each.split("=", 1) for each in arguments.ours)}
        others = [name for name in PATHS if name == "plain" or find_spec(name) is not None]
        for number in range(arguments.rounds):
            for name in (*others, *ours):
                measure(name, ours.get(name, bundle), number, texts, cells, arguments)
    document = summary((*others, *ours), list(ours), arguments, cells)
    cells.keep(document)
    show(document, arguments.json)


def settings_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What a kept cell was measured with; of folders the names alone, as their places say nothing elsewhere."""
    bundle = None if arguments.bundle is None else Path(arguments.bundle).name
    ours = [f"{each.partition('=')[0]}={Path(each.partition('=')[2]).name}" for each in arguments.ours or ()]
    return {
        **{name: getattr(arguments, name) for name in ("rounds", "seconds", "threads")},
        "bundle": bundle,
        "ours": ours,
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual_arguments(parser)
    parser.add_argument("--bundle", help="classifier that all of them serve")
    parser.add_argument("--ours", action="append", default=[], metavar="NAME=FOLDER", help="serve this one, too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of one operation")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 1, 3.0
    return arguments


def measure(name: str, bundle: str, number: int, texts: list[str], cells: Cells, arguments: argparse.Namespace) -> None:
    """One round of one server, at every number of clients that is not kept."""
    wanted = {clients: f"{name}/{clients} clients/round {number + 1}" for clients in CLIENTS}
    if all(cell in cells.values for cell in wanted.values()):
        return
    key, path = ("text", PATHS[name]) if name in PATHS else ("input", "/v1/predict")
    bodies = [{key: text} for text in texts]
    with server(name, bundle, arguments.threads) as port:
        wait_for(port, path, bodies[0])
        ask(port, path, bodies, clients=8, seconds=min(2.0, arguments.seconds))
        for clients, cell in wanted.items():
            found = cells.measure(
                cell, lambda n=clients: ask(port, path, bodies, clients=n, seconds=arguments.seconds).figures()
            )
            say(f"{cell:<40} {found['per_second']:8.1f}/s  p95 {found['p95_ms']:8.1f} ms  {found['errors']} errors")


@contextmanager
def server(name: str, bundle: str, threads: int) -> Iterator[int]:
    """A server in a process of its own, on a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if name in PATHS:
        command = [sys.executable, str(HERE / "plain_servers.py"), name, bundle, str(port), str(threads)]
    else:
        start = "from provetune.cli.main import main; main()"
        command = [sys.executable, "-c", start, "serve", bundle, "--port", str(port), "--threads", str(threads)]
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=place, stdout=log, stderr=log, start_new_session=True)
        try:
            yield port
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


def wait_for(port: int, path: str, body: Any, within_s: float = 300.0) -> None:
    """Until the server answers.

    Raises:
        SystemExit: it does not.
    """
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if ask(port, path, [body], clients=1, seconds=0.05).seconds:
            return
        time.sleep(0.5)
    raise SystemExit(f"the server at port {port} does not answer")


def summary(names: tuple[str, ...], ours: list[str], arguments: argparse.Namespace, cells: Cells) -> dict[str, Any]:
    """Medians over rounds, and ratios of ours to the others."""
    figures: dict[str, Any] = {}
    for name in names:
        for clients in CLIENTS:
            rounds = [cells.values[f"{name}/{clients} clients/round {k + 1}"] for k in range(arguments.rounds)]
            keys = ("per_second", "p50_ms", "p95_ms", "p99_ms")
            found = {key: statistics.median(each[key] for each in rounds) for key in keys}
            figures[f"{name}/{clients}"] = {**found, "errors": sum(each["errors"] for each in rounds)}
    most = CLIENTS[-1]
    ratios: dict[str, float] = {}
    for one in ours:
        for other in names:
            if other in ours:
                continue
            mine = figures[f"{one}/{most}"]["per_second"]
            ratios[f"{one} to {other}: throughput at {most}"] = mine / figures[f"{other}/{most}"]["per_second"]
            for clients in CLIENTS:
                theirs = figures[f"{other}/{clients}"]["p95_ms"]
                ratios[f"{other} to {one}: p95 at {clients}"] = theirs / figures[f"{one}/{clients}"]["p95_ms"]
    return {"figures": figures, "ratios": ratios, "machine": machine()}


def show(document: dict[str, Any], as_json: bool) -> None:
    import json

    if as_json:
        print(json.dumps(document))
        return
    for name, each in document["figures"].items():
        times = f"p50 {each['p50_ms']:.1f}  p95 {each['p95_ms']:.1f}  p99 {each['p99_ms']:.1f} ms"
        print(f"{name:<24} {each['per_second']:8.1f}/s  {times}  {each['errors']} errors")
    for name, ratio in document["ratios"].items():
        print(f"{name:<44} {ratio:8.2f}")


if __name__ == "__main__":
    main()

"""What strangers may try on a server, tried: rows 25, 26, 28, 29, 30, 31 and 32 of docs/concepts/reliability.md.

    python benchmarks/reliability_security.py --save reliability_security.json    # the full size, resumable
    python benchmarks/reliability_security.py --quick                             # a twentieth, as in `make test`

Each demand is tried on `provetune serve` in a process of its own, with a bundle of the tfidf method:
    paths     names that climb out of their folder, in every place that takes a name: no escape
    keys      every route and method without a key: 401, but for live and ready
    names     forged Host and Origin headers on every route: 4xx
    fetches   URLs in every field: no connection is made, by the server or its workers
    fuzz      50,000 generated requests: no 5xx, and the server lives
    ports     sockets that listen, of the server and all its children: exactly one
    tampering one byte changed in each file of the bundle: the server does not start
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hostile_requests import METHODS, bodies_with, climbing_names, generated, paths_of_table, urls_of
from security_servers import (
    SECRET,
    WATCHING,
    Line,
    ask,
    bearer,
    bundle_of,
    canary,
    make_key,
    models_of,
    outside_of,
    refused,
    server,
    watch,
)

REQUESTS, REQUESTS_A_CELL, TWENTIETH = 50_000, 2_500, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    from harness import Cells, add_usual_arguments, machine

    add_usual_arguments(parser)
    arguments = parser.parse_args()
    cells = Cells(arguments.save, {"quick": arguments.quick}, fresh=arguments.fresh)
    found: dict[str, Any] = {}
    for name, measure in (
        ("paths", climb),
        ("keys", knock_without_key),
        ("names", forge_names),
        ("fetches", ask_to_fetch),
        ("ports", count_ports),
        ("tampering", tamper),
    ):
        found[name] = cells.measure(name, lambda measure=measure: apart(measure))
    parts = REQUESTS // REQUESTS_A_CELL // (TWENTIETH if arguments.quick else 1)
    fuzzed = [
        cells.measure(f"fuzz/{seed}", lambda seed=seed: apart(lambda place: fuzz(place, seed=seed)))
        for seed in range(parts)
    ]
    found["fuzz"] = {name: sum(cell[name] for cell in fuzzed) for name in ("tried", "faults", "died")}
    document = {"machine": machine(), "figures": found, "failed": [name for name in found if found[name]["faults"]]}
    cells.keep(document)
    if arguments.json:
        print(json.dumps(document))
    else:
        for name, figures in found.items():
            print(f"{name:<10}" + ", ".join(f"{key} {value}" for key, value in figures.items()))
        print("All as demanded." if not document["failed"] else f"Not as demanded: {', '.join(document['failed'])}.")
    sys.exit(1 if document["failed"] else 0)


def apart(measure: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Measure in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder))


# -- the demands -----------------------------------------------------------------------------------------------------


def climb(place: Path) -> dict[str, Any]:
    """Names that climb, in paths, queries and every field that takes a name."""
    outside = outside_of(place)
    tried, faults = 0, []
    with server(place, "--library", str(place / "library")) as (address, _):
        before = models_of(address)
        for name in climbing_names(outside):
            for body in bodies_with(name):
                for path in ("/v1/predict", "/v1/admin/reload", "/v1/admin/promote", "/v1/admin/rollback"):
                    tried += 1
                    status, told = ask(address, "POST", path, json.dumps(body).encode())
                    if SECRET.encode() in told or status >= 500 or (status == 200 and path != "/v1/admin/rollback"):
                        faults.append([path, body, status])
            for path in (f"/page/{name}", f"/{name}", f"/v1/models/{name}", f"/v1/models?model={quote(name)}"):
                tried += 1
                status, told = ask(address, "GET", path)
                if SECRET.encode() in told or b"root:" in told or status >= 500:
                    faults.append([path, status])
        if models_of(address) != before:
            faults.append(["the models changed"])
    return {"tried": tried, "faults": len(faults), "which": faults[:5]}


def knock_without_key(place: Path) -> dict[str, Any]:
    """Every route and method, those of the OpenAPI document among them, without a key and with a wrong one."""
    key = make_key(place)
    tried, faults = 0, []
    with server(place) as (address, _):
        described = json.loads(ask(address, "GET", "/openapi.json", headers=bearer(key))[1])["paths"]
        for path in sorted({*described, *paths_of_table(), "/nowhere", "/v1", "/docs", "/redoc", "/page/page.js"}):
            for method in METHODS:
                for headers in ({}, bearer("pt_000000000000_" + "A" * 43), {"x-api-key": ""}):
                    tried += 1
                    status, _ = ask(address, method, path, b"{}", headers)
                    if status != 401 and not (path.startswith("/health/") and status in (200, 405)):
                        faults.append([method, path, status])
    return {"tried": tried, "faults": len(faults), "which": faults[:5]}


def forge_names(place: Path) -> dict[str, Any]:
    """Forged Host and Origin headers on every route."""
    forged = [{"Host": host} for host in ("evil.example", "127.0.0.1.evil.example", "", "[::2]", "127.0.0.1 evil")]
    forged += [{"Origin": origin} for origin in ("http://evil.example", "null", "https://localhost.evil.example")]
    forged += [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}]
    tried, faults = 0, []
    with server(place) as (address, _):
        for path in paths_of_table():
            for method in ("GET", "POST", "OPTIONS"):
                for headers in forged:
                    tried += 1
                    status, _ = ask(address, method, path, b'{"input": "card"}', headers)
                    if not 400 <= status < 500:
                        faults.append([method, path, headers, status])
    return {"tried": tried, "faults": len(faults), "which": faults[:5]}


def ask_to_fetch(place: Path) -> dict[str, Any]:
    """URLs in every field; a port that waits for callers, and every process told to tell whom it connects to."""
    told = watch(place, WATCHING, "WATCHED_CONNECTS")
    tried = 0
    with canary() as (port, callers), server(place, env=told) as (address, _):
        shown = Path(told["WATCHED_CONNECTS"])
        watched = shown.read_text().count("begins")
        shown.write_text("")  # what happened while it started is no answer to a request
        for url in urls_of(port):
            for body in bodies_with(url):
                for path in ("/v1/predict", "/v1/chat/completions", "/v1/embeddings", "/v1/admin/promote"):
                    tried += 1
                    ask(address, "POST", path, json.dumps(body).encode())
            for headers in ({"Referer": url}, {"X-Forwarded-Host": url}, {"X-Original-URL": url}, {"Forwarded": url}):
                tried += 1
                ask(address, "GET", f"/v1/models?url={quote(url)}", headers=headers)
        connects = shown.read_text().splitlines()
    blind = int(watched < 2)  # the server and its worker at least
    return {"tried": tried, "watched": watched, "faults": len(connects) + len(callers) + blind, "which": connects[:5]}


def fuzz(place: Path, *, seed: int = 0, requests: int = REQUESTS_A_CELL) -> dict[str, Any]:
    """Generated requests of many kinds; none may be answered with 5xx, and the server must live."""
    draw, faults = random.Random(seed), []
    with server(place) as (address, process):
        line = Line(address)
        for _ in range(requests):
            method, path, body, headers, size = generated(draw)
            status, told = line.ask(method, path, body, headers, size)
            if status >= 500 or status == 0 or b"Traceback" in told:
                faults.append([method, path, body[:80].decode("latin-1"), status])
        line.close()
        good, _ = ask(address, "POST", "/v1/predict", b'{"input": "card charged"}')
        died = int(process.poll() is not None or good != 200)
    return {"tried": requests, "faults": len(faults) + died, "died": died, "which": faults[:5]}


def count_ports(place: Path) -> dict[str, Any]:
    """Sockets that listen, of the server and all it started, while it answers."""
    import psutil

    with server(place) as (address, process):
        ask(address, "POST", "/v1/predict", b'{"input": "card"}')
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        sockets = [each for one in family for each in one.net_connections("all")]
        listening = {each.laddr for each in sockets if each.status == psutil.CONN_LISTEN}
        udp = [each for each in sockets if each.type == socket.SOCK_DGRAM and each.family != socket.AF_UNIX]
    return {"tried": len(family), "faults": abs(len(listening) - 1) + len(udp), "listening": len(listening)}


def tamper(place: Path) -> dict[str, Any]:
    """One byte changed in each file of the bundle: the server must refuse to start, in one line."""
    bundle = bundle_of(place)
    faults = []
    files = sorted(path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file())
    for name in files:
        copy = shutil.copytree(bundle, place / "changed", dirs_exist_ok=True)
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / name).write_bytes(bytes(content))
        done = refused(place, copy)
        if done.returncode != 2 or len(done.stderr.strip().splitlines()) != 1 or name.name not in done.stderr:
            faults.append([str(name), done.returncode, done.stderr[-200:]])
        shutil.rmtree(copy)
    return {"tried": len(files), "faults": len(faults), "which": faults[:5]}


if __name__ == "__main__":
    main()

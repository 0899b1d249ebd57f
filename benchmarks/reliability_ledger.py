"""The ledger under kills, power cuts and crowds: no acknowledged write is lost, and nobody is told "locked".

    python benchmarks/reliability_ledger.py --save reliability_ledger.json    # the full size, resumable
    python benchmarks/reliability_ledger.py --quick                           # a twentieth, as in `make test`
    python benchmarks/reliability_ledger.py --ledger postgresql+psycopg://…   # a server in place of SQLite files

Three demands:
    kills    200 writers are killed (SIGKILL) at random moments; of 20,000 writes that they acknowledged in a file
             of their own, all are there, and SQLite's integrity check is clean
    syncs    between two acknowledgements there is always an fsync (strace shows it; on a server its settings do)
    crowd    8 processes make 1,000 writes each while one reads; all are there, none failed

A write is what a study writes: in turn a note, a look at the test rows, a verdict.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

KILLS, KILLS_A_CELL, ACKNOWLEDGED = 200, 10, 20_000
WRITERS, WRITES = 8, 1_000
TWENTIETH = 20
TEST_ROWS = "b" * 64

WRITER = f'''
import os, sys
from provetune.ledger.records import Ledger
place, study, name, writes, acknowledgements = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
ledger = Ledger(place)
out = os.open(acknowledgements, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for number in range(writes):
    said = f"{{name}}:{{number}}"
    if number % 3 == 0:
        ledger.note("row", said, study_key=study)
    elif number % 3 == 1:
        ledger.record_look("{TEST_ROWS}", said, study_key=study, judged=said)
    else:
        verdict = {{"claim": said, "verdict": "supported", "look": int(name) + 1, "number": number}}
        ledger.record_verdicts(study, [verdict])
    os.write(out, f"{{said}}\\n".encode())
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ledger", help="URL of a PostgreSQL server's empty database")
    from harness import Cells, add_usual_arguments, machine

    add_usual_arguments(parser)
    arguments = parser.parse_args()
    share = TWENTIETH if arguments.quick else 1
    cells = Cells(arguments.save, {"share": share, "database": arguments.ledger or "sqlite"}, fresh=arguments.fresh)
    kills = [
        cells.measure(f"kills/{number}", lambda seed=number: _apart(kill_writers, arguments.ledger, seed=seed))
        for number in range(KILLS // KILLS_A_CELL // share)
    ]
    found = {
        "kills": {name: sum(cell[name] for cell in kills) for name in ("killed", "acknowledged", "lost", "damaged")},
        "syncs": cells.measure("syncs", lambda: _apart(trace_syncs, arguments.ledger, writes=600 // share)),
        "crowd": cells.measure("crowd", lambda: _apart(crowd, arguments.ledger, writes=WRITES // share)),
    }
    document: dict[str, Any] = {"machine": machine(), "figures": found, "failed": faults(found)}
    cells.keep(document)
    show(document, arguments.json)
    sys.exit(1 if document["failed"] else 0)


def kill_writers(place: Path, location: str, *, kills: int = KILLS_A_CELL, seed: int = 0) -> dict[str, int]:
    """Kill writers at random moments; count what they had acknowledged and what of it is gone.

    Args:
        place: an empty folder.
        location: URL of the ledger they write to.
        kills: writers, one after the other. A writer is killed after about a hundred writes.
        seed: of the moments.
    """
    study = register(location)
    draw = random.Random(seed)
    acknowledgements = place / "acknowledged"
    for number in range(kills):
        before = acknowledgements.stat().st_size if acknowledgements.exists() else 0
        writer = start_writer(location, study, number, 1_000_000, acknowledgements)
        # A line holds four to seven bytes: after a random number of writes, and at a random moment of the next.
        wait_for_size(acknowledgements, before + draw.randrange(1, 1_400), writer)
        time.sleep(draw.uniform(0, 0.01))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    said = acknowledgements.read_text().split()
    kept = stored(location)
    return {
        "killed": kills,
        "acknowledged": len(said),
        "lost": len(set(said) - set(kept)),
        # Each write once; at most one a writer was stored and not acknowledged any more.
        "damaged": int(len(kept) != len(set(kept)) or len(kept) - len(said) > kills) + damage(location),
    }


def crowd(place: Path, location: str, *, writers: int = WRITERS, writes: int = WRITES) -> dict[str, Any]:
    """Let processes write at the same time while this one reads; count what is missing and who failed."""
    study = register(location)
    from provetune.ledger.records import Ledger

    running = [start_writer(location, study, number, writes, place / f"{number}") for number in range(writers)]
    readings, begun = 0, time.perf_counter()
    with Ledger(location) as ledger:
        while any(writer.poll() is None for writer in running):
            seen = [look.number for look in ledger.looks(TEST_ROWS)]
            # Whoever reads in between sees whole transactions: numbers without a gap, none twice.
            if seen != list(range(1, len(seen) + 1)):
                raise SystemExit(f"A reader saw looks {seen[-5:]} out of their order.")
            readings += 1
            time.sleep(0.02)
        numbers = [look.number for look in ledger.looks(TEST_ROWS)]
    wanted = {f"{name}:{number}" for name in range(writers) for number in range(writes)}
    kept = stored(location)
    return {
        "writes": len(wanted),
        "lost": len(wanted - set(kept)),
        "doubled": len(kept) - len(set(kept)),
        "miscounted": int(numbers != list(range(1, len(numbers) + 1))),
        "failed": sum(writer.returncode != 0 for writer in running),
        "readings": readings,
        "seconds": round(time.perf_counter() - begun, 1),
        "damaged": damage(location),
    }


def trace_syncs(place: Path, location: str, *, writes: int = 30) -> dict[str, Any]:
    """Count acknowledgements that came without a sync since the one before.

    Of SQLite's by the writer's system calls; a server syncs in processes of its own, so its settings are asked.
    """
    study = register(location)
    if not location.startswith("sqlite"):
        return {"by": "settings", "writes": writes, "unsynced": int(not server_syncs(location))}
    if not may_trace():
        return {"by": "pragma", "writes": writes, "unsynced": int(synchronous(location) < 2)}
    trace = place / "trace"
    command = ["strace", "-f", "-e", "trace=fsync,fdatasync,write", "-y", "-o", str(trace)]
    out = place / "acknowledged"
    subprocess.run([*command, *writer_command(location, study, 0, writes, out)], check=True, stdin=subprocess.DEVNULL)
    calls = re.findall(r"^\d+\s+(fsync|fdatasync|write)\(\d+<([^>]*)>", trace.read_text(), flags=re.MULTILINE)
    unsynced, acknowledged, synced = 0, 0, False
    for name, path in calls:
        if name == "write" and path == str(out):
            acknowledged, unsynced, synced = acknowledged + 1, unsynced + int(not synced), False
        elif name != "write":
            synced = synced or ".sqlite" in path
    return {"by": "strace", "writes": writes, "unsynced": unsynced + abs(writes - acknowledged)}


def faults(found: dict[str, Any]) -> list[str]:
    """What is not as demanded."""
    said = [f"kills: {found['kills'][name]} {name}" for name in ("lost", "damaged") if found["kills"][name]]
    bad = ("lost", "doubled", "miscounted", "failed", "damaged")
    said += [f"crowd: {found['crowd'][name]} {name}" for name in bad if found["crowd"][name]]
    return said + (["syncs: acknowledged before synced"] if found["syncs"]["unsynced"] else [])


def register(location: str) -> int:
    """Make the ledger and a study in it; returns the study's key."""
    from provetune.ledger.entries import SplitEntry, StudyEntry
    from provetune.ledger.records import Ledger

    hashes = dict.fromkeys(("data_hash", "code_hash"), "0" * 64)
    entry = StudyEntry(
        study_id="crash",
        workspace="w",
        name="crash",
        task="classification",
        metric="accuracy",
        confidence=0.95,
        problem={},
        splits={"test": SplitEntry(10, TEST_ROWS)},
        claims=(),
        runs=(),
        test_hash=TEST_ROWS,
        code_version="0",
        packages={},
        machine={},
        **hashes,
    )
    with Ledger(location) as ledger:
        return ledger.register_study(entry).key


def start_writer(location: str, study: int, name: int, writes: int, out: Path) -> subprocess.Popen[bytes]:
    """A process that writes and appends a line to `out` after each write that was acknowledged."""
    return subprocess.Popen(writer_command(location, study, name, writes, out), stdin=subprocess.DEVNULL)


def writer_command(location: str, study: int, name: int, writes: int, out: Path) -> list[str]:
    return [sys.executable, "-c", WRITER, location, str(study), str(name), str(writes), str(out)]


def wait_for_size(path: Path, size: int, writer: subprocess.Popen[bytes]) -> None:
    """Wait until a file has grown to `size` bytes."""
    while not path.exists() or path.stat().st_size < size:
        if writer.poll() is not None:
            raise SystemExit(f"A writer ended by itself with {writer.returncode}.")
        time.sleep(0.001)


def stored(location: str) -> list[str]:
    """Every write that is in the ledger, as it was acknowledged."""
    from sqlalchemy import create_engine, text

    engine = create_engine(location)
    found: list[str] = []
    with engine.connect() as connection:
        for column, table in (("message", "notes"), ("purpose", "looks"), ("claim", "verdicts")):
            found += connection.execute(text(f"SELECT {column} FROM {table}")).scalars()
    engine.dispose()
    return found


def damage(location: str) -> int:
    """1 when SQLite's own check finds the file damaged; a server checks itself."""
    if not location.startswith("sqlite"):
        return 0
    connection = sqlite3.connect(location.removeprefix("sqlite:///"))
    try:
        return int(connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)])
    finally:
        connection.close()


def synchronous(location: str) -> int:
    """How hard the ledger's own connections sync: 2 is FULL."""
    from provetune.ledger.connection import open_engine

    engine = open_engine(location)
    with engine.connect() as connection:
        found = int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    engine.dispose()
    return found


def server_syncs(location: str) -> bool:
    """Whether a server acknowledges only what it has synced."""
    from provetune.ledger.connection import open_engine

    engine = open_engine(location)
    with engine.connect() as connection:
        fsync = connection.exec_driver_sql("SHOW fsync").scalar_one()
        commit = connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
    engine.dispose()
    return fsync == "on" and commit != "off"


def may_trace() -> bool:
    """Whether strace is here and allowed to trace."""
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    return done.returncode == 0


def _apart(measure: Any, server: str | None, **options: Any) -> dict[str, Any]:
    """Measure in a folder, and on a server in a schema, of its own."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        location = f"sqlite:///{place / 'ledger.sqlite'}" if server is None else _new_schema(server, place.name)
        found: dict[str, Any] = measure(place, location, **options)
        return found


def _new_schema(server: str, name: str) -> str:
    from sqlalchemy import create_engine, make_url, text

    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text(f'CREATE SCHEMA "{name.lower()}"'))
    engine.dispose()
    url = make_url(server).update_query_dict({"options": f"-csearch_path={name.lower()}"})
    return url.render_as_string(hide_password=False)


def show(document: dict[str, Any], as_json: bool) -> None:
    import json

    if as_json:
        print(json.dumps(document))
        return
    for name, figures in document["figures"].items():
        print(f"{name:<8}" + ", ".join(f"{key} {value}" for key, value in figures.items()))
    print("All as demanded." if not document["failed"] else "\n".join(document["failed"]))


if __name__ == "__main__":
    main()

"""Acknowledged writes survive SIGKILL, every acknowledgement follows a sync, and writers do not lose to each other.

`PROVETUNE_KILLS`, `PROVETUNE_WRITES` set the full size (200 kills; 1,000 writes a process).
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provetune.ledger.records import Ledger

KILLS = int(os.environ.get("PROVETUNE_KILLS", "8"))
WRITES = int(os.environ.get("PROVETUNE_WRITES", "40"))

WRITER = """
import sys
from provetune.ledger.records import Ledger
ledger = Ledger(sys.argv[1])
for number in range(int(sys.argv[3])):
    ledger.note("row", f"{sys.argv[2]}:{number}")
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def start_writer(path: Path, name: str, writes: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(writes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def stored(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in connection.execute("SELECT message FROM notes ORDER BY key")]
    finally:
        connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_no_acknowledged_write_is_lost_to_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    draw = random.Random(5)
    acknowledged: list[str] = []
    for kill in range(KILLS):
        writer = start_writer(path, str(kill), 1_000_000)
        assert writer.stdout is not None
        seen = [writer.stdout.readline().strip()]
        time.sleep(draw.uniform(0, 0.2))
        writer.send_signal(signal.SIGKILL)
        seen += [line.strip() for line in writer.stdout if line.endswith("\n")]
        writer.stdout.close()
        writer.wait()
        acknowledged += [f"{kill}:{number}" for number in seen]
    assert len(acknowledged) > KILLS
    kept = stored(path)
    assert len(kept) == len(set(kept))
    assert set(acknowledged) <= set(kept)
    # At most one write a kill was stored without its acknowledgement being read.
    assert len(kept) - len(acknowledged) <= KILLS


def test_eight_writers_and_a_reader_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    # Nobody made the file beforehand: creating and migrating it is part of the race.
    writers = [start_writer(path, str(number), WRITES) for number in range(8)]
    with Ledger(path) as ledger:
        while any(writer.poll() is None for writer in writers):
            ledger.looks("nothing")
            time.sleep(0.01)
    for writer in writers:
        output, _ = writer.communicate()
        assert writer.returncode == 0
        assert output.split() == [str(number) for number in range(WRITES)]
    kept = stored(path)
    assert sorted(kept) == sorted(f"{name}:{number}" for name in range(8) for number in range(WRITES))


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_every_acknowledgement_follows_a_sync(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-e", "trace=fsync,fdatasync,write", "-o", str(trace)]
    done = subprocess.run(
        [*command, sys.executable, "-c", WRITER, str(path), "one", "5"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0 and "ptrace" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr
    calls = re.findall(r"^\d+\s+(fsync|fdatasync|write)\((\d+)", trace.read_text(), flags=re.MULTILINE)
    acknowledgements = [number for number, call in enumerate(calls) if call == ("write", "1")]
    assert len(acknowledgements) == 5
    before = 0
    for place in acknowledgements:
        assert any(name != "write" for name, _ in calls[before:place])
        before = place

"""Draw docs/pictures/run.svg from a true run of the shipped sample: what a terminal shows, nothing retouched.

python docs/make_picture.py         # takes as long as the run; a study that has ended is shown at once
"""

from __future__ import annotations

import io
import os
import pty
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROBLEM = "examples/support_intents/problem.yaml"
COLUMNS = 100
LINES = (
    ["provetune", "run", PROBLEM, "--quiet"],
    ["provetune", "predict", PROBLEM, "i was charged twice for the same order", "--top-k", "3"],
)


def main() -> None:
    """Run the lines in a terminal of their own and draw what they wrote."""
    from rich.console import Console
    from rich.text import Text

    screen = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in LINES:
        words = [f'"{word}"' if " " in word else word for word in line]
        screen.print(f"[bold green]$[/] {' '.join(words)}", highlight=False)
        screen.print(Text.from_ansi(_run(line)))
    target = ROOT / "docs" / "pictures" / "run.svg"
    target.parent.mkdir(exist_ok=True)
    drawn = screen.export_svg(title="provetune", unique_id="provetune-run").replace(str(ROOT), "…")
    target.write_text(drawn, encoding="utf-8")
    sys.stdout.write(f"Wrote {target}\n")


def _run(line: list[str]) -> str:
    """What a command writes to a terminal of `COLUMNS` columns; its error stream is left out."""
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "provetune.cli.main", *line[1:]],
        cwd=ROOT,
        stdout=slave,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)},
    )
    os.close(slave)
    written = b""
    while piece := _read(master):
        written += piece
    os.close(master)
    if process.wait() != 0:
        raise SystemExit(f"{' '.join(line)} ended with {process.returncode}")
    return written.decode(errors="replace").replace("\r\n", "\n").strip("\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # Linux says so when the other end of a terminal is closed
        return b""


if __name__ == "__main__":
    main()

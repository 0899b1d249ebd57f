"""Ctrl-C on the command line: one line that says how to go on, code 130, and going on works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from provetune.cli.main import answer

PROBLEM = """\
name: cut
data: {train: rows.csv, columns: {text: text, label: label}}
candidates: {words: {method: tfidf}}
study: {seeds: 2, parallel: 1}
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to the whole console")
@pytest.mark.parametrize("moment", ["Preparing rows", "words-0: running"])
def test_ctrl_c_then_the_same_line_again(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"message {n} about {label},{label}\n" for n in range(40) for label in ("refund", "login"))
    Path("rows.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    Path("problem.yaml").write_text(PROBLEM, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "provetune.cli.main", "run", "problem.yaml"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if moment in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert err.strip().splitlines()[-1].endswith("To go on: provetune run problem.yaml")
    assert "Traceback" not in err
    assert answer(["run", "problem.yaml", "--quiet"]) == 0
    assert "Scores on the sealed test" in capsys.readouterr().out

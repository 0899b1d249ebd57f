"""The verb: exit codes, tables, JSON, and what others say of a forced bundle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import provetune as pt
from provetune.cli.main import answer
from provetune.compression.steps import STEPS

LOOSE = ["--tolerance", "0.9", "--threads", "1"]
FAST = ["--to", "drop_layers", "--set", "drop_layers.epochs=0"]


@pytest.mark.usefixtures("quick")
def test_json_and_exit_codes(parent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["compress", str(parent), *FAST, "--json", "--threads", "1"]) == 1
    refused = json.loads(capsys.readouterr().out)
    assert (refused["passed"], refused["bundle"]) == (False, str(parent))
    assert answer(["compress", str(parent), *FAST, "--json", *LOOSE]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"]
    assert found["tolerance"] == 0.9
    assert found["steps"][0]["costs"]["figures"]["memory_bytes"] == {"parent": 2**20, "derivative": 2**20}
    assert answer(["compress", str(parent), *FAST, "--json", *LOOSE, "--set", "drop_layers.kep=3"]) == 2


@pytest.mark.usefixtures("quick")
def test_tables(parent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["compress", str(parent), *FAST, "--out", str(parent.parent / "small"), *LOOSE]) == 0
    out = capsys.readouterr().out
    for words in ("18 calibration rows", "latency p95", "texts a second", "peak memory", "accuracy", "golden examples"):
        assert words in out
    assert (parent.parent / "small" / "model.safetensors").is_file()


@pytest.mark.usefixtures("quick")
def test_the_problem_file_says_the_tolerance(parent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = parent.parents[5] / "problem.yaml"
    problem.write_text(problem.read_text() + "compress: {tolerance: 0.8}\n")
    line = ["compress", str(parent), *FAST, "--problem", str(problem), "--threads", "1", "--json"]
    assert answer(line) == 0
    assert json.loads(capsys.readouterr().out)["tolerance"] == 0.8


@pytest.mark.usefixtures("quick")
def test_forced_is_shown_wherever_it_is_used(parent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["compress", str(parent), *FAST, "--force", "--threads", "1"]) == 0
    forced = str(parent.parent / "bundle-drop_layers")
    assert "forced: 'drop_layers'" in capsys.readouterr().out
    assert answer(["predict", forced, "my parcel"]) == 0
    assert "This bundle was forced ('drop_layers'): acceptance does not hold" in capsys.readouterr().err
    assert answer(["doctor", forced, "--offline", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["golden"]
    assert told["forced"][0]["step"] == "drop_layers"


def test_list_names_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["compress", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in (*STEPS.names(), "fastest", "merge_adapter"))
    assert answer(["compress", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [step["name"] for step in listed["steps"]] == STEPS.names()
    assert list(listed["others"]) == ["fastest", "merge_adapter"]


def test_a_line_without_a_bundle_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["compress"]) == 2
    assert "No bundle is named" in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_kill_is_gone_on_with_and_costs_are_measured(parent: Path) -> None:
    """kill -9 once the derivative is made; then the same call, its costs really measured."""
    script = (
        "import os, signal, sys\n"
        "import provetune as pt\n"
        "def dies(event):\n"
        "    if event.get('what') == 'judging it on the calibration half':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "pt.compress(sys.argv[1], 'drop_layers', settings=['drop_layers.epochs=0'], tolerance=0.9, threads=1,"
        " listener=dies)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(parent)], check=False, env=dict(os.environ))
    assert ended.returncode == -signal.SIGKILL
    assert not (parent.parent / "bundle-drop_layers").exists()
    told: list[str] = []
    found = pt.compress(
        parent,
        "drop_layers",
        settings=["drop_layers.epochs=0"],
        tolerance=0.9,
        threads=1,
        listener=lambda event: told.append(str(event.get("what"))),
    )
    assert found.passed
    figures = found.steps[0]["costs"]["figures"]
    assert set(figures) == {
        "size_bytes",
        "latency_p50_ms",
        "latency_p95_ms",
        "latency_p99_ms",
        "texts_a_second",
        "memory_bytes",
    }
    assert all(value > 0 for sides in figures.values() for value in sides.values())
    assert figures["size_bytes"]["derivative"] < figures["size_bytes"]["parent"]
    assert [path.name for path in parent.parent.iterdir() if path.name.startswith(".")] == []

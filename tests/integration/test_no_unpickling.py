"""Row 23: with an unpickler that raises, in every process that is started, every verb does its work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from served import real_server

from provetune.cli.main import verbs

REFUSING = """
import os
_place = os.environ.get("WATCHED_UNPICKLING")
if _place:
    import _pickle, pickle, traceback
    with open(_place, "a") as stream:
        stream.write("begins\\n")
    def _refuse(*_, **__):
        with open(_place, "a") as stream:
            stream.write("UNPICKLED\\n" + "".join(traceback.format_stack(limit=12)))
        raise RuntimeError("something was unpickled")
    class _Refusing(pickle._Unpickler):
        load = _refuse
    for _module in (pickle, _pickle):
        _module.load = _module.loads = _refuse
        _module.Unpickler = _Refusing
"""
LINES = """
import glob, json, sys
from provetune.cli.main import answer
for line in json.loads(sys.argv[1]):
    line = [sorted(glob.glob(word) or [word])[0] if "*" in word else word for word in line]
    print("$", *line, flush=True)
    code = answer(line)
    print("=", code, flush=True)
"""
WORKING = ("init", "check", "plan", "run", "verdict", "report", "ledger", "next", "clean", "doctor", "predict")
ELSEWHERE = {"serve"}
"""Verbs that do not end by themselves."""


def lines_of(problem: str, bundle: str) -> list[list[str]]:
    """Every verb, in an order in which each finds what it needs."""
    return [
        ["init", "messages.csv", "--output", "drafted.yaml"],
        ["check", problem],
        ["plan", problem],
        ["run", problem, "--quiet"],
        ["verdict", "ours=outcomes.csv", "--claim", "ours >= 0.1"],
        ["report", problem],
        ["ledger", problem],
        ["next", problem],
        ["compare", ".provetune/studies/*", ".provetune/studies/*"],
        ["clean", problem],
        ["doctor", bundle],
        ["predict", bundle, "where is my parcel?"],
        ["compress", bundle, "--to", "int8"],
        ["lr", problem],
        ["pretrain", "texts.txt", "--name", "own", "--epochs", "1"],
        ["methods"],
        ["models", "list"],
        ["schema"],
        ["keys", "create", "--name", "shop"],
        ["keys", "list"],
        ["keys", "revoke", "000000000000"],
    ]


@pytest.mark.slow
@pytest.mark.real_workers
@pytest.mark.timeout(900)
def test_no_verb_unpickles_anything(tmp_path: Path, tiny_cache: Path, write_problem: Callable[..., Path]) -> None:
    problem = write_problem(
        tmp_path,
        candidates={"words": {"method": "tfidf"}, "full": {"method": "full", "epochs": 1}},
        claims=["full >= 0.0"],
        study={"seeds": 1, "parallel": 1, "keep": "all"},
    )
    (tmp_path / "texts.txt").write_text("".join(f"the card {k} was charged\n" for k in range(60)))
    rows = [f"{seed},{row},a,{'b' if row % 5 == seed else 'a'}" for seed in range(3) for row in range(20)]
    (tmp_path / "outcomes.csv").write_text("\n".join(["seed,row,label,prediction", *rows]) + "\n")
    folder = tmp_path / "watching"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(REFUSING)
    told = tmp_path / "told"
    env = {"PYTHONPATH": str(folder), "WATCHED_UNPICKLING": str(told), "PROVETUNE_CACHE": str(tiny_cache)}
    # That it does raise: a process of its own, which must fail.
    control = [sys.executable, "-c", "import pickle; pickle.loads(pickle.dumps(1))"]
    assert subprocess.run(control, env={**os.environ, **env}, capture_output=True, check=False).returncode == 1
    assert "UNPICKLED" in told.read_text()
    told.unlink()

    lines = lines_of(str(problem), str(problem))
    assert {line[0] for line in lines} | ELSEWHERE == set(verbs())
    done = subprocess.run(
        [sys.executable, "-c", LINES, json.dumps(lines)],
        env={**os.environ, **env},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = told.read_text()
    assert "UNPICKLED" not in said, said[:3000]
    assert said.count("begins") > 1, done.stdout + done.stderr  # the trials' processes were watched too
    codes = dict(zip([line[0] for line in lines], [x for x in done.stdout.splitlines() if x[:2] == "= "], strict=True))
    assert not [verb for verb in WORKING if codes[verb] != "= 0"], done.stdout + done.stderr
    assert "= 3" not in codes.values(), done.stdout + done.stderr  # no verb fell over the unpickler that raises

    bundle = next(tmp_path.glob(".provetune/studies/*/trials/full-0/bundle"))
    with real_server(tmp_path / "server", str(bundle), env=env) as server:
        assert server.predict("where is my parcel?").status_code == 200
    assert "UNPICKLED" not in told.read_text()

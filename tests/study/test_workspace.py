"""One workspace, one run at a time, and a word about who has it."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from provetune.core.errors import CorruptError, EnvironmentFault, UsageError
from provetune.core.locks import Holder, exclusive, holder_of
from provetune.study.workspace import open_workspace

HOLDER = """
import sys, time
from pathlib import Path
from provetune.study.workspace import open_workspace
with open_workspace(Path(sys.argv[1])).lock("run"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_it_lies_beside_the_problem_and_keeps_its_identity_when_moved(tmp_path: Path) -> None:
    problem = tmp_path / "here" / "problem.yaml"
    problem.parent.mkdir()
    made = open_workspace(problem)
    assert made.root == tmp_path / "here" / ".provetune"
    assert made.ledger_url == f"sqlite:///{made.root}/ledger.sqlite"
    assert made.trial_folder("s-1", "full", 3) == made.root / "studies/s-1/trials/full-3"
    assert (made.root / ".gitignore").read_text() == "*\n"
    problem.parent.rename(tmp_path / "there")
    moved = open_workspace(tmp_path / "there")
    assert moved.identity == made.identity
    assert moved.root == tmp_path / "there" / ".provetune"


def test_another_place_and_another_ledger(tmp_path: Path) -> None:
    made = open_workspace("problem.yaml", tmp_path / "w", ledger="postgresql+psycopg://host/db")
    assert (made.root, made.ledger_url) == (tmp_path / "w", "postgresql+psycopg://host/db")


def test_reading_does_not_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Nothing was run here yet"):
        open_workspace(tmp_path / "problem.yaml", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_its_place_and_a_broken_identity_are_named(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("")
    with pytest.raises(UsageError, match="This is a file"):
        open_workspace("p", tmp_path / "w")
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "workspace.json").write_text("{")
    with pytest.raises(CorruptError, match="identity cannot be read"):
        open_workspace("p", tmp_path / "v")


def test_a_read_only_place_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(EnvironmentFault, match=r"cannot be written\. Choose another with --workspace"):
        open_workspace(tmp_path / "problem.yaml")


def test_studies_are_listed_newest_first_and_found_by_id(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    assert workspace.study_ids() == []
    for age, name in enumerate(("c-3", "b-2", "a-1")):
        workspace.study_folder(name).mkdir(parents=True)
        os.utime(workspace.study_folder(name), (1_000_000 - age, 1_000_000 - age))
    assert workspace.study_ids() == ["c-3", "b-2", "a-1"]
    assert workspace.find_study("b-2") == workspace.study_folder("b-2")
    with pytest.raises(UsageError, match=r"There is no study 'bb-2'\. Did you mean 'b-2'\?"):
        workspace.find_study("bb-2")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_second_process_is_told_who_holds_it_and_a_kill_frees_it(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    first = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    told = rf"in use by 'run', process {first.pid} on {socket.gethostname()}, since 20\d\d-"
    with pytest.raises(EnvironmentFault, match=told), workspace.lock(wait_s=0):
        pass
    waited: list[Holder | None] = []
    killer = threading.Timer(0.3, first.kill)
    killer.start()
    with workspace.lock("run", wait_s=30, on_wait=waited.append):
        assert holder_of(workspace.root / "lock") is not None
    killer.join()
    first.stdout.close()
    first.wait()
    assert [holder.pid for holder in waited if holder] == [first.pid]
    assert holder_of(workspace.root / "lock") is None


def test_threads_of_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with exclusive(tmp_path / "lock", what="count"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.01)
            inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]

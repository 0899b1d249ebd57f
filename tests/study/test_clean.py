"""Only what can be made again is freed, and only when asked to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock
from finished_study import GOLD, make_study

from provetune.core.errors import EnvironmentFault
from provetune.core.files import read_json
from provetune.core.locks import exclusive
from provetune.models import own
from provetune.study.clean import clean, survey
from provetune.study.report import report_document
from provetune.study.workspace import Workspace, open_workspace

SAID = {"words": [list(GOLD)], "full": [list(GOLD), list(GOLD)]}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = open_workspace(tmp_path)
    make_study(made.study_folder("done-1"), SAID)
    make_study(made.study_folder("going-2"), SAID, finished=False)
    (made.cache).mkdir()
    (made.cache / "features.arrow").write_bytes(b"x" * 5000)
    for place in ("done-1/trials/full-0", "going-2/trials/full-1"):
        checkpoint = made.studies / place / "checkpoint"
        checkpoint.mkdir()
        (checkpoint / "state").write_bytes(b"x" * 300)
    (made.studies / "going-2/trials/full-1/result.json").unlink()
    (made.studies / "done-1/trials/full-1/.bundle.abc.part").write_bytes(b"x" * 70)
    return made


def removable(found: dict[str, object]) -> dict[str, int]:
    items = found["items"]
    assert isinstance(items, list)
    return {
        Path(item["path"]).relative_to(str(found["workspace"])).as_posix(): item["bytes"]
        for item in items
        if item["removable"]
    }


EXPECTED = {
    "cache": 5000,
    "studies/done-1/trials/full-0/checkpoint": 300,
    "studies/done-1/trials/full-1/bundle": 1000,
    "studies/done-1/trials/words-0/bundle": 1000,
    "studies/done-1/trials/full-1/.bundle.abc.part": 70,
}


def test_what_can_go_is_what_can_be_made_again(workspace: Workspace) -> None:
    found = survey(workspace)
    assert removable(found) == EXPECTED
    assert found["removable_bytes"] == sum(EXPECTED.values())
    sizes = [item["bytes"] for item in found["items"]]
    assert sizes == sorted(sizes, reverse=True)
    studies = workspace.studies
    everything = sum(path.stat().st_size for path in studies.rglob("*") if path.is_file())
    assert found["bytes"] == everything + 5000


def test_nothing_is_freed_without_asking(workspace: Workspace) -> None:
    before = {path: path.stat().st_size for path in workspace.root.rglob("*") if path.is_file()}
    found = clean(workspace)
    assert (found["applied"], found["freed_bytes"]) == (False, 0)
    assert {path: path.stat().st_size for path in workspace.root.rglob("*") if path.is_file()} == before


def test_freeing_keeps_the_evidence_and_the_best_bundle(workspace: Workspace) -> None:
    done = workspace.study_folder("done-1")
    before = report_document(done)
    found = clean(workspace, apply=True)
    assert found["freed_bytes"] == sum(EXPECTED.values())
    assert not any((workspace.root / path).exists() for path in EXPECTED)
    assert (done / "trials/full-0/bundle/weights").exists()
    assert (workspace.studies / "going-2/trials/full-1/checkpoint/state").exists()
    assert (workspace.studies / "going-2/trials/words-0/bundle/weights").exists()
    document = read_json(done / "study.json")
    assert document["candidates"]["full"]["bundles"] == ["trials/full-0/bundle"]
    assert document["candidates"]["words"]["bundles"] == []
    after = report_document(done)
    assert after["candidates"]["words"]["metrics"] == before["candidates"]["words"]["metrics"]
    assert removable(survey(workspace)) == {}


def test_cleaning_does_not_change_which_study_is_the_latest(workspace: Workspace) -> None:
    newest = make_study(workspace.study_folder("done-0"), SAID)
    for age, name in enumerate(("done-0", "going-2", "done-1")):
        os.utime(workspace.study_folder(name), (1_000_000 - age, 1_000_000 - age))
    assert workspace.study_ids() == ["done-0", "going-2", "done-1"]
    assert clean(workspace, apply=True)["freed_bytes"] > 0
    assert workspace.study_ids() == ["done-0", "going-2", "done-1"]
    assert newest == workspace.study_folder(workspace.study_ids()[0])


def test_what_an_interrupted_cleaning_or_replacing_left_is_freed(workspace: Workspace) -> None:
    for name in (".bundle.1a2b3c4d.retired", ".bundle.retired-0"):
        left = workspace.studies / "done-1/trials/full-0" / name
        left.mkdir()
        (left / "weights").write_bytes(b"x" * 10)
    assert clean(workspace, apply=True)["freed_bytes"] == sum(EXPECTED.values()) + 20
    assert not list(workspace.root.rglob("*.retired*"))


def test_a_workspace_in_use_is_left_alone(workspace: Workspace) -> None:
    with workspace.lock("run"), pytest.raises(EnvironmentFault, match="in use by 'run'"):
        clean(workspace, apply=True)
    assert workspace.cache.exists()


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pretraining that was begun and is not done, in the user's cache."""
    monkeypatch.setenv("PROVETUNE_CACHE", str(tmp_path / "cache"))
    work = own.work_folder("field-mlm", "0123456789abcdef")
    (work / "checkpoint").mkdir(parents=True)
    (work / "checkpoint" / "state").write_bytes(b"x" * 400)
    return work


def test_unfinished_pretraining_is_shown_and_goes_when_it_is_named(workspace: Workspace, begun: Path) -> None:
    shown = next(item for item in survey(workspace)["items"] if item["kind"] == "pretraining")
    assert (shown["path"], shown["bytes"], shown["removable"]) == (str(begun), 400, False)
    assert "'field-mlm'" in shown["why"]
    assert "--pretraining" in shown["why"]
    assert clean(workspace, apply=True)["freed_bytes"] == sum(EXPECTED.values())
    assert begun.exists()
    found = clean(workspace, apply=True, pretraining=True)
    assert found["freed_bytes"] == 400
    assert not begun.exists()


def test_pretraining_that_is_going_on_stays(workspace: Workspace, begun: Path) -> None:
    lock = own.lock_file("field-mlm")
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        clean(workspace, apply=True, pretraining=True)
    assert (begun / "checkpoint" / "state").exists()


def test_what_compress_made_stays_and_what_it_began_can_go(workspace: Workspace) -> None:
    place = workspace.study_folder("done-1") / "trials/full-0"
    for name in ("bundle-int8", ".bundle-onnx.compress", ".bundle-fp16.compress"):
        (place / name).mkdir()
        (place / name / "weights").write_bytes(b"x" * 40)
    with exclusive(place / ".bundle-fp16.compress.lock", what="compress to bundle-fp16"):
        kinds = {Path(item["path"]).name: (item["kind"], item["removable"]) for item in survey(workspace)["items"]}
        assert kinds["bundle-int8"] == ("derivative", False)
        assert kinds[".bundle-onnx.compress"] == ("compression", True)
        assert kinds[".bundle-fp16.compress"] == ("compression", False)
        clean(workspace, apply=True)
    assert (place / "bundle-int8/weights").exists()
    assert not (place / ".bundle-onnx.compress").exists()
    assert (place / ".bundle-fp16.compress/weights").exists()

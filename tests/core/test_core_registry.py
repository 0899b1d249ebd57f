"""A folder is a registry: listing imports nothing, asking imports one, unknown names are helped."""

import sys
from importlib.metadata import EntryPoint

import pytest

from provetune.core import registry
from provetune.core.errors import UsageError
from provetune.core.registry import Registry


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A package `shapes_room` with two plug-ins, a private file and one that cannot be imported."""
    package = tmp_path / "shapes_room"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "circle.py").write_text("SHAPE = 'round'\n")
    (package / "broken.py").write_text("raise RuntimeError('imported')\n")
    (package / "_lengths.py").write_text("")
    (package / "square").mkdir()
    (package / "square" / "__init__.py").write_text("SHAPE = 'four corners'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Registry("shapes_room", "SHAPE", "shape")
    for name in [name for name in sys.modules if name.startswith("shapes_room")]:
        del sys.modules[name]


def test_names_are_the_public_files_and_folders_and_none_is_imported(folder):
    assert folder.names() == ["broken", "circle", "square"]
    assert "shapes_room.circle" not in sys.modules
    assert "circle" in folder
    assert "_lengths" not in folder
    assert 5 not in folder


def test_asking_for_one_imports_that_one(folder):
    assert folder.get("circle") == "round"
    assert "shapes_room.square" not in sys.modules
    assert folder.get("square") == "four corners"


def test_an_unknown_name_gets_the_nearest(folder):
    with pytest.raises(UsageError) as caught:
        folder.get("cirkle")

    assert str(caught.value) == "There is no shape 'cirkle'. Did you mean 'circle'? Known: broken, circle, square."


@pytest.mark.parametrize("name", ["_lengths", "../circle", "circle.SHAPE", ""])
def test_what_is_no_public_name_is_unknown(folder, name):
    with pytest.raises(UsageError, match="There is no shape"):
        folder.get(name)


def test_other_distributions_add_theirs_and_own_names_win(folder, monkeypatch):
    points = [
        EntryPoint("star", "shapes_room.square:SHAPE", "shapes_room"),
        EntryPoint("circle", "no.such.module:SHAPE", "shapes_room"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda *, group: points if group == "shapes_room" else [])

    assert folder.names() == ["broken", "circle", "square", "star"]
    assert folder.get("star") == "four corners"
    assert folder.get("circle") == "round"


def test_a_folder_that_is_not_there_has_no_plug_ins():
    assert Registry("no_such_room", "SHAPE", "shape").names() == []

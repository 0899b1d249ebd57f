"""Files are whole or absent: whatever fails on the way, the target is as it was and nothing lies beside it."""

import errno
import hashlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import save_file

from provetune.core import files
from provetune.core.errors import EnvironmentFault
from provetune.core.exchange import exchange
from provetune.core.files import atomic_path, read_json, sha256_file, write_bytes, write_json, write_text


def listing(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_text_and_bytes_are_written_in_new_folders(tmp_path):
    write_text(tmp_path / "a" / "b" / "note.txt", "价格\n")
    write_bytes(tmp_path / "a" / "raw", b"\x00\xff")

    assert (tmp_path / "a" / "b" / "note.txt").read_bytes() == "价格\n".encode()
    assert (tmp_path / "a" / "raw").read_bytes() == b"\x00\xff"
    assert listing(tmp_path / "a" / "b") == ["note.txt"]


def test_json_is_readable_and_ends_with_a_line_break(tmp_path):
    write_json(tmp_path / "d.json", {"名": [1, None]})

    assert (tmp_path / "d.json").read_text(encoding="utf-8") == '{\n  "名": [\n    1,\n    null\n  ]\n}\n'


def test_json_refuses_what_is_not_json_and_keeps_the_old_file(tmp_path):
    write_json(tmp_path / "d.json", 1)
    with pytest.raises(ValueError):
        write_json(tmp_path / "d.json", {"loss": float("nan")})

    assert read_json(tmp_path / "d.json") == 1
    assert listing(tmp_path) == ["d.json"]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=10))
def test_json_reads_back_as_it_was_written(tmp_path_factory, document):
    target = tmp_path_factory.mktemp("json") / "d.json"
    write_json(target, document)

    assert read_json(target) == document


def test_sha256_is_that_of_hashlib_over_several_pieces(tmp_path):
    content = bytes(range(256)) * 8192 + b"end"
    (tmp_path / "big").write_bytes(content)

    assert sha256_file(tmp_path / "big") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_file(tmp_path, failure):
    target = tmp_path / "kept"
    target.write_text("old")

    def write_half():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise failure

    with pytest.raises(failure):
        write_half()

    assert target.read_text() == "old"
    assert listing(tmp_path) == ["kept"]


def test_the_target_is_untouched_until_the_block_ends(tmp_path):
    target = tmp_path / "kept"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
        assert temporary.parent == tmp_path

    assert target.read_text() == "new"


def make_folder(folder: Path, **contents: str) -> None:
    folder.mkdir()
    for name, text in contents.items():
        (folder / name).write_text(text)


def test_a_folder_replaces_a_folder_whole(tmp_path):
    make_folder(tmp_path / "bundle", old="1", both="1")
    with atomic_path(tmp_path / "bundle") as temporary:
        make_folder(temporary, new="2", both="2")

    assert listing(tmp_path / "bundle") == ["both", "new"]
    assert (tmp_path / "bundle" / "both").read_text() == "2"
    assert listing(tmp_path) == ["bundle"]


def test_a_folder_block_that_fails_leaves_the_old_folder(tmp_path):
    make_folder(tmp_path / "bundle", old="1")

    def write_half():
        with atomic_path(tmp_path / "bundle") as temporary:
            make_folder(temporary, new="2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()

    assert listing(tmp_path / "bundle") == ["old"]
    assert listing(tmp_path) == ["bundle"]


def test_a_folder_is_replaced_where_the_system_cannot_swap(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "exchange", lambda first, second: False)
    make_folder(tmp_path / "bundle", old="1")
    with atomic_path(tmp_path / "bundle") as temporary:
        make_folder(temporary, new="2")

    assert listing(tmp_path / "bundle") == ["new"]
    assert listing(tmp_path) == ["bundle"]


def test_the_old_folder_comes_back_when_the_rename_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "exchange", lambda first, second: False)
    make_folder(tmp_path / "bundle", old="1")
    rename = Path.rename

    def failing(self, target):
        if self.name.endswith(".part"):
            raise OSError(errno.ENOSPC, "full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(EnvironmentFault, match="No space"), atomic_path(tmp_path / "bundle") as temporary:
        make_folder(temporary, new="2")

    assert listing(tmp_path / "bundle") == ["old"]
    assert listing(tmp_path) == ["bundle"]


def test_swapping_leaves_no_moment_without_a_folder(tmp_path):
    make_folder(tmp_path / "a", one="1")
    make_folder(tmp_path / "b", two="2")
    if not exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this system cannot swap two folders")

    assert listing(tmp_path / "a") == ["two"]
    assert listing(tmp_path / "b") == ["one"]


def test_swapping_with_what_is_not_there_is_an_error(tmp_path):
    make_folder(tmp_path / "a", one="1")
    if not exchange(tmp_path / "a", tmp_path / "a"):
        pytest.skip("this system cannot swap two folders")
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_clear_line_and_leaves_the_old_file(tmp_path, monkeypatch, code):
    target = tmp_path / "weights"
    target.write_text("old")

    def full(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault) as caught:
        write_text(target, "new")

    assert str(caught.value) == f"{target}: No space is left on the disk. Free some space and run it again."
    assert target.read_text() == "old"
    assert listing(tmp_path) == ["weights"]


def test_a_really_full_disk(tmp_path):
    """Linux's /dev/full refuses every byte the way a full disk does."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")

    def write_to_it():
        with atomic_path(tmp_path / "x") as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_text("something")

    with pytest.raises(EnvironmentFault, match="No space"):
        write_to_it()

    assert listing(tmp_path) == []


def test_a_full_disk_as_safetensors_words_it(tmp_path):
    """Libraries written in Rust raise errors of their own, with the system's number in the text."""
    resource = pytest.importorskip("resource")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(SafetensorError) as caught:
            save_file({"x": np.zeros(100_000)}, str(tmp_path / "x"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    worded = str(caught.value)
    assert f"(os error {errno.EFBIG})" in worded
    full = type(caught.value)(worded.replace(str(errno.EFBIG), str(errno.ENOSPC)))

    def write():
        with atomic_path(tmp_path / "y") as temporary:
            temporary.mkdir()
            raise full

    with pytest.raises(EnvironmentFault, match="No space is left on the disk"):
        write()
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path, monkeypatch, code):
    def refuse(**_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.tempfile, "mkstemp", refuse)
    with pytest.raises(EnvironmentFault, match=r"cannot be written\. Choose another with --workspace or --output"):
        write_text(tmp_path / "x", "y")

    assert listing(tmp_path) == []


def test_a_read_only_folder(tmp_path):
    place = tmp_path / "sealed"
    place.mkdir(mode=0o500)
    if os.access(place, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_text(place / "x", "y")


def test_other_errors_of_the_system_stay_what_they_are(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((NotADirectoryError, FileExistsError)):
        write_text(tmp_path / "file" / "below", "x")

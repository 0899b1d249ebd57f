"""Hostile archives are refused before anything is written; plain ones come out byte for byte."""

from __future__ import annotations

import itertools
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.core.errors import CorruptError
from provetune.models.unpacking import extract_folder, join_parts

LIMIT = 1 << 20


def named(*names: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model/good.json", b"{}")
            for name in names:
                member = zipfile.ZipInfo("model/stand-in")
                member.filename = name
                archive.writestr(member, b"bad")

    return make


def moded(mode: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        member = zipfile.ZipInfo("model/link")
        member.external_attr = mode << 16
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model/good.json", b"{}")
            archive.writestr(member, b"/etc/passwd")

    return make


def bomb(size: int, count: int = 1) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(count):
                archive.writestr(f"model/{number}.json", b"\0" * size)

    return make


def lying(path: Path) -> None:
    """A member that claims ten bytes and holds two million."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/a.json", b"\0" * (2 * LIMIT))
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    struct.pack_into("<L", content, start + 24, 10)
    path.write_bytes(bytes(content))


def encrypted(path: Path) -> None:
    named()(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, content.index(b"PK\x01\x02") + 8, 1)
    path.write_bytes(bytes(content))


def overlapping(path: Path) -> None:
    """Two directory entries that share one member's bytes: the trick of the nested bomb."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/a.json", b"x" * 1000)
        archive.writestr("model/b.json", b"y" * 10)
    content = bytearray(path.read_bytes())
    second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4)
    struct.pack_into("<L", content, second + 42, 20)
    path.write_bytes(bytes(content))


def flipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/a.json", b"x" * 1000)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"x" * 1000, b"x" * 999 + b"y"))


def cut_short(path: Path) -> None:
    named()(path)
    path.write_bytes(path.read_bytes()[:-30])


HOSTILE = {
    **{
        f"name {name!r}": named(name)
        for name in (
            *("../evil.json", "model/../../evil.json", "model/..", "..", "a/b/../../../evil", "../../../../etc/passwd"),
            *("model/../model/../../evil", "./../evil", "model/./../../evil", "../", "model/a/../../.."),
            *("/etc/passwd", "//server/share/evil", "/", "/model/evil.json", "///evil", "/../evil"),
            *("C:/evil.json", "c:evil.json", "C:\\evil.json", "model/file.json:stream", "\\\\server\\share\\evil"),
            *("..\\evil.json", "model\\..\\..\\evil.json", "\\evil.json", "model/a\\..\\..\\b"),
            *("model/line\nbreak.json", "model/bell\x07.json", "model/\x1bescape.json"),
        )
    },
    "nul": named("model/good.json\0.py"),
    "same name twice": named("model/twice.json", "model/twice.json"),
    "same name but for case": named("model/GOOD.json"),
    "symbolic link": moded(stat.S_IFLNK | 0o777),
    "character device": moded(stat.S_IFCHR | 0o600),
    "block device": moded(stat.S_IFBLK | 0o600),
    "pipe": moded(stat.S_IFIFO | 0o600),
    "socket": moded(stat.S_IFSOCK | 0o600),
    "one large member": bomb(8 * LIMIT),
    "many members": bomb(LIMIT // 4, 8),
    "lying about its size": lying,
    "encrypted": encrypted,
    "overlapping": overlapping,
    "damaged": flipped,
    "cut short": cut_short,
    "not an archive": lambda path: path.write_bytes(b"hello") and None,
    "empty file": lambda path: path.write_bytes(b"") and None,
    "no such folder": lambda path: zipfile.ZipFile(path, "w").close(),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archive_is_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    archive = tmp_path / "hostile.whl"
    make(archive)
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    with pytest.raises(CorruptError, match=r"hostile\.whl"):
        extract_folder(archive, "model", target, most_bytes=LIMIT)
    assert {path.name for path in tmp_path.iterdir()} == {"hostile.whl", "deep"}
    assert sum(path.stat().st_size for path in target.rglob("*")) <= LIMIT


def test_there_are_at_least_forty_hostile_archives() -> None:
    assert len(HOSTILE) >= 40


def test_only_the_named_folder_without_code_and_hidden_files(tmp_path: Path) -> None:
    archive = tmp_path / "good.whl"
    files = {
        "pkg/model/config.json": b"{}",
        "pkg/model/sub/vocab.txt": b"a\nb\n",
        "pkg/model/.gitattributes": b"x",
        "pkg/model/desktop.ini": b"x",
        "pkg/model/run.py": b"print()",
        "pkg/__init__.py": b"",
        "pkg/model2/other.json": b"{}",
    }
    with zipfile.ZipFile(archive, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    target = tmp_path / "target"
    target.mkdir()
    written = extract_folder(archive, "pkg/model/", target, most_bytes=LIMIT)
    assert sorted(path.relative_to(target).as_posix() for path in written) == ["config.json", "sub/vocab.txt"]
    assert (target / "sub/vocab.txt").read_bytes() == b"a\nb\n"


@settings(max_examples=25, deadline=None)
@given(content=st.binary(min_size=0, max_size=5000), cuts=st.lists(st.integers(0, 5000), min_size=0, max_size=4))
def test_joined_parts_are_the_whole(content: bytes, cuts: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("parts")
    bounds = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    archives = []
    for number, (start, end) in enumerate(itertools.pairwise(bounds), start=1):
        archive = folder / f"part{number}.whl"
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr(f"pkg/input/x.zip.{number:03d}", content[start:end])
            opened.writestr("pkg/__init__.py", b"")
        archives.append(archive)
    assert join_parts(archives, folder / "whole", most_bytes=LIMIT).read_bytes() == content


def test_parts_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    archives = []
    for number in (2, 1):
        archive = tmp_path / f"part{number}.whl"
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr(f"pkg/input/x.zip.{number:03d}", b"x")
        archives.append(archive)
    with pytest.raises(CorruptError, match=r"must hold one member '\*\.zip\.001'. It has 0"):
        join_parts(archives, tmp_path / "whole", most_bytes=LIMIT)

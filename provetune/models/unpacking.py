"""Opening archives that came from elsewhere: only plain files, only inside the target, never more than expected.

Refused before anything is written: absolute names, ``..``, drive letters, backslashes, links, devices, encrypted
members, names that occur twice or differ only in case, members that overlap (the classic nested bomb), and archives
that would unpack to more than was asked for.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from provetune.core.errors import CorruptError

_CHUNK = 1 << 20
_HIDDEN_JUNK = ("desktop.ini", "thumbs.db")
_CODE = (".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".sh", ".bat", ".exe")


def extract_folder(archive: Path, inside: str, target: Path, *, most_bytes: int) -> list[Path]:
    """Unpack the files under the folder `inside` of a zip archive into `target`; returns what was written.

    Hidden files and code are left in the archive.

    Args:
        archive: the zip file (a wheel is one).
        inside: folder in the archive, with forward slashes; ``""`` for all of it.
        target: an existing folder.
        most_bytes: bytes the whole archive may unpack to.

    Raises:
        CorruptError: the archive is hostile, damaged, or has no such folder.
    """
    with _opened(archive) as opened:
        members = check_members(opened, archive, most_bytes=most_bytes)
        prefix = f"{inside.strip('/')}/" if inside.strip("/") else ""
        wanted = [member for member in members if member.filename.startswith(prefix) and not member.is_dir()]
        wanted = [member for member in wanted if not _is_junk(PurePosixPath(member.filename))]
        if not wanted:
            raise CorruptError(f"The archive has no files under '{inside}'.", where=str(archive))
        return [_extract(opened, member, target / member.filename.removeprefix(prefix)) for member in wanted]


def join_parts(archives: Sequence[Path], target: Path, *, most_bytes: int) -> Path:
    """Join the one ``*.zip.NNN`` member of each archive, in order, into the zip file `target`.

    Raises:
        CorruptError: an archive is hostile or damaged, or does not hold exactly the part that is due.
    """
    with target.open("wb") as joined:
        for number, archive in enumerate(archives, start=1):
            with _opened(archive) as opened:
                members = check_members(opened, archive, most_bytes=most_bytes)
                parts = [member for member in members if member.filename.endswith(f".zip.{number:03d}")]
                if len(parts) != 1:
                    raise CorruptError(
                        f"The archive must hold one member '*.zip.{number:03d}'. It has {len(parts)}.",
                        where=str(archive),
                    )
                for piece in _pieces(opened, parts[0]):
                    joined.write(piece)
    return target


def check_members(opened: zipfile.ZipFile, archive: Path, *, most_bytes: int) -> list[zipfile.ZipInfo]:
    """All members of a zip archive, once every one of them was found harmless.

    Raises:
        CorruptError: names the member and what is wrong with it.
    """
    members = opened.infolist()
    seen: set[str] = set()
    for member in members:
        fault = _member_fault(member) or ("occurs twice" if member.filename.casefold() in seen else None)
        if fault:
            raise CorruptError(
                f"The archive is not safe to unpack: member {member.filename!r} {fault}.", where=str(archive)
            )
        seen.add(member.filename.casefold())
    unpacked = sum(member.file_size for member in members)
    if unpacked > most_bytes:
        raise CorruptError(
            f"The archive would unpack to {unpacked:,} bytes; at most {most_bytes:,} were expected.", where=str(archive)
        )
    _check_overlap(members, archive)
    return members


def _member_fault(member: zipfile.ZipInfo) -> str | None:
    # `orig_filename` is what the archive says; zipfile has already cut `filename` at a NUL and turned separators.
    name = member.orig_filename
    path = PurePosixPath(name)
    if not name or "\0" in name or any(ord(character) < 32 for character in name):
        return "has a name with control characters"
    if "\\" in name or ":" in name:
        return "has a name that is a path elsewhere on some systems"
    if path.is_absolute() or name.startswith("//"):
        return "has an absolute path"
    if ".." in path.parts:
        return "climbs out of its folder"
    mode = member.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if member.flag_bits & 0x1:
        return "is encrypted"
    return None


def _check_overlap(members: Iterable[zipfile.ZipInfo], archive: Path) -> None:
    end = 0
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset < end:
            raise CorruptError(
                f"The archive is not safe to unpack: member {member.filename!r} overlaps another.", where=str(archive)
            )
        end = member.header_offset + member.compress_size


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, EOFError) as error:
        raise CorruptError(f"This is not a whole zip archive ({error}).", where=str(archive)) from error


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as stream:
        for piece in _pieces(opened, member):
            stream.write(piece)
    return target


def _pieces(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterable[bytes]:
    # The declared size was counted against the limit, so no more than that is ever taken out.
    left = member.file_size
    try:
        with opened.open(member) as stream:
            while piece := stream.read(min(_CHUNK, left + 1)):
                left -= len(piece)
                if left < 0:
                    raise CorruptError(
                        f"Member {member.filename!r} is longer than the archive says.", where=str(opened.filename)
                    )
                yield piece
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise CorruptError(f"Member {member.filename!r} is damaged ({error}).", where=str(opened.filename)) from error
    if left:
        raise CorruptError(f"Member {member.filename!r} is cut short.", where=str(opened.filename))


def _is_junk(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return hidden or path.name.casefold() in _HIDDEN_JUNK or path.suffix.casefold() in _CODE

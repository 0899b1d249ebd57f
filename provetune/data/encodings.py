"""Which encoding a text file has: its byte-order mark, else UTF-8, UTF-16, GB18030, or a clear refusal.

UTF-8 is taken only when the whole file decodes. GB18030 decodes nearly any bytes, so it is taken only when
what comes out reads like Chinese; otherwise accented Western letters would silently turn into rare Han.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from provetune.core.errors import DataError
from provetune.core.suggest import nearest

_PIECE = 1 << 20
_ENOUGH_LETTERS = 200
_FREQUENT = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家"
    "种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机"
    "十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加"
    "，。！？、"
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte-order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_BINARY = (
    (b"PK\x03\x04", "a zip archive or an Excel file", "Save it as CSV, or name it .xlsx."),
    (b"PAR1", "a Parquet file", "Name it .parquet."),
    (b"\x1f\x8b", "compressed with gzip", "Unpack it first."),
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls)", "Save it as CSV or .xlsx."),
    (b"%PDF", "a PDF", "Save its rows as CSV."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV."),
)
_SUGGESTIONS = ("utf-8", "utf-16", "gb18030", "big5", "cp1252", "latin-1", "shift_jis", "euc_kr", "cp1251")


def find_encoding(path: Path, stated: str | None = None) -> tuple[str, str | None]:
    """The codec name of a text file, and a sentence when it is not plain UTF-8.

    Args:
        path: an existing, non-empty file.
        stated: what the problem file says; checked by decoding the whole file.

    Raises:
        DataError: the file is not text, or its bytes fit neither the stated nor a known encoding.
    """
    with path.open("rb") as stream:
        start = stream.read(1 << 16)
    _refuse_binary(path, start)
    if stated is not None:
        return _check_stated(path, stated, start)
    for mark, codec, name in _MARKS:
        if start.startswith(mark):
            _decode_or_raise(path, codec)
            return codec, f"The encoding is {name}."
    bare = _bare_utf16(start)
    if bare is not None and _first_fault(path, bare) is None:
        return bare, "The encoding is UTF-16 without a byte-order mark."
    if _first_fault(path, "utf-8") is None:
        return "utf-8", None
    if _reads_like_chinese(path):
        return "gb18030", "The encoding is GB18030."
    raise _not_utf8(path)


def first_lines(path: Path, stated: str | None = None, most: int = 400) -> list[str]:
    """The first lines of a text file without their ends; none where it is no text, or of an encoding nobody knows."""
    try:
        codec, _ = find_encoding(path, stated)
    except DataError:
        return []
    with path.open(encoding=codec, newline=None) as stream:
        return [line.rstrip("\n") for line in islice(stream, most)]


def _check_stated(path: Path, stated: str, start: bytes) -> tuple[str, str | None]:
    try:
        codec = codecs.lookup(stated).name
    except LookupError:
        guess = nearest(stated, _SUGGESTIONS)
        hint = f"Did you mean '{guess}'?" if guess else f"Known are {', '.join(_SUGGESTIONS)} and others."
        raise DataError(f"There is no encoding '{stated}'.", where="data.encoding", hint=hint) from None
    if codec == "utf-8" and start.startswith(codecs.BOM_UTF8):
        codec = "utf-8-sig"
    _decode_or_raise(path, codec)
    return codec, None


def _decode_or_raise(path: Path, codec: str) -> None:
    fault = _first_fault(path, codec)
    if fault is not None:
        raise DataError(
            f"This is not {codec}: byte {fault[0]:#04x} cannot be read.",
            where=f"{path}, line {fault[1]}",
            hint="State the right one with data.encoding, or leave it out to have it detected.",
        )


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _first_fault(path: Path, codec: str) -> tuple[int, int] | None:
    """The first byte that does not decode and its line, or None."""
    decoder = codecs.getincrementaldecoder(codec)(errors="strict")
    lines = 1
    try:
        for piece in _pieces(path):
            lines += decoder.decode(piece).count("\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(codec, errors="replace")
        return error.object[error.start], lines + before.count("\n")
    except UnicodeError:  # utf-16 without the byte-order mark that its codec wants
        return 0, lines
    return None


def _bare_utf16(start: bytes) -> str | None:
    """UTF-16 shows in Western text and markup as a zero in every second byte."""
    pairs = len(start) // 2
    if pairs < 2:
        return None
    even = start[0 : 2 * pairs : 2].count(0)
    odd = start[1 : 2 * pairs : 2].count(0)
    if odd > 0.3 * pairs and even < 0.02 * pairs:
        return "utf-16-le"
    if even > 0.3 * pairs and odd < 0.02 * pairs:
        return "utf-16-be"
    return None


def _reads_like_chinese(path: Path) -> bool:
    if _first_fault(path, "gb18030") is not None:
        return False
    foreign = common = frequent = 0
    decoder = codecs.getincrementaldecoder("gb18030")(errors="strict")
    for piece in _pieces(path):
        letters = [letter for letter in decoder.decode(piece) if letter > "\x7f"]
        foreign += len(letters)
        common += sum(map(_is_common_chinese, letters))
        frequent += sum(letter in _FREQUENT for letter in letters)
        if foreign >= 20_000:
            break
    if foreign == 0 or common < 0.7 * foreign:
        return False
    # Korean and Japanese bytes also fall on common letters, but not on those that every Chinese text is full of.
    return foreign < _ENOUGH_LETTERS or frequent >= 0.1 * foreign


def _is_common_chinese(letter: str) -> bool:
    """Level 1 of GB 2312 holds the 3,755 most used characters; full-width and CJK punctuation count too."""
    try:
        code = letter.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return 0xB0 <= code[0] <= 0xD7 or 0xA1 <= code[0] <= 0xA3


def _refuse_binary(path: Path, start: bytes) -> None:
    for magic, what, advice in _BINARY:
        if start.startswith(magic):
            raise DataError(f"This is not a text file but {what}.", where=str(path), hint=advice)


def _not_utf8(path: Path) -> DataError:
    byte, line = _first_fault(path, "utf-8") or (0, 1)
    fitting = [codec for codec in ("big5", "cp1252") if _first_fault(path, codec) is None]
    guess = f" Perhaps {' or '.join(fitting)}." if fitting else ""
    return DataError(
        f"The encoding is neither UTF-8, UTF-16 nor GB18030 (byte {byte:#04x}).",
        where=f"{path}, line {line}",
        hint=f"Save the file as UTF-8, or state its encoding with data.encoding.{guess}",
    )

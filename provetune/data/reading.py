"""Reading a table from wherever the problem file says it is."""

from __future__ import annotations

import os
from pathlib import Path

from provetune.core.errors import DataError
from provetune.core.suggest import nearest
from provetune.data.encodings import first_lines
from provetune.data.judgements import is_judgements, with_texts
from provetune.data.readers import READERS
from provetune.data.table import RawTable, Reader, ReadOptions
from provetune.data.token_rows import with_sentences

__all__ = ["RawTable", "ReadOptions", "read_table"]

_PLAIN = "txt"
"""The format whose ending says least of what is in a file."""


def read_table(
    location: str,
    *,
    base: Path | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
) -> RawTable:
    """Read all rows of a file or hub data set.

    Args:
        location: a path, or ``hub:NAME[#CONFIG][:SPLIT]``.
        base: folder that a relative path starts from; the current folder when left out.
        encoding: text encoding; detected when left out.
        delimiter: separator of cells; detected when left out.
        header: whether the first line of a file of cells names the columns; found when left out.

    Raises:
        DataError: no such file (names the nearest), an unknown format, or content that cannot be read.
        EnvironmentFault: the hub cannot be reached, or a format's extra is not installed.
    """
    options = ReadOptions(encoding, delimiter, header)
    for name in READERS.names():
        prefix = READERS.get(name).prefix
        if prefix and location.startswith(prefix):
            return READERS.get(name).read(location, options)
    path = _find_file(location, base)
    if path.stat().st_size == 0:
        raise DataError("This file is empty.", where=str(path))
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise DataError(f"This file cannot be opened ({error.strerror}).", where=str(path)) from error
    raw = _reader_for(path, encoding).read(str(path), options)
    if is_judgements(raw):
        return with_texts(raw, READERS.get("jsonl"), ReadOptions(encoding))
    return with_sentences(raw)


def _claiming(path: Path, encoding: str | None) -> Reader | None:
    """The reader whose format the file's first lines are of, whatever its name ends with."""
    lines = first_lines(path, encoding)
    for name in READERS.names():
        reader = READERS.get(name)
        claims = getattr(reader, "claims", None)
        if lines and claims is not None and claims(lines):
            return reader
    return None


def _find_file(location: str, base: Path | None) -> Path:
    path = Path(location).expanduser()
    if not path.is_absolute() and base is not None:
        path = base / path
    if path.is_dir():
        raise DataError("This is a folder, not a file.", where=str(path), hint="Name one file in it.")
    if not path.exists():
        raise DataError("There is no such file.", where=str(path), hint=_what_is_there(path))
    return path


def _what_is_there(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {folder} either."
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith("."))
    guess = nearest(path.name, names)
    if guess:
        return f"Did you mean '{guess}'?"
    known = _extensions()
    data = [name for name in names if Path(name).suffix.lower() in known]
    return f"In that folder are: {', '.join(data[:8])}." if data else "There is no data file in that folder."


def _extensions() -> dict[str, str]:
    return {ending: name for name in READERS.names() for ending in READERS.get(name).extensions}


def _reader_for(path: Path, encoding: str | None) -> Reader:
    known = _extensions()
    ending = path.suffix.lower()
    if ending not in known or known[ending] == _PLAIN:
        claiming = _claiming(path, encoding)
        if claiming is not None:
            return claiming
    if ending in known:
        return READERS.get(known[ending])
    guess = nearest(ending, known)
    hint = f"Did you mean '{guess}'? " if guess else ""
    raise DataError(
        f"The format '{ending or path.name}' is not known.",
        where=str(path),
        hint=f"{hint}Known endings: {', '.join(sorted(known))}.",
    )

"""One JSON object a line. Nested objects become dotted columns; articles and paragraphs become their questions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from provetune.core.errors import DataError
from provetune.data.encodings import find_encoding
from provetune.data.readers._judged_lists import each_answer
from provetune.data.readers._records import add_records
from provetune.data.readers._squad import flat_questions
from provetune.data.table import CHUNK_ROWS, RawTable, ReadOptions, TableBuilder


class JsonLinesReader:
    """Reads line by line, so that a fault has a line number and memory holds one chunk of Python objects."""

    extensions: tuple[str, ...] = (".jsonl", ".ndjson", ".jl")
    prefix: str | None = None

    def claims(self, lines: Sequence[str]) -> bool:
        """Whether every filled line is an object, as far as they are looked at."""
        filled = [line for line in lines if line.strip()]
        return bool(filled) and all(line.lstrip()[:1] == "{" for line in filled) and is_object(filled[0])

    def read(self, location: str, options: ReadOptions) -> RawTable:
        """Read a whole file.

        Raises:
            DataError: a line is not JSON or not an object.
        """
        path = Path(location)
        encoding, note = find_encoding(path, options.encoding)
        builder = TableBuilder(location)
        with path.open(encoding=encoding, newline="\n") as stream:
            records = each_answer(flat_questions(_records(stream, location), location, "line"))
            while chunk := list(islice(records, CHUNK_ROWS)):
                add_records(builder, [record for _, record in chunk], [line for line, _ in chunk])
        if builder.count == 0:
            raise DataError("There is only blank space in this file.", where=location)
        return builder.finish("jsonl", [note] if note else [])


def _records(stream: Iterator[str], location: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, text in enumerate(stream, start=1):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except ValueError as error:
            raise DataError(
                f"This line is not JSON: {_reason(error)}.",
                where=f"{location}, line {line}",
                hint='Every line must be one object such as {"text": "…", "label": "…"}.',
            ) from None
        except RecursionError:
            raise DataError("This line is nested too deeply.", where=f"{location}, line {line}") from None
        if not isinstance(record, dict):
            raise DataError(
                f"This line holds {_article(record)}, not an object.",
                where=f"{location}, line {line}",
                hint='Every line must be one object such as {"text": "…", "label": "…"}.',
            )
        yield line, record


def is_object(line: str) -> bool:
    """Whether a line is a JSON object."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:]} at column {error.colno}"
    return str(error)


def _article(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "nothing (null)")


READER = JsonLinesReader()

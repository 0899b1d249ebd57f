"""One JSON document: a list of objects, or an object that holds such a list under ``data`` (or a like name).

A file of one object a line is read as `jsonl` reads it, whatever it is called.

Where the objects are SQuAD's articles, each of their questions is a row; where they are an export of Label Studio,
each of its tasks. Texts with what is said of them in pairs (spaCy) and relations that hold their examples (FewRel) are
rows too.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

from provetune.core.errors import DataError
from provetune.data.encodings import find_encoding
from provetune.data.readers._judged_lists import each_answer
from provetune.data.readers._label_studio import flat_tasks, is_export
from provetune.data.readers._list_forms import are_text_pairs, by_relation, text_records
from provetune.data.readers._records import add_records
from provetune.data.readers._squad import flat_questions
from provetune.data.readers.jsonl import READER as LINES
from provetune.data.readers.jsonl import is_object
from provetune.data.table import CHUNK_ROWS, RawTable, ReadOptions, TableBuilder

LIST_KEYS = ("data", "rows", "records", "examples", "items")
WANTED = 'The file must be a list of objects, [{"text": "…", "label": "…"}, …], or {"data": [ … ]}.'


class JsonReader:
    """Reads the document at once: JSON has no rows that could be read one by one."""

    extensions: tuple[str, ...] = (".json",)
    prefix: str | None = None

    def read(self, location: str, options: ReadOptions) -> RawTable:
        """Read a whole file.

        Raises:
            DataError: not JSON, no list of objects in it, or an entry of the list is no object.
        """
        encoding, note = find_encoding(Path(location), options.encoding)
        notes = [note] if note else []
        text = Path(location).read_text(encoding=encoding)
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            if is_object(text.lstrip().partition("\n")[0]):
                # Many sets of one object a line are called .json.
                return LINES.read(location, options)
            raise DataError(
                f"This is not JSON: {error.msg[:1].lower()}{error.msg[1:]}.",
                where=f"{location}, line {error.lineno}, column {error.colno}",
                hint=WANTED,
            ) from None
        except RecursionError:
            raise DataError("This document is nested too deeply.", where=location, hint=WANTED) from None
        records = _find_records(document, location)
        if is_export(records):
            records = flat_tasks(records)
            notes.append("This is an export of Label Studio: a column holds what was said with each of its controls.")
        rows = each_answer(flat_questions(enumerate(records, start=1), location, "entry"))
        builder = TableBuilder(location)
        while chunk := [record for _, record in islice(rows, CHUNK_ROWS)]:
            add_records(builder, chunk, range(builder.count + 1, builder.count + 1 + len(chunk)))
        if builder.count == 0:
            raise DataError("There is no question in this document.", where=location)
        return builder.finish("json", notes)


def _find_records(document: Any, location: str) -> list[dict[str, Any]]:
    records = document
    if isinstance(document, dict):
        records = next((document[key] for key in LIST_KEYS if isinstance(document.get(key), list)), None)
        records = by_relation(document) if records is None else records
    if not isinstance(records, list):
        raise DataError("There is no list of rows in this document.", where=location, hint=WANTED)
    if not records:
        raise DataError("The list of rows is empty.", where=location, hint=WANTED)
    if are_text_pairs(records):
        return text_records(records)
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            kind = "nothing (null)" if record is None else f"a {type(record).__name__}"
            raise DataError(f"This row is {kind}, not an object.", where=f"{location}, row {number}", hint=WANTED)
    return records


READER = JsonReader()

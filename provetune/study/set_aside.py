"""Rows that could not be used, kept in a file, so that they can be mended and none is lost without a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from provetune.core.files import write_text
from provetune.data.examples import BAD, RAW_PREFIX

if TYPE_CHECKING:
    import pyarrow as pa

SET_ASIDE = "set_aside.jsonl"
_REASONS = {"text": "no text", "label": "no label"}


def write_set_aside(path: Path, rows: pa.Table) -> int:
    """Write rows with their place, what is wrong with them and the file's own cells; a line each.

    Args:
        rows: as `provetune.data.splits.Splits.set_aside` has them.

    Returns:
        How many there are.
    """
    write_text(Path(path), "".join(f"{line}\n" for line in _lines(rows)))
    return int(rows.num_rows)


def _lines(rows: pa.Table) -> Iterator[str]:
    raw = [name for name in rows.column_names if name.startswith(RAW_PREFIX)]
    for row in rows.select(["_file", "_row", "_split", "_reason", BAD, *raw]).to_pylist():
        yield json.dumps(
            {
                "file": row["_file"],
                "row": row["_row"],
                "split": row["_split"],
                "reason": row[BAD] or _REASONS[row["_reason"]],
                "cells": {name.removeprefix(RAW_PREFIX): row[name] for name in raw},
            },
            ensure_ascii=False,
        )

"""JSON records into columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provetune.data.readers._surface_spans import with_span_lists
from provetune.data.readers._token_relations import with_marked_text
from provetune.data.table import TableBuilder, flatten


def add_records(builder: TableBuilder, records: Sequence[Mapping[str, Any]], places: Sequence[int]) -> None:
    """Add a chunk of records; a key that a record lacks is a missing cell."""
    records = [with_marked_text(record) for record in records]
    rows = [
        flatten(with_span_lists(record)) if any(isinstance(value, Mapping) for value in record.values()) else record
        for record in records
    ]
    names = dict.fromkeys(name for row in rows for name in row)
    builder.add({name: [row.get(name) for row in rows] for name in names}, places)

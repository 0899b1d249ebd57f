"""The rows that are checked, and where in the files they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.data.folding import UNIT, drawn_texts, fold, whole_texts
from provetune.data.row_ids import label_keys
from provetune.data.splits import SPLITS, Splits

SHOWN = 5


class Rows:
    """All usable rows of all splits in one table, with what several checks need worked out once.

    Attributes:
        splits: what was checked.
        table: ``text`` (of a pair both), ``asked`` (what must stay in one split), ``label`` (several joined),
            ``split``, ``_file``, ``_row``; rows of a split in the order of their places.
    """

    def __init__(self, splits: Splits) -> None:
        self.splits = splits
        pieces = []
        for name in SPLITS:
            examples = splits.tables[name]
            table = pa.table(
                {
                    "text": whole_texts(examples),
                    "label": label_keys(examples["label"]),
                    "asked": drawn_texts(examples),
                    "split": pa.chunked_array([pa.array([name] * examples.num_rows, pa.string())]),
                    "_file": examples["_file"],
                    "_row": examples["_row"],
                }
            )
            pieces.append(table.take(pc.sort_indices(table, [("_file", "ascending"), ("_row", "ascending")])))
        self.table = pa.concat_tables(pieces)

    @property
    def several_labels(self) -> bool:
        return bool(pa.types.is_list(self.splits.train["label"].type))

    @cached_property
    def folded(self) -> pa.ChunkedArray:
        """Texts with case and white space out of the way."""
        return fold(self.table["text"])

    @cached_property
    def asked(self) -> pa.ChunkedArray:
        """The same of what must stay in one split."""
        alone = any(UNIT in table.column_names for table in self.splits.tables.values())
        return fold(self.table["asked"]) if alone else self.folded

    def places(self, chosen: Any) -> tuple[Mapping[str, Any], ...]:
        """File, row and split of the first few of the rows at these indices (or under this mask)."""
        indices = np.flatnonzero(chosen) if getattr(chosen, "dtype", None) == np.bool_ else np.asarray(chosen)
        first = self.table.select(["_file", "_row", "split"]).take(pa.array(indices[:SHOWN], pa.int64()))
        return tuple(places_of(first))

    def count(self, split: str) -> int:
        return int(self.splits.tables[split].num_rows)

    def labels(self, split: str) -> dict[str, int]:
        """Label → rows, sorted by name."""
        column = self.splits.tables[split]["label"]
        flat = pc.list_flatten(column) if self.several_labels else column
        return {entry["values"]: entry["counts"] for entry in sorted_counts(flat)}

    def places_with_label(self, names: Sequence[str], split: str) -> tuple[Mapping[str, Any], ...]:
        """Where rows of a split stand that have one of these labels."""
        examples = self.splits.tables[split]
        wanted = pa.array(names, pa.string())
        if self.several_labels:
            flat = pc.is_in(pc.list_flatten(examples["label"]), wanted).to_numpy()
            places = np.unique(pc.list_parent_indices(examples["label"]).to_numpy()[flat])
        else:
            places = np.flatnonzero(pc.is_in(examples["label"], wanted).to_numpy())
        found = examples.select(["_file", "_row"]).take(pa.array(places, pa.int64()))
        found = found.append_column("split", pa.array([split] * len(places), pa.string()))
        ordered = found.take(pc.sort_indices(found, [("_file", "ascending"), ("_row", "ascending")]))
        return tuple(places_of(ordered.slice(0, SHOWN)))


def places_of(table: pa.Table) -> list[dict[str, Any]]:
    """Rows with ``_file``, ``_row`` and ``split`` as findings name them."""
    return [{"file": row["_file"], "row": row["_row"], "split": row["split"]} for row in table.to_pylist()]


def sorted_counts(values: pa.ChunkedArray) -> list[dict[str, Any]]:
    """Values and their counts, sorted by value; nulls left out."""
    entries: list[dict[str, Any]] = pc.value_counts(values.drop_null()).to_pylist()
    return sorted(entries, key=lambda entry: entry["values"])


def names_shown(names: Sequence[str], limit: int = SHOWN) -> str:
    """The first few names in quotes."""
    listed = ", ".join(f"'{name}'" for name in names[:limit])
    return listed + (f", … ({len(names)} in all)" if len(names) > limit else "")


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"

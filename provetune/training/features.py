"""Tokenised rows on the disk: made once a study, shared by all trials, memory-mapped.

The file's name is the hash of everything that its content depends on, so a changed text, tokenizer or length
makes another file and an unchanged one is found again.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from provetune.core.files import atomic_path

if TYPE_CHECKING:
    from provetune.core.protocols import Array, EncodeSettings, Targets, Task

LENGTH = "length"
_LIST = (pa.types.is_list, pa.types.is_large_list)


class FeatureStore:
    """Features of one split in Arrow columns; numbers are read where they lie, without copies.

    Args:
        table: columns ``row`` (int32), ``input_ids`` (list), ``cut`` (int32) and the task's own; ``length`` (int32)
            where a feature costs more than its ``input_ids`` (a second text, a target).
    """

    def __init__(self, table: pa.Table) -> None:
        self._columns: dict[str, tuple[Array, Array | None]] = {}
        for name in table.column_names:
            self._columns[name] = _as_arrays(table.column(name))
        self._count = int(table.num_rows)
        self._kept: Array | None = None
        values, offsets = self._columns["input_ids"]
        self._lengths = np.diff(offsets) if offsets is not None else np.ones(len(values), dtype=np.int64)
        if LENGTH in self._columns:
            self._lengths = self._columns[LENGTH][0].astype(np.int64)

    def __len__(self) -> int:
        return self._count

    @property
    def lengths(self) -> Array:
        return self._lengths if self._kept is None else self._lengths[self._kept]

    @property
    def rows(self) -> Array:
        """Row of each feature, (F,); of those kept by `keep_rows` the number among the rows before."""
        return self._numbers("row")

    @property
    def cut(self) -> Array:
        """Tokens of each feature that did not fit, (F,)."""
        return self._numbers("cut")

    def take(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        if self._kept is not None:
            indices = self._kept[np.asarray(indices, dtype=np.int64)].tolist()
        return [{name: _cell(column, index) for name, column in self._columns.items()} for index in indices]

    def keep_rows(self, rows: Array) -> FeatureStore:
        """The features of these rows (R,) alone, read from where those of all rows lie."""
        subset = copy.copy(self)
        subset._kept = np.flatnonzero(np.isin(self._columns["row"][0], rows))
        subset._count = len(subset._kept)
        return subset

    def with_columns(self, columns: Mapping[str, Array]) -> FeatureStore:
        """The features with more numbers: one for each of them, (F,), by name."""
        wider = copy.copy(self)
        wider._columns = dict(self._columns)
        total = len(self._columns["row"][0])
        for name, values in columns.items():
            numbers = np.asarray(values)
            if self._kept is not None:
                numbers = np.zeros(total, dtype=numbers.dtype)
                numbers[self._kept] = values
            wider._columns[name] = (numbers, None)
        return wider

    def _numbers(self, name: str) -> Array:
        numbers = self._columns[name][0]
        return numbers if self._kept is None else numbers[self._kept]


def encode_split(
    task: Task,
    examples: pa.Table,
    tokenizer: Any,
    settings: EncodeSettings,
    targets: Targets | None,
    cache: Path | None = None,
) -> FeatureStore:
    """The features of a split, from the cache folder if they are there.

    Args:
        examples: rows as `Task.encode` takes them.
        targets: label names for training and scoring; None for texts alone.
        cache: folder of the cache; None keeps the features in memory.
    """
    if cache is None:
        return FeatureStore(task.encode(examples, tokenizer, settings, targets).combine_chunks())
    path = cache / f"features-{_content_hash(task, examples, tokenizer, settings, targets)}.arrow"
    if not path.exists():
        features = task.encode(examples, tokenizer, settings, targets)
        with atomic_path(path) as temporary, pa.OSFile(str(temporary), "wb") as sink:
            # One batch, so that a row's place in the file follows from its number alone.
            batches = features.combine_chunks()
            with pa.ipc.new_file(sink, batches.schema) as writer:
                writer.write_table(batches)
    return FeatureStore(pa.ipc.open_file(pa.memory_map(str(path))).read_all())


def _content_hash(
    task: Task, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None
) -> str:
    digest = hashlib.sha256()
    names = None if targets is None else [targets.kind, *targets.names, *sorted(dict(targets.options).items())]
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = backend.to_str() if backend is not None else repr(tokenizer)
    # What a task puts before texts is kept with the tokenizer, but not in its vocabulary.
    kept = getattr(tokenizer, "init_kwargs", {})
    prefixes = {name: str(kept[name]) for name in sorted(kept) if name.endswith("_prefix")}
    if getattr(tokenizer, "chat_template", None):
        prefixes["chat_template"] = str(tokenizer.chat_template)
    digest.update(json.dumps([task.name, asdict(settings), names, vocabulary, prefixes]).encode())
    for name in (column for column in examples.column_names if _is_read(column)):
        digest.update(name.encode())
        for batch in examples.select([name]).to_batches(max_chunksize=4096):
            digest.update(json.dumps(batch.column(0).to_pylist(), ensure_ascii=True).encode())
    return digest.hexdigest()[:32]


def _is_read(column: str) -> bool:
    """Whether a task may make features of a column: not of ids, places and the file's own cells."""
    return column not in ("row_id", "stratum") and not column.startswith(("_", "raw."))


def _as_arrays(column: pa.ChunkedArray) -> tuple[Array, Array | None]:
    """A column as flat values and, for lists, offsets."""
    array = (
        column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
    )
    if any(is_list(array.type) for is_list in _LIST):
        offsets = array.offsets.to_numpy()
        return array.values.to_numpy(), offsets
    return array.to_numpy(zero_copy_only=False), None


def _cell(column: tuple[Array, Array | None], index: int) -> Any:
    values, offsets = column
    return values[index] if offsets is None else values[offsets[index] : offsets[index + 1]]

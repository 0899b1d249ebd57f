"""Rows of other files that objectives learn from: read as the training rows are, frozen with the study.

Texts that validation or test rows have are left out, labelled or not: what is judged is never learned from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import DataError, ProvetuneError
from provetune.core.files import atomic_path
from provetune.core.minimised import NamesFiles, ReadsRows, RowUse
from provetune.core.suggest import advice
from provetune.study.splits_store import map_table

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Targets, Task
    from provetune.data.splits import Splits
    from provetune.data.table import RawTable
    from provetune.problem.syntax import Columns, Data

_FOLDER = "rows"
_LABEL = "label"


@dataclass(frozen=True)
class OtherRowsReader:
    """Reads files beside the training file.

    Attributes:
        folder: the problem file's.
        data: its section.
        notes: gets a sentence for rows that are left out.
    """

    folder: Path
    data: Data
    task: Task
    targets: Targets
    splits: Splits
    notes: list[str]

    def read_all(self, plugins: Iterable[tuple[object, Any]], where: Callable[[str], str]) -> dict[str, pa.Table]:
        """The rows of every file that these settings name, by `rows_key`.

        Args:
            plugins: objectives, each with its settings.
            where: the place of a field in the problem file.

        Raises:
            DataError: a file cannot be read, or has no row to use.
        """
        found: dict[str, pa.Table] = {}
        for plugin, settings in plugins:
            if not isinstance(plugin, ReadsRows) or not isinstance(plugin, NamesFiles):
                continue
            written = plugin.files(settings)
            for field, use in plugin.row_files(settings).items():
                try:
                    found[rows_key(written[field], use)] = self.read(written[field], use)
                except ProvetuneError as error:
                    place = f"{where(field)}: {error.where}" if error.where else where(field)
                    raise type(error)(error.message, where=place, hint=error.hint) from error
        return found

    def read(self, written: str, use: RowUse) -> pa.Table:
        """The usable rows of one file, as examples like the training rows.

        Raises:
            DataError: it cannot be read, has no usable row, or a label that the training rows do not have.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        from provetune.data.examples import BAD, to_examples
        from provetune.data.reading import read_table

        raw = read_table(
            written,
            base=self.folder,
            encoding=self.data.encoding,
            delimiter=self.data.delimiter,
            header=self.data.header,
        )
        examples = to_examples(raw, self.data, self._columns(raw, use), self.task)
        texts = _folded(examples)
        usable = pc.and_(examples[BAD].is_null(), pc.fill_null(pc.greater(pc.utf8_length(texts), 0), False))
        if use == "labelled":
            usable = pc.and_(usable, examples[_LABEL].is_valid())
        seen = pc.is_in(texts, pa.array(sorted(self._judged_texts()), pa.string()))
        kept = examples.filter(pc.and_(usable, pc.invert(seen))).drop_columns([BAD])
        self._tell(written, _count(pc.and_(usable, seen)), raw.rows - _count(usable))
        if kept.num_rows == 0:
            wanted = "both text and label" if use == "labelled" else "a text"
            raise DataError(f"No row has {wanted} that can be learned from.", where=raw.location)
        if use == "labelled":
            self._refuse_other_labels(kept, raw)
            return kept
        nothing = pa.nulls(kept.num_rows, kept[_LABEL].type)
        return kept.set_column(kept.column_names.index(_LABEL), _LABEL, nothing)

    def _columns(self, raw: RawTable, use: RowUse) -> Columns:
        """The training file's columns; of a file of texts alone the label's column may be missing."""
        from provetune.data.columns import check_named, flat_names

        columns = self.splits.columns.model_copy(update={"group": None, "time": None, "id": None})
        labels = flat_names([columns.label]) if columns.label is not None else []
        if use == "texts" and not set(labels) <= set(raw.names):
            columns = columns.model_copy(update={"label": None})
        check_named(raw, columns.named(), [role.name for role in self.task.roles])
        return columns

    def _judged_texts(self) -> set[str]:
        return {
            text
            for split in (self.splits.validation, self.splits.test)
            for text in _folded(split).to_pylist()
            if text is not None
        }

    def _tell(self, written: str, judged: int, unusable: int) -> None:
        if judged:
            self.notes.append(f"{judged:,} rows of '{written}' are left out: validation or test rows have their texts.")
        if unusable:
            self.notes.append(f"{unusable:,} rows of '{written}' cannot be used and are left out.")

    def _refuse_other_labels(self, kept: pa.Table, raw: RawTable) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        column = kept[_LABEL]
        if column.type != self.splits.train[_LABEL].type:
            raise DataError(
                "Labels have another form here than in the training rows.",
                where=raw.location,
                hint="Both files have one label a row, or both may have several.",
            )
        if not self.splits.classes:
            return
        several = pa.types.is_list(column.type)
        names = pc.unique(pc.list_flatten(column) if several else column).to_pylist()
        unknown = sorted(set(names) - set(self.targets.names))
        if unknown:
            more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            raise DataError(
                f"The label '{unknown[0]}'{more} is none of the training rows'.",
                where=raw.location,
                hint=advice(unknown[0], self.targets.names, limit=5)
                + " Labels that only earlier rows have are named in options.labels.",
            )


def rows_key(written: str, use: RowUse) -> str:
    """Under what the rows of a file are kept: the path as the settings have it, and what is wanted of it."""
    return hashlib.sha256(f"{use}\x1f{written}".encode()).hexdigest()[:16]


def save_other_rows(folder: Path, tables: Mapping[str, pa.Table]) -> None:
    """Write rows of other files into a study's folder; those that lie there already stay."""
    import pyarrow as pa

    for key, table in tables.items():
        path = Path(folder) / _FOLDER / f"{key}.arrow"
        if path.exists():
            continue
        with (
            atomic_path(path) as temporary,
            pa.OSFile(str(temporary), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as writer,
        ):
            writer.write_table(table.combine_chunks())


def load_other_rows(folder: Path, written: str, use: RowUse) -> pa.Table:
    """The rows of a file as `save_other_rows` kept them, memory-mapped.

    Raises:
        CorruptError: they are missing or damaged.
    """
    return map_table(Path(folder) / _FOLDER / f"{rows_key(written, use)}.arrow")


def _folded(examples: pa.Table) -> pa.ChunkedArray:
    from provetune.data.folding import fold, whole_texts

    return fold(whole_texts(examples))


def _count(chosen: pa.ChunkedArray) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(chosen).as_py() or 0)

"""Training, validation and test rows: from given files, or drawn before anything else is looked at.

Rows without text or label cannot be learned from or judged: they are set aside, counted and said. Inside a
split rows stand in the order of their ids, so that nothing afterwards can depend on the order in a file. With
folds each of the three is all rows: every row teaches, validates and is held out, in different rounds of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.data.columns import resolve_columns
from provetune.data.corpus import carry_corpus, hash_with_corpus, read_corpus
from provetune.data.drawing import TEST, TRAIN, VALIDATION, draw
from provetune.data.examples import BAD, Reads, to_examples
from provetune.data.folding import whole_texts
from provetune.data.folds import PLACE, Folds, say_folds
from provetune.data.reading import read_table
from provetune.data.row_ids import split_hash
from provetune.data.split_notes import say_drawn, say_set_aside
from provetune.data.table import RawTable
from provetune.problem.syntax import Columns, Data

SPLITS = ("train", "validation", "test")
_LARGE_BYTES = 1_500_000_000


@dataclass(frozen=True)
class Splits:
    """The rows of a study.

    Attributes:
        train, validation, test: examples, each with a text and a label, in the order of their ids.
        notes: what was detected, drawn and set aside, one sentence each.
        hashes: split → SHA-256 of its sorted (row id, label) pairs (and of the corpus, where there is one).
        columns: every part's column, with what was detected.
        given: splits that a file was named for; the others were drawn.
        set_aside: rows that cannot be read, or have no text or label, with ``_split`` (of the file they stand in) and
            ``_reason`` (``"bad"``, ``"text"`` or ``"label"``) added; ``_bad`` says what is wrong with the first kind.
        group: column whose values are kept in one split, if any.
        classes: labels are classes.
        skip_bad: rows that cannot be read may be left out.
        folds: of cross-validation, where there is one.
    """

    train: pa.Table
    validation: pa.Table
    test: pa.Table
    notes: tuple[str, ...]
    hashes: Mapping[str, str]
    columns: Columns
    given: frozenset[str]
    set_aside: pa.Table
    group: str | None = None
    classes: bool = True
    skip_bad: bool = False
    folds: Folds | None = None

    @cached_property
    def tables(self) -> dict[str, pa.Table]:
        """The three splits by name; with folds those of the first round, in which no row stands twice."""
        if self.folds is None:
            return {"train": self.train, "validation": self.validation, "test": self.test}
        first = self.folds.of_run(0)
        return {
            "train": first.part(self.train, 0, "train"),
            "validation": first.part(self.train, 0, "validation"),
            "test": first.part(self.train, 0, "test"),
        }


def make_splits(data: Data, base: Path, task: Reads) -> Splits:
    """Read what `data` names and divide it.

    Args:
        data: the problem file's section.
        base: folder that relative file names start from.
        task: finds the columns that are not named, and reads the rows.

    Raises:
        DataError: a file cannot be read, a column is missing, or there are too few rows to divide.
        EnvironmentFault: the hub cannot be reached.
    """
    locations, notes = _find_locations(data)
    raws = {
        split: read_table(location, base=base, encoding=data.encoding, delimiter=data.delimiter, header=data.header)
        for split, location in locations.items()
    }
    columns = resolve_columns(raws["train"], _named_columns(data), task)
    tables: dict[str, pa.Table] = {}
    aside: dict[str, pa.Table] = {}
    for split, raw in raws.items():
        notes += [f"{raw.short_name}: {note}" for note in raw.notes]
        # Group, time and id matter where rows are drawn from; another file need not have them.
        others = columns.model_copy(update={"group": None, "time": None, "id": None})
        resolved = columns if split == "train" else resolve_columns(raw, others, task)
        tables[split], unusable = _set_aside(to_examples(raw, data, resolved, task), split)
        notes += say_set_aside(unusable, raw)
        aside[f"aside {split}"] = unusable
        if tables[split].num_rows == 0:
            _raise_where_all_are_bad(unusable, raw)
            raise DataError("No row has both text and label.", where=raw.location, hint="Check data.columns.")
    alike = _same_label_form({**tables, **aside})
    tables = {split: alike[split] for split in tables}
    folds = _folds_of(data, columns, locations)
    if folds is None:
        tables, drawn_notes = _draw_missing(tables, data, columns)
    else:
        tables = dict.fromkeys(SPLITS, tables["train"])
    tables = {split: in_id_order(tables[split]) for split in SPLITS}
    if folds is not None:
        folds.of_run(0).draw(tables["train"])
        drawn_notes = [say_folds(tables["train"], folds)]
    hashes = {split: split_hash(table) for split, table in tables.items()}
    corpus, corpus_notes = read_corpus(data, base, task, columns)
    if corpus:
        tables = carry_corpus(tables, corpus)
        hashes = {split: hash_with_corpus(each, corpus) for split, each in hashes.items()}
    return Splits(
        **tables,
        notes=tuple(notes + drawn_notes + corpus_notes),
        hashes=hashes,
        columns=columns,
        given=frozenset(locations),
        set_aside=pa.concat_tables([alike[name] for name in aside], promote_options="permissive"),
        group=columns.group,
        classes=task.classes,
        skip_bad=data.skip_bad,
        folds=folds,
    )


def in_id_order(table: pa.Table) -> pa.Table:
    """The rows sorted by their ids."""
    order = pc.sort_indices(table["row_id"])
    columns = {}
    for name in table.column_names:
        column = table[name]
        # A string array holds 2 GiB at most; taking from a larger column goes through 64-bit offsets.
        if pa.types.is_string(column.type) and column.nbytes > _LARGE_BYTES:
            large = column.cast(pa.large_string())
            pieces = [large.take(order.slice(at, 65_536)).cast(pa.string()) for at in range(0, len(order), 65_536)]
            columns[name] = pa.chunked_array([chunk for piece in pieces for chunk in piece.chunks])
        else:
            columns[name] = column.take(order)
    return pa.table(columns)


def _find_locations(data: Data) -> tuple[dict[str, str], list[str]]:
    if data.train is None:
        raise DataError("No file is named.", where="data.train", hint="Name the file with the labelled rows.")
    named = {"train": data.train, "validation": data.validation, "test": data.test}
    locations = {split: location for split, location in named.items() if location is not None}
    if not data.train.startswith("hub:"):
        return locations, []
    from provetune.data.readers.hub import find_hub_splits

    found = find_hub_splits(data.train)
    taken = [f"{location} is used for {split}" for split, location in found.items() if split not in locations]
    return {**found, **locations, "train": found["train"]}, [f"{'; '.join(taken)}."] if taken else []


def _folds_of(data: Data, columns: Columns, locations: Mapping[str, str]) -> Folds | None:
    if data.split.folds is None:
        return None
    if others := sorted(set(locations) - {"train"}):
        named = " and ".join(others)
        what = f"There are {named} rows of their own ({locations[others[0]]}), and folds take their place."
        raise DataError(what, where=PLACE, hint="Leave out data.split.folds, or name the file with the training rows.")
    return Folds(data.split.folds, data.split.seed, data.split.stratify, columns.group)


def _named_columns(data: Data) -> Columns:
    return data.columns.model_copy(
        update={"group": data.split.group or data.columns.group, "time": data.split.time or data.columns.time}
    )


def _set_aside(examples: pa.Table, split: str) -> tuple[pa.Table, pa.Table]:
    """Usable rows, and those without text or label."""
    texts = whole_texts(examples)
    empty = pc.fill_null(pc.match_substring_regex(texts, r"^[\s\x{a0}\x{3000}\x1d]*$"), True)
    unlabelled = examples["label"].is_null()
    bad = examples[BAD].is_valid()
    unusable = pc.or_(bad, pc.or_(empty, unlabelled))
    reasons = pc.if_else(bad, "bad", pc.if_else(empty, "text", "label")).filter(unusable)
    aside = examples.filter(unusable)
    aside = aside.append_column("_split", pa.array([split] * aside.num_rows, pa.string()))
    return examples.filter(pc.invert(unusable)).drop_columns([BAD]), aside.append_column("_reason", reasons)


def _raise_where_all_are_bad(aside: pa.Table, raw: RawTable) -> None:
    bad = aside.filter(aside[BAD].is_valid())
    if bad.num_rows:
        first = bad.slice(0, 1).to_pylist()[0]
        raise DataError(
            f"No row can be used; {bad.num_rows:,} cannot be read. {first[BAD]}",
            where=f"{raw.location}, row {first['_row']}",
            hint="Check data.columns and the task.",
        )


def _same_label_form(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """Where one file has lists of labels, single labels in the others become lists of one."""
    types = [table["label"].type for table in tables.values()]
    if not any(map(pa.types.is_list, types)) or not any(map(pa.types.is_string, types)):
        return tables
    unified = {}
    for split, table in tables.items():
        if not pa.types.is_list(table["label"].type):
            values = table["label"].combine_chunks()
            lists = pa.ListArray.from_arrays(pa.array(np.arange(len(values) + 1), pa.int32()), values)
            table = table.set_column(table.column_names.index("label"), "label", pa.chunked_array([lists]))
        unified[split] = table
    return unified


def _draw_missing(tables: dict[str, pa.Table], data: Data, columns: Columns) -> tuple[dict[str, pa.Table], list[str]]:
    """The three splits, with those that no file was named for drawn from the training rows."""
    shares = tuple(0.0 if split in tables else getattr(data.split, split) for split in ("validation", "test"))
    if not any(shares):
        return tables, []
    rows = tables["train"]
    codes = draw(
        rows,
        (shares[0], shares[1]),
        seed=data.split.seed,
        stratify=data.split.stratify,
        group=columns.group,
        time=columns.time,
    )
    drawn = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    found = {split: rows.filter(pa.array(codes == code)) for split, code in drawn.items() if split not in tables}
    found["train"] = rows.filter(pa.array(codes == TRAIN))
    return {**tables, **found}, say_drawn(rows, codes, shares, data, columns)

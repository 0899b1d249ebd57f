"""Faults of rows: unusable, repeated, contradicting, or standing in two splits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.protocols import Finding
from provetune.data.examples import BAD, RAW_PREFIX
from provetune.data.folding import whole_texts
from provetune.data.places import SHOWN, Rows, places_of, plural
from provetune.data.splits import SPLITS

_SHOWN_KINDS = 5
_VALUES = re.compile(r"(?<!\w)'[^']*'|\d[\d,.]*")


def find_unusable(rows: Rows) -> Iterable[Finding]:
    """Rows that were set aside. In a test file somebody named they block: a test must not shrink unseen."""
    yield from _find_bad(rows)
    aside = rows.splits.set_aside.filter(pc.not_equal(rows.splits.set_aside["_reason"], "bad"))
    texts = whole_texts(aside)
    reasons = aside["_reason"]
    cases = {
        "missing_text": (texts.is_null(), "no text"),
        "empty_text": (pc.and_(pc.equal(reasons, "text"), texts.is_valid()), "an empty text"),
        "missing_label": (pc.equal(reasons, "label"), "no label"),
    }
    for kind, (mask, what) in cases.items():
        found = aside.filter(pc.fill_null(mask, False))
        if found.num_rows == 0:
            continue
        in_test = int(pc.sum(pc.equal(found["_split"], "test")).as_py() or 0)
        table = found.select(["_file", "_row", "_split"]).rename_columns(["_file", "_row", "split"])
        message = f"{plural(found.num_rows, 'row has', 'rows have')} {what} and cannot be used."
        if in_test:
            message += f" {plural(in_test, 'stands', 'stand')} in the test file: complete or remove them there."
        else:
            message += " They are set aside; complete or remove them."
        yield Finding(
            kind, "blocking" if in_test else "warning", found.num_rows, message, tuple(places_of(table.slice(0, SHOWN)))
        )


def _find_bad(rows: Rows) -> Iterable[Finding]:
    """Rows that the task cannot read. They block unless the problem file says that they may be left out."""
    aside = rows.splits.set_aside
    bad = aside.filter(pc.equal(aside["_reason"], "bad"))
    if bad.num_rows == 0:
        return
    skip = rows.splits.skip_bad
    first = bad[BAD][0].as_py()
    message = f"{plural(bad.num_rows, 'row')} cannot be read. The first: {first} {_kinds_of(bad[BAD].to_pylist())}"
    message += "They are set aside." if skip else "Correct them, or set them aside with --skip-bad."
    table = bad.select(["_file", "_row", "_split"]).rename_columns(["_file", "_row", "split"])
    shown = [
        {**place, "message": said}
        for place, said in zip(places_of(table.slice(0, SHOWN)), bad[BAD].slice(0, SHOWN).to_pylist(), strict=True)
    ]
    yield Finding("bad_row", "warning" if skip else "blocking", bad.num_rows, message, tuple(shown))


def _kinds_of(messages: Iterable[str]) -> str:
    """How many rows have which fault, places and values apart; nothing where all have one."""
    heads = (": ".join(message.split(". ")[0].split(": ")[:2]).rstrip(".") for message in messages)
    kinds = Counter(_VALUES.sub("…", head) for head in heads)
    if len(kinds) < 2:
        return ""
    told = [f"{count:,} × {kind}" for kind, count in kinds.most_common(_SHOWN_KINDS)]
    return f"In all: {'; '.join(told)}{' …' if len(kinds) > _SHOWN_KINDS else '.'} "


def find_duplicates(rows: Rows) -> Iterable[Finding]:
    """Rows whose text and label came before in the same split; the first of them does not count."""
    table = rows.table.select(["split", "text", "label"])
    later = later_rows(table, ["split", "text", "label"])
    if len(later):
        message = f"{plural(len(later), 'row repeats', 'rows repeat')} text and label of another row in the same split."
        yield Finding("duplicate_rows", "warning", len(later), message, rows.places(later))


def find_conflicts(rows: Rows) -> Iterable[Finding]:
    """Equal texts (case and spaces aside) with different labels: one of them is wrong, or the text is not enough."""
    table = pa.table({"text": rows.folded, "label": rows.table["label"]})
    counted = table.group_by("text").aggregate([("label", "count_distinct")])
    torn = counted.filter(pc.greater(counted["label_count_distinct"], 1))["text"]
    if len(torn) == 0:
        return
    mask = pc.is_in(rows.folded, torn.combine_chunks()).to_numpy()
    chosen = np.flatnonzero(mask)
    # Equal texts beside each other, so that the rows shown contradict each other.
    order = chosen[pc.sort_indices(rows.folded.filter(pa.array(mask))).to_numpy()]
    message = (
        f"{plural(len(torn), 'text stands', 'texts stand')} in {len(chosen):,} rows with different labels. "
        "Decide for one label each, or remove them."
    )
    yield Finding("conflicting_labels", "warning", len(chosen), message, rows.places(order))


def find_leaks(rows: Rows) -> Iterable[Finding]:
    """Texts of a later split that training (or validation) has as well: scores on them are too good."""
    split = rows.table["split"]
    for later, earlier in (("test", "train"), ("test", "validation"), ("validation", "train")):
        known = pa.array((pc.equal(split, earlier)).to_numpy())
        judged = pc.equal(split, later).to_numpy()
        folded = judged & pc.is_in(rows.asked, rows.asked.filter(known).combine_chunks()).to_numpy()
        count = int(folded.sum())
        if not count:
            continue
        texts = rows.table["asked"]
        exact = judged & pc.is_in(texts, texts.filter(known).combine_chunks()).to_numpy()
        same, near = int((exact & folded).sum()), int((folded & ~exact).sum())
        share = count / int(judged.sum())
        message = (
            f"{plural(count, f'text of {later} is', f'texts of {later} are')} in {earlier} as well ({share:.1%}): "
            f"{same:,} exactly, {near:,} apart from case and spaces. Remove them from {earlier}."
        )
        yield Finding("leak_between_splits", "warning", count, message, rows.places(folded))


def find_group_leaks(rows: Rows) -> Iterable[Finding]:
    """Groups (say, customers) with rows in two splits, where the problem file names a group column."""
    group = rows.splits.group
    column = f"{RAW_PREFIX}{group}"
    tables = {name: rows.splits.tables[name] for name in SPLITS}
    if group is None or any(column not in table.column_names for table in tables.values()):
        return
    for later, earlier in (("test", "train"), ("test", "validation"), ("validation", "train")):
        cells = tables[later][column]
        known = pc.unique(tables[earlier][column]).filter(pc.not_equal(pc.unique(tables[earlier][column]), ""))
        shared = tables[later].filter(pc.is_in(cells, known.drop_null(), skip_nulls=True))
        if shared.num_rows:
            groups = pc.count_distinct(shared[column]).as_py()
            table = shared.select(["_file", "_row"]).append_column("split", pa.array([later] * shared.num_rows))
            message = (
                f"{plural(groups, f'{group} has', f'values of {group} have')} rows in {later} and in {earlier} "
                f"({plural(shared.num_rows, 'row')} of {later}): scores on them may be too good."
            )
            places = tuple(places_of(table.slice(0, SHOWN)))
            yield Finding("group_in_two_splits", "warning", shared.num_rows, message, places)


def later_rows(table: pa.Table, keys: list[str]) -> np.ndarray[Any, np.dtype[Any]]:
    """Indices of the rows whose keys came before."""
    numbered = table.append_column("_number", pa.array(np.arange(table.num_rows)))
    firsts = numbered.group_by(keys).aggregate([("_number", "min")])["_number_min"].to_numpy()
    later = np.ones(table.num_rows, dtype=bool)
    later[firsts] = False
    return np.flatnonzero(later)

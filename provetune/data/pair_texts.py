"""Rows of two texts that are judged together: their columns, the texts, and the faults that only such rows have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.core.protocols import Finding
from provetune.data.column_names import TITLE_NAMES, find_partner, name_score
from provetune.data.folding import fold
from provetune.data.profiles import Profile, profile_column
from provetune.data.row_ids import label_keys
from provetune.data.table import RawTable
from provetune.data.texts import read_texts
from provetune.problem.syntax import Columns

_FIRST = 5
_ALIKE = 4.0


def find_pair(raw: RawTable, taken: Collection[str]) -> tuple[list[str] | None, str, bool]:
    """The two columns of texts, why, and whether they are called like a pair.

    Where names say nothing, the file's only two columns of texts of a like length are taken.

    Args:
        taken: columns that have another part.
    """
    profiles = [profile_column(raw, name) for name in raw.names if name not in taken]
    texts = {each.name: each for each in profiles if each.can_be_text and (each.distinct > 1 or raw.rows == 1)}
    # Of several that are called like pairs (source1 and source2 beside sentence1 and sentence2) the wordiest.
    for name in sorted(texts, key=lambda name: -_wordiness(texts[name])):
        partner = find_partner(name, [other for other in texts if other != name])
        if partner is not None:
            if name_score(name, TITLE_NAMES) > 1:
                return [name, partner], f"'{name}' and '{partner}' are called like a title and its text.", False
            return [name, partner], f"'{name}' and '{partner}' are called like a pair.", True
    varied = [each for each in texts.values() if each.repeat < 10]
    if len(varied) == 2:
        short, long = sorted(each.mean_length for each in varied)
        if long <= _ALIKE * max(short, 1.0):
            names = [each.name for each in varied]
            return names, f"'{names[0]}' and '{names[1]}' are the only columns of texts, and of a like length.", False
    return None, "No two columns look like a pair of texts.", False


def _wordiness(profile: Profile) -> float:
    """How much is said in a column: long cells that hardly come back."""
    return round(profile.mean_length / profile.repeat, 1)


def read_pair(raw: RawTable, columns: Columns) -> dict[str, pa.ChunkedArray]:
    """``text`` and ``text_pair`` of all rows.

    Raises:
        DataError: not two columns are named, or a cell is no text.
    """
    names = [columns.text] if isinstance(columns.text, str) else list(columns.text or [])
    if len(names) != 2:
        raise DataError(
            f"A pair stands in two columns. data.columns.text names {len(names) or 'none'}.",
            where=raw.location,
            hint="For example: columns: {text: [sentence_a, sentence_b], label: label}",
        )
    text, pair = read_texts(raw, names)
    if pair is None:
        raise DataError("A pair stands in two columns.", where=raw.location)
    return {"text": text, "text_pair": pair}


def find_pair_faults(splits: Mapping[str, pa.Table]) -> list[Finding]:
    """Equal texts on both sides, an empty side, and what pairs that stand in both orders say about the order."""
    findings: list[Finding] = []
    for split, rows in splits.items():
        if len(rows) and "text_pair" in rows.column_names:
            findings += [*_equal_sides(split, rows), *_empty_side(split, rows)]
    whole = [rows.select(_wanted(rows)) for rows in splits.values() if len(rows) and "text_pair" in rows.column_names]
    if whole:
        findings += _both_orders(pa.concat_tables(whole))
    return findings


def count_both_orders(rows: pa.Table) -> tuple[pa.Table, int]:
    """Pairs of different texts that stand in both orders.

    Returns:
        Those whose labels differ (first place of each: ``_file`` and ``_row``, where rows have them), and how many
        there are in all.
    """
    keys: dict[tuple[str, str], tuple[str | None, int]] = {}
    labels = label_keys(rows.column("label")).to_pylist()
    different: list[int] = []
    count = 0
    pairs = zip(rows.column("text").to_pylist(), rows.column("text_pair").to_pylist(), strict=True)
    for row, (first, second) in enumerate(pairs):
        if labels[row] is None or first == second:
            continue
        if (first, second) in keys:
            continue
        keys[first, second] = labels[row], row
        other = keys.get((second, first))
        if other is not None:
            count += 1
            if other[0] != labels[row]:
                different.append(other[1])
    places = rows.select([name for name in ("_file", "_row") if name in rows.column_names])
    return places.take(pa.array(different, pa.int64())), count


def _equal_sides(split: str, rows: pa.Table) -> Iterable[Finding]:
    alike = pc.equal(fold(rows.column("text")), fold(rows.column("text_pair")))
    same = np.asarray(pc.fill_null(alike, False).to_numpy(zero_copy_only=False), dtype=bool)
    if same.any():
        labels = label_keys(rows.column("label").filter(pa.array(same))).drop_null()
        kinds = len(pc.unique(labels))
        more = f" Their labels are {kinds} different ones." if kinds > 1 else ""
        count = "1 row" if same.sum() == 1 else f"{same.sum():,} rows"
        message = (
            f"In {count} of {split} both texts are the same (case and spaces aside).{more} Are both columns meant?"
        )
        yield Finding("same_text_on_both_sides", "warning", int(same.sum()), message, _places(rows, same))


def _empty_side(split: str, rows: pa.Table) -> Iterable[Finding]:
    empty = np.zeros(len(rows), dtype=bool)
    for name in ("text", "text_pair"):
        blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(rows.column(name)), ""), True)
        empty |= np.asarray(blank.to_numpy(zero_copy_only=False), dtype=bool)
    if empty.any():
        count = "1 row" if empty.sum() == 1 else f"{empty.sum():,} rows"
        message = f"In {count} of {split} one of the two texts is empty. Fill it in or remove the row."
        yield Finding("empty_side", "warning", int(empty.sum()), message, _places(rows, empty))


def _both_orders(rows: pa.Table) -> Iterable[Finding]:
    different, count = count_both_orders(rows)
    if not count:
        return
    if len(different):
        message = (
            f"Of {count:,} pairs that stand in both orders, {len(different):,} have another label the other way round. "
            "Where the order matters (entailment) that is as it should be; where it does not, one of them is wrong."
        )
        shown = tuple({"file": each["_file"], "row": each["_row"]} for each in different.slice(0, _FIRST).to_pylist())
        yield Finding("orders_disagree", "warning", len(different), message, shown if different.num_columns else ())
    else:
        message = (
            f"All {count:,} pairs that stand in both orders have the same label: the order seems not to matter, which "
            "options.order: free makes use of."
        )
        yield Finding("orders_agree", "note", count, message)


def _wanted(rows: pa.Table) -> list[str]:
    return [name for name in ("text", "text_pair", "label", "_file", "_row") if name in rows.column_names]


def _places(rows: pa.Table, mask: Any) -> tuple[Mapping[str, Any], ...]:
    if not {"_file", "_row"} <= set(rows.column_names):
        return ()
    chosen = rows.select(["_file", "_row"]).take(np.flatnonzero(mask)[:_FIRST]).to_pylist()
    return tuple({"file": each["_file"], "row": each["_row"]} for each in chosen)

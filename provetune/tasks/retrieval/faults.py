"""Faults that only pairs of queries and documents have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Finding
from provetune.data.documents import ABSENT, find_documents

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

_FIRST, _FEW_DOCUMENTS, _SHORT = 5, 20, 0.5


def find_faults(splits: Mapping[str, pa.Table]) -> list[Finding]:
    """What is wrong with the rows of each split, and between them."""
    findings: list[Finding] = []
    for split, rows in splits.items():
        if len(rows):
            findings += [*_same_on_both_sides(split, rows), *_repeated(split, rows), *_wrong_and_right(split, rows)]
            findings += _few_documents(split, rows)
    return findings


def _same_on_both_sides(split: str, rows: pa.Table) -> Iterable[Finding]:
    import pyarrow.compute as pc

    same = pc.fill_null(pc.equal(rows.column("text"), rows.column("text_pair")), False).to_numpy(zero_copy_only=False)
    if same.any():
        message = (
            f"In {same.sum():,} rows of {split} the document is the query itself: nothing is learned from them, and "
            "they are found without fail. Remove them."
        )
        yield Finding("same_text_on_both_sides", "warning", int(same.sum()), message, _places(rows, same))


def _repeated(split: str, rows: pa.Table) -> Iterable[Finding]:
    """Pairs that stand there more than once, and documents that answer many queries."""
    found = find_documents(rows)
    whole = (found.asked != ABSENT) & (found.own != ABSENT)
    pairs = np.stack([found.asked, found.own], axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    again = whole.copy()
    again[first] = False
    if again.any():
        message = f"{again.sum():,} rows of {split} repeat a query with the same document. They count once when judged."
        yield Finding("repeated_pairs", "warning", int(again.sum()), message, _places(rows, again))
    shared = np.bincount(found.own[whole & ~again])
    if len(shared) and (shared > 1).any():
        message = (
            f"{int((shared > 1).sum()):,} documents of {split} answer more than one query (one of them "
            f"{shared.max():,}). In a batch they are not wrong for each other's queries."
        )
        yield Finding("shared_documents", "note", int((shared > 1).sum()), message)


def _wrong_and_right(split: str, rows: pa.Table) -> Iterable[Finding]:
    if "negatives" not in rows.column_names:
        return
    right: dict[str, set[str]] = {}
    for query, document in zip(rows.column("text").to_pylist(), rows.column("text_pair").to_pylist(), strict=True):
        right.setdefault(query, set()).add(document)
    asked = zip(rows.column("text").to_pylist(), rows.column("negatives").to_pylist(), strict=True)
    both = np.array([bool(right[query] & set(wrong or ())) for query, wrong in asked])
    if both.any():
        message = (
            f"{both.sum():,} rows of {split} call a document wrong that answers the same query elsewhere. It is not "
            "taken as wrong; check which is meant."
        )
        yield Finding("wrong_and_right", "warning", int(both.sum()), message, _places(rows, both))


def _few_documents(split: str, rows: pa.Table) -> Iterable[Finding]:
    count = len(find_documents(rows))
    if split != "train" and count < _FEW_DOCUMENTS:
        message = (
            f"There are only {count} different documents in {split} to choose from, so every score is high by chance. "
            "Add more with data.corpus."
        )
        yield Finding("few_documents", "warning", count, message)


def _places(rows: pa.Table, mask: Array) -> tuple[Mapping[str, Any], ...]:
    if "_row" not in rows.column_names:
        return ()
    chosen = rows.select(["_file", "_row"]).take(np.flatnonzero(mask)[:_FIRST]).to_pylist()
    return tuple({"file": each["_file"], "row": each["_row"]} for each in chosen)

"""Faults that only rows of a source and a target have: the same text on both sides, and lengths that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Finding

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

SHOWN = 5
LEAST_FACTOR = 3.0
SPREADS = 4.0
LEAST_ROWS = 20
_MAD_TO_DEVIATION = 1.4826


def find_faults(splits: Mapping[str, pa.Table]) -> list[Finding]:
    """Faults of all splits, places of the first rows with them."""
    rows = _Rows(splits)
    if not len(rows.lengths):
        return []
    return [*_find_copies(rows), *_find_odd_lengths(rows)]


class _Rows:
    """Sources and targets of all splits, one after the other."""

    def __init__(self, splits: Mapping[str, pa.Table]) -> None:
        import pyarrow as pa

        named = {name: table for name, table in splits.items() if table.num_rows}
        self.splits = [name for name, table in named.items() for _ in range(table.num_rows)]
        wanted = ("text", "label", "_file", "_row")
        parts = [table.select([name for name in wanted if name in table.column_names]) for table in named.values()]
        self.table = pa.concat_tables(parts) if parts else pa.table({"text": [], "label": []})
        self.sources = [str(text or "") for text in self.table.column("text").to_pylist()]
        self.targets = [str(text or "") for text in self.table.column("label").to_pylist()]
        self.lengths = np.array(
            [(len(source), len(target)) for source, target in zip(self.sources, self.targets, strict=True)]
        ).reshape(-1, 2)

    def places(self, numbers: Array) -> tuple[Mapping[str, Any], ...]:
        """File, row and split of the first rows of these."""
        if "_file" not in self.table.column_names:
            return ()
        chosen = [int(number) for number in numbers[:SHOWN]]
        return tuple(
            {
                "file": self.table.column("_file")[number].as_py(),
                "row": self.table.column("_row")[number].as_py(),
                "split": self.splits[number],
            }
            for number in chosen
        )


def _find_copies(rows: _Rows) -> list[Finding]:
    """Rows whose target is the source, case and spaces aside: untranslated, or the wrong column."""
    pairs = zip(rows.sources, rows.targets, strict=True)
    same = np.flatnonzero([bool(target) and _fold(source) == _fold(target) for source, target in pairs])
    if not len(same):
        return []
    share = len(same) / len(rows.sources)
    message = f"{_rows(len(same), 'has', 'have')} the same text on both sides ({share:.1%})."
    if share > 0.5:
        message += " Check data.columns: text and label may name one column."
        return [Finding("same_both_sides", "blocking", len(same), message, rows.places(same))]
    message += " A model learns to copy from them; remove those that should differ."
    return [Finding("same_both_sides", "warning", len(same), message, rows.places(same))]


def _find_odd_lengths(rows: _Rows) -> list[Finding]:
    """Rows whose target is far longer or shorter than their source's length lets expect.

    The logarithm of the ratio of lengths is compared with its median, in units of its spread (the median absolute
    deviation, which outliers do not move); a ratio within a factor of three of the usual one is never an outlier.
    """
    both = (rows.lengths > 0).all(axis=1)
    if both.sum() < LEAST_ROWS:
        return []
    ratios = np.zeros(len(rows.lengths))
    ratios[both] = np.log(rows.lengths[both, 1] / rows.lengths[both, 0])
    usual = np.median(ratios[both])
    spread = _MAD_TO_DEVIATION * np.median(np.abs(ratios[both] - usual))
    distance = np.where(both, np.abs(ratios - usual), 0.0)
    limit = max(float(np.log(LEAST_FACTOR)), SPREADS * float(spread))
    odd = np.flatnonzero(distance > limit)
    if not len(odd):
        return []
    worst = odd[np.argsort(-distance[odd], kind="stable")]
    message = (
        f"{_rows(len(odd), 'has', 'have')} a target of unusual length: as a rule it has {np.exp(usual):.2f} times the "
        f"letters of its source, here under {np.exp(usual - limit):.2f} or over {np.exp(usual + limit):.2f} times. "
        "Look whether the two belong together."
    )
    return [Finding("odd_length_ratio", "warning", len(odd), message, rows.places(worst))]


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


def _rows(count: int, one: str, many: str) -> str:
    return f"{count:,} row {one}" if count == 1 else f"{count:,} rows {many}"

"""What a person is told about how their rows were divided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.data.drawing import TEST, TRAIN, VALIDATION
from provetune.data.examples import STRATUM
from provetune.data.folding import drawn_texts, fold
from provetune.data.table import RawTable
from provetune.problem.syntax import Columns, Data

_NAMES_SHOWN = 5
_LACKING = "too few rows to be in"
_CODES = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


def say_set_aside(aside: pa.Table, raw: RawTable) -> list[str]:
    """How many rows of a file cannot be used, and why."""
    if aside.num_rows == 0:
        return []
    counts = Counter(aside["_reason"].to_pylist())
    words = {"bad": "{} that cannot be read", "text": "{} without text", "label": "{} without label"}
    parts = " and ".join(said.format(counts[reason]) for reason, said in words.items() if counts[reason])
    rows = "1 row was" if aside.num_rows == 1 else f"{aside.num_rows} rows were"
    return [f"{raw.short_name}: {rows} set aside ({parts})."]


def say_drawn(rows: pa.Table, codes: Any, shares: Sequence[float], data: Data, columns: Columns) -> list[str]:
    """What was drawn and how, which rows were kept together, and which labels a split lacks.

    Args:
        rows: the examples that were divided.
        codes: where each of them went, as `provetune.data.drawing.draw` returns it.
        shares: of validation and test; 0 for a split that was not drawn.
    """
    names = [name for name, share in zip(("validation", "test"), shares, strict=True) if share]
    how = "by time" if columns.time else f"by '{columns.group}'" if columns.group else "at random"
    alike = STRATUM in rows.column_names and pc.count_distinct(rows[STRATUM]).as_py() <= 1
    if data.split.stratify and not (columns.time or columns.group or alike):
        how = "with each label's share kept"
    drawn = " and ".join(f"{_rows(int((codes == _CODES[name]).sum()))} for {name}" for name in names)
    notes = [f"Drawn from {len(codes)} rows {how} with seed {data.split.seed}: {drawn}."]
    if not columns.time and not columns.group:
        texts = fold(drawn_texts(rows))
        repeated = len(texts) - pc.count_distinct(texts).as_py()
        if repeated:
            what = "1 row repeats" if repeated == 1 else f"{repeated} rows repeat"
            notes.append(f"{what} the text of another row; equal texts stay in one split.")
    if STRATUM in rows.column_names:  # labels are no classes
        return notes
    return notes + _say_lacking(rows["label"], codes, ["train", *names])


def is_warning(note: str) -> bool:
    """Whether a note says that labels are so rare that a split has none of them: worth a line before any training."""
    return _LACKING in note


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _say_lacking(labels: pa.ChunkedArray, codes: Any, splits: Sequence[str]) -> list[str]:
    flat, places = labels, np.arange(len(labels))
    if pa.types.is_list(labels.type):
        flat, places = pc.list_flatten(labels), pc.list_parent_indices(labels).to_numpy()
    everything = set(pc.unique(flat).to_pylist())
    notes = []
    for split in splits:
        missing = sorted(everything - set(pc.unique(flat.filter(pa.array(codes[places] == _CODES[split]))).to_pylist()))
        if missing:
            shown = ", ".join(missing[:_NAMES_SHOWN]) + (", …" if len(missing) > _NAMES_SHOWN else "")
            count = "1 label has" if len(missing) == 1 else f"{len(missing)} labels have"
            notes.append(f"{count} {_LACKING} {split}: {shown}.")
    return notes

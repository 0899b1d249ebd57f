"""The rows as one candidate sees them, where it has data of its own: masked, without repetitions, a share of them.

Steps that change texts act on every split and leave ids and labels alone; steps that leave rows out act on the
training rows alone, as do corrected labels. So every candidate of a study is judged on the same rows. The
order is fixed:
texts are masked first, then labels are corrected and rows left out, then repetitions of what is left of them
go, then the
share or the subset is drawn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.data.drawing import ids_and_strata, label_strata
from provetune.data.folding import fold, whole_texts
from provetune.data.privacy import mask_column
from provetune.data.row_faults import later_rows
from provetune.data.row_ids import draw_numbers, label_keys
from provetune.data.subsets import count_subset, draw_subset
from provetune.problem.syntax import CandidateData

Numbers = np.ndarray[Any, np.dtype[Any]]
TRAIN = "train"
_TEXTS = ("text", "text_pair")


def apply_variant(examples: pa.Table, variant: CandidateData | None, split: str, seed: int) -> pa.Table:
    """The rows of a split as a candidate sees them; of the training rows those that it learns from.

    Args:
        examples: as made by `to_examples`; their order is kept.
        variant: the candidate's data section; None changes nothing.
        split: ``train``, ``validation`` or ``test``.
        seed: of the draw of a share.
    """
    seen = show_texts(examples, variant)
    if split != TRAIN:
        return seen
    seen = correct_labels(seen, variant)
    return keep_rows(seen, learned_rows(seen, variant, seed))


def show_texts(examples: pa.Table, variant: CandidateData | None) -> pa.Table:
    """The rows with their texts masked. The file's own columns (``raw.…``) stay: slices go by them."""
    if variant is None or not variant.mask:
        return examples
    if "label" in examples.column_names and points_into_text(examples["label"].type):
        raise DataError(
            "Masking moves the letters that labels point to.",
            where="data.mask of a candidate",
            hint="Leave it out.",
        )
    for name in (name for name in _TEXTS if name in examples.column_names):
        masked = mask_column(examples[name], variant.mask)
        examples = examples.set_column(examples.column_names.index(name), name, masked)
    return examples


def points_into_text(kind: pa.DataType) -> bool:
    """Whether labels of this type are places in a text: structs with a start, or lists of them."""
    inner = kind.value_type if pa.types.is_list(kind) else kind
    return bool(pa.types.is_struct(inner) and inner.get_field_index("start") >= 0)


def correct_labels(examples: pa.Table, variant: CandidateData | None) -> pa.Table:
    """The training rows with the labels that corrections give them. Those without one stay, for `learned_rows`."""
    found = {row: label for row, label in corrections_of(variant).items() if label is not None}
    if not found:
        return examples
    labels = [found.get(row, label) for row, label in zip(*_ids_and_labels(examples), strict=True)]
    place = examples.column_names.index("label")
    return examples.set_column(place, "label", pa.chunked_array([pa.array(labels, pa.string())]))


def corrections_of(variant: CandidateData | None) -> dict[str, str | None]:
    """Corrected label by row id; None where the row is left out. A file's name must have been read already."""
    written = None if variant is None else variant.corrections
    if isinstance(written, str):
        raise ValueError(f"The corrections in '{written}' were not read.")
    return dict(written or {})


def learned_rows(seen: pa.Table, variant: CandidateData | None, seed: int) -> Numbers | None:
    """Numbers of the training rows that a candidate learns from, ascending (R,), or None for all of them.

    Args:
        seen: training rows whose texts are masked already, see `show_texts`, and whose labels are corrected.
        seed: of the draw of a share. The rows of a smaller share are among those of a larger one of that seed.
    """
    if variant is None:
        return None
    kept = _rows_to_draw_from(seen, variant)
    if variant.draws:
        rows = keep_rows(ids_and_strata(seen), kept)
        subset = variant.subset
        drawn = draw_share(rows, variant.share, seed) if subset is None else draw_subset(rows, subset.per_label, seed)
        kept = drawn if kept is None else kept[drawn]
    return kept


def count_learned_rows(seen: pa.Table, variant: CandidateData | None) -> int:
    """How many rows `learned_rows` keeps. With several labels a row the draw may keep a few more."""
    if variant is None:
        return int(seen.num_rows)
    kept = _rows_to_draw_from(seen, variant)
    if not variant.draws:
        return int(seen.num_rows) if kept is None else len(kept)
    if variant.subset is not None:
        return count_subset(keep_rows(ids_and_strata(seen), kept), variant.subset.per_label)
    return int(_quotas(np.bincount(label_strata(keep_rows(ids_and_strata(seen), kept))), variant.share).sum())


def keep_rows(examples: pa.Table, kept: Numbers | None) -> pa.Table:
    """The rows of these numbers, ascending (R,); all of them for None."""
    if kept is None:
        return examples
    # Filtered, not taken: a column of strings over 2 GiB can be filtered chunk by chunk.
    mask = np.zeros(examples.num_rows, dtype=bool)
    mask[kept] = True
    return examples.filter(pa.array(mask))


def first_rows(examples: pa.Table) -> Numbers:
    """Numbers of the rows whose text and label have not stood before, ascending (R,).

    Texts are compared as `provetune check` compares them, case and white space aside. Where equal texts have
    different labels, one row of each stays: which of them is right is not for this step to decide.
    """
    table = pa.table({"text": fold(whole_texts(examples)), "label": label_keys(examples["label"])})
    kept: Numbers = np.setdiff1d(np.arange(examples.num_rows), later_rows(table, ["text", "label"]), assume_unique=True)
    return kept


def draw_share(examples: pa.Table, share: float, seed: int) -> Numbers:
    """Numbers of the rows drawn, ascending (R,): of each label its share, rounded, and at least one row.

    Every row has a number from the hash of seed and row id, and each label's lowest are drawn. So the draw
    depends on the rows' content alone, and a smaller share is a part of a larger one.
    """
    numbers, strata = draw_numbers(examples["row_id"], seed, "share"), label_strata(examples)
    sizes = np.bincount(strata)
    order = np.lexsort((numbers, strata))
    place_in_label = np.arange(len(order)) - (np.cumsum(sizes) - sizes)[strata[order]]
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[place_in_label < _quotas(sizes, share)[strata[order]]]] = True
    if pa.types.is_list(examples["label"].type) and pa.types.is_string(examples["label"].type.value_type):
        chosen[_first_of_each_label(examples["label"], numbers)] = True
    return np.flatnonzero(chosen)


def _rows_to_draw_from(seen: pa.Table, variant: CandidateData) -> Numbers | None:
    """Numbers of the rows that are neither left out by corrections nor repetitions, or None for all of them."""
    out = [row for row, label in corrections_of(variant).items() if label is None]
    kept: Numbers | None = None
    if out:
        left = pc.invert(pc.is_in(seen["row_id"], value_set=pa.array(out, pa.string())))
        kept = np.flatnonzero(left.to_numpy())
    if not variant.deduplicate:
        return kept
    firsts = first_rows(keep_rows(seen, kept))
    return firsts if kept is None else kept[firsts]


def _ids_and_labels(examples: pa.Table) -> tuple[list[str], list[str]]:
    return examples["row_id"].to_pylist(), examples["label"].to_pylist()


def _quotas(sizes: Numbers, share: float) -> Numbers:
    return np.where(sizes > 0, np.maximum(1, np.floor(sizes * share + 0.5)), 0).astype(np.int64)


def _first_of_each_label(labels: pa.ChunkedArray, numbers: Numbers) -> Numbers:
    """With several labels a row: of each label the row with the lowest number, which every share then has."""
    parents = pc.list_parent_indices(labels).to_numpy()
    names = pc.list_flatten(labels)
    codes = pc.index_in(names, pc.unique(names)).to_numpy()
    order = np.lexsort((numbers[parents], codes))
    _, firsts = np.unique(codes[order], return_index=True)
    rows: Numbers = parents[order[firsts]]
    return rows

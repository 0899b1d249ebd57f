"""A study's rows as one trial sees them: the candidate's own data section carried out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from provetune.core.seeds import derive
from provetune.study.splits_store import load_split
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array
    from provetune.data.folds import Part


def seen_rows(spec: TrialSpec, split: str) -> pa.Table:
    """The training or validation rows, all of them, with their texts as the candidate sees them.

    Training rows have the labels that the candidate's corrections give them. Of a round of cross-validation they are
    those that teach or validate in it.
    """
    # With folds, every split is all rows.
    rows = in_round(spec, load_split(Path(spec.study_folder), "train" if spec.fold is not None else split), split)
    seen = as_seen(spec, rows)
    if split != "train" or spec.data is None:
        return seen
    from provetune.data.variants import correct_labels

    return correct_labels(seen, spec.data)


def in_round(spec: TrialSpec, examples: pa.Table, part: str) -> pa.Table:
    """Of all rows of a study with folds those that have this part in a trial's round; all of them without folds."""
    if spec.fold is None or spec.folds is None:
        return examples
    from provetune.data.folds import Folds

    return Folds(**spec.folds).part(examples, spec.fold, cast("Part", part))


def as_seen(spec: TrialSpec, examples: pa.Table) -> pa.Table:
    """Rows of any split with their texts as the candidate sees them; ids and labels stay."""
    if spec.data is None:
        return examples
    from provetune.data.variants import show_texts

    return show_texts(examples, spec.data)


def learned_from(spec: TrialSpec, seen: pa.Table) -> Array | None:
    """Numbers of the training rows that this run learns from, ascending (R,), or None for all of them.

    Args:
        seen: the training rows of `seen_rows`.
    """
    if spec.data is None:
        return None
    from provetune.data.variants import learned_rows

    return learned_rows(seen, spec.data, derive(spec.seed, "rows"))

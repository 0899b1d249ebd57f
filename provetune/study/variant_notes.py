"""What a candidate's own data section does to this study's rows, in numbers and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provetune.problem.syntax import CandidateData

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN_LABELS = 5


def learned_rows_of(name: str, data: CandidateData | None, train: pa.Table) -> tuple[int, list[str]]:
    """Training rows that a candidate learns from, and a sentence for each thing that its data section does.

    Args:
        name: the candidate's.
        data: its section; None for the problem's data as they are.
        train: all training rows.
    """
    if data is None:
        return train.num_rows, []
    from provetune.data.variants import TRAIN, apply_variant, count_learned_rows, first_rows, keep_rows, show_texts

    notes = []
    seen = show_texts(train, data)
    if data.corrections:
        corrected = CandidateData(corrections=data.corrections)
        left_out = train.num_rows - count_learned_rows(seen, corrected)
        notes.append(_say_corrected(name, data, train, left_out))
        seen = apply_variant(seen, corrected, TRAIN, 0)
    if data.mask:
        notes.append(_say_masked(name, data, _changed_texts(train, seen), train.num_rows))
    if data.deduplicate:
        kept = first_rows(seen)
        notes.append(_say_repeated(name, train.num_rows - len(kept), train.num_rows))
        seen = keep_rows(seen, kept)
    rows = count_learned_rows(seen, CandidateData(share=data.share, subset=data.subset))
    if data.subset is not None:
        notes += _say_subset(name, data.subset.per_label, seen, rows, train.num_rows)
    if data.share < 1:
        notes.append(
            f"'{name}' learns from {rows:,} of {train.num_rows:,} training rows (share {data.share:g}), drawn anew for "
            "each seed, label by label: a claim about it counts the luck of that draw too."
        )
    return rows, notes


def _say_masked(name: str, data: CandidateData, changed: int, rows: int) -> str:
    kinds = ", ".join(dict.fromkeys(data.mask))
    if changed == 0:
        return f"'{name}' masks {kinds}, but no training text holds any that data.mask has left."
    return (
        f"'{name}' masks {kinds}: {changed:,} of {rows:,} training texts are changed, and every text that it is "
        "asked about is masked alike."
    )


def _say_subset(name: str, per_label: int, seen: pa.Table, rows: int, all_rows: int) -> list[str]:
    from provetune.data.subsets import labels_short_of

    notes = [
        f"'{name}' learns from {rows:,} of {all_rows:,} training rows ({per_label:,} a label), drawn anew for each "
        "seed: a claim about it counts the luck of that draw too."
    ]
    if short := labels_short_of(seen, per_label):
        shown = ", ".join(f"'{label or 'none'}' ({count:,})" for label, count in list(short.items())[:_SHOWN_LABELS])
        more = f" and {len(short) - _SHOWN_LABELS:,} more" if len(short) > _SHOWN_LABELS else ""
        notes.append(f"Labels with fewer than {per_label:,} training rows give '{name}' all they have: {shown}{more}.")
    return notes


def _say_corrected(name: str, data: CandidateData, train: pa.Table, left_out: int) -> str:
    import pyarrow as pa
    import pyarrow.compute as pc

    from provetune.data.variants import corrections_of

    named = corrections_of(data)
    known = int(pc.sum(pc.is_in(train["row_id"], value_set=pa.array(list(named), pa.string()))).as_py() or 0)
    others = f"; {len(named) - known:,} more name no training row and change nothing" if len(named) > known else ""
    return f"'{name}' has {known - left_out:,} training labels corrected and {left_out:,} rows left out{others}."


def _say_repeated(name: str, repeated: int, rows: int) -> str:
    if repeated == 0:
        return f"'{name}' is to leave out repeated training rows, but none repeats another's text and label."
    return f"'{name}' leaves out {repeated:,} of {rows:,} training rows, whose text and label stand in another."


def _changed_texts(before: pa.Table, after: pa.Table) -> int:
    """Rows of which a text was changed."""
    import pyarrow.compute as pc

    changed = pc.not_equal(before["text"], after["text"])
    if "text_pair" in before.column_names:
        changed = pc.or_(changed, pc.not_equal(before["text_pair"], after["text_pair"]))
    return int(pc.sum(changed).as_py() or 0)

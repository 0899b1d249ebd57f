"""Questions and passages into windows, with the first and last token of the answer where a window holds it.

As in Devlin et al. 2019 (arXiv:1810.04805): the question stands before every window of the passage, and of a window
that does not hold the answer the first token is the answer. Rows whose answer cannot be found are in no loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError
from provetune.core.protocols import EncodeSettings, Targets
from provetune.tasks.span_qa.answer_cells import Answer

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

IGNORED = -100
_STRIDE_SHARE = 3


def encode_questions(examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
    """Features: ``row, input_ids, starts, ends, cut, none`` (position of the token that means "no answer"), labels.

    Neighbouring windows share a third of the length, so that an answer is whole in one of them with something around
    it. A passage that is too long is always cut into windows unless the candidate says ``long_texts: head``.

    Raises:
        DataError: there are no rows, or one lacks its question or passage.
    """
    import pyarrow as pa

    from provetune.models.places import Places
    from provetune.models.windows import encode_windows

    if len(examples) == 0:
        raise DataError("There are no rows to encode.")
    wide = replace(
        settings,
        long_texts="head" if settings.long_texts == "head" else "windows",
        stride=max(settings.stride, settings.max_length // _STRIDE_SHARE),
    )
    batches = encode_windows(
        examples.column("text"), examples.column("text_pair"), tokenizer, wide, places=Places.of(examples)
    )
    table = pa.Table.from_batches(list(batches))
    table = table.append_column("none", pa.array(_none_positions(table, tokenizer)))
    return table if targets is None else table.append_column("labels", _labels(table, examples, targets))


def answer_tokens(starts: Array, ends: Array, first: int, last: int) -> tuple[int, int] | None:
    """The first and last token of letters `first` up to `last`, if the window holds them whole.

    Args:
        starts, ends: letters of each token of a window, -1 for tokens that are not of the passage.
    """
    inside = np.flatnonzero(starts >= 0)
    if len(inside) == 0 or starts[inside[0]] > first or ends[inside[-1]] < last:
        return None
    touched = inside[(ends[inside] > first) & (starts[inside] < last)]
    return (int(touched[0]), int(touched[-1])) if len(touched) else None


def learned_place(label: Sequence[Mapping[str, Any]] | None, *, repair: bool) -> tuple[int, int] | str | None:
    """Letters of the answer that is learned from: the first that can be found.

    Returns:
        Its start and end; None where the question has no answer; ``"unknown"`` where it has one that cannot be found,
        or is not labelled.
    """
    if label is None:
        return "unknown"
    given = [Answer(**answer) for answer in label if answer["text"].strip()]
    for answer in given:
        place = answer.place(repair=repair)
        if place >= 0:
            return place, place + len(answer.text)
    return "unknown" if given else None


def _none_positions(table: pa.Table, tokenizer: Any) -> Array:
    """Where each feature's classification token stands; the first token where the tokenizer has none."""
    number = getattr(tokenizer, "cls_token_id", None)
    found = np.zeros(len(table), dtype=np.int32)
    if number is not None:
        for k, ids in enumerate(table.column("input_ids")):
            at = np.flatnonzero(ids.values.to_numpy() == number)
            found[k] = at[0] if len(at) else 0
    return found


def _labels(table: pa.Table, examples: pa.Table, targets: Targets) -> pa.Array:
    """``[first token, last token]`` of each feature; -100 twice where it is not learned from."""
    import pyarrow as pa

    repair = targets.options.get("offsets") == "repair"
    places = [learned_place(label, repair=repair) for label in examples.column("label").to_pylist()]
    rows, none = table.column("row").to_numpy(), table.column("none").to_numpy()
    starts, ends = table.column("starts"), table.column("ends")
    labels = np.full((len(table), 2), IGNORED, dtype=np.int32)
    for k, row in enumerate(rows.tolist()):
        place = places[row]
        if isinstance(place, str):
            continue
        found = None
        if place is not None:
            found = answer_tokens(starts[k].values.to_numpy(), ends[k].values.to_numpy(), *place)
        labels[k] = (none[k], none[k]) if found is None else found
    offsets = np.arange(len(labels) + 1, dtype=np.int32) * 2
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(labels.ravel()))

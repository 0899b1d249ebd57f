"""A batch of items answered by a loaded bundle: every item gets its own answer or its own fault.

What is wrong with one item is found before the batch is computed. Where computing the batch fails all the same, its
items are asked again one by one, so that the one at fault fails alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provetune.core.errors import DataError, ProvetuneError
from provetune.serving.error_places import kind_and_places
from provetune.serving.frames import encode_row

if TYPE_CHECKING:
    from provetune.inference.predictor import Predictor

_LOG = logging.getLogger("provetune.serving")
INVALID, BROKEN = 422, 500
Rows = list[bytes]
Faults = dict[int, tuple[int, str]]


@dataclass(frozen=True)
class Options:
    """How items are answered, see `provetune.inference.predictor.Predictor.predict`."""

    top_k: int | None = None
    proba: bool = False


def answer_items(
    predictor: Predictor, items: Sequence[Any], options: Options, *, batches: bool = True
) -> tuple[Rows, Faults]:
    """Answers as rows of a frame, an empty object where there is none; and by number what is wrong with those.

    Args:
        batches: whether items may be computed together.
    """
    rows: Rows = [b"{}"] * len(items)
    faults: Faults = {}
    sound: list[int] = []
    for number, item in enumerate(items):
        try:
            if predictor.columns.given_texts(_as_given(item), "") is None:
                raise DataError("There is no text.", hint="Fill it in.")
        except ProvetuneError as error:
            faults[number] = (INVALID, str(error))
        else:
            sound.append(number)
    groups = [sound] if batches else [[number] for number in sound]
    for group in groups:
        _answer_group(predictor, items, group, options, rows, faults)
    return rows, faults


def _answer_group(
    predictor: Predictor, items: Sequence[Any], group: Sequence[int], options: Options, rows: Rows, faults: Faults
) -> None:
    """Fill in rows or faults of the items with these numbers."""
    if not group:
        return
    try:
        found = _predict(predictor, [items[number] for number in group], options)
    except ProvetuneError as error:
        if len(group) == 1:
            faults[group[0]] = (INVALID, str(error))
            return
    except Exception as error:  # noqa: BLE001 - whatever a model raises must not end the worker: items are told, one by one
        _LOG.error("A batch of %d could not be answered: %s", len(group), kind_and_places(error))
        if len(group) == 1:
            faults[group[0]] = (BROKEN, "The model failed on this item; the server's log says why.")
            return
    else:
        for number, answer in zip(group, found, strict=True):
            rows[number] = encode_row(answer)
        return
    for number in group:
        _answer_group(predictor, items, [number], options, rows, faults)


def _predict(predictor: Predictor, items: Sequence[Any], options: Options) -> list[Any]:
    from provetune.inference.inputs import prepare

    prepared = prepare([_as_given(item) for item in items], predictor.columns)
    found = predictor.answer(prepared, top_k=options.top_k, proba=options.proba)
    if len(found) != len(items):
        raise ValueError(f"The model gave {len(found)} answers to {len(items)} items.")
    return found


def _as_given(item: Any) -> Any:
    """An item of JSON as the predictor takes it: a list of texts is a pair."""
    if isinstance(item, list) and item and all(isinstance(part, str) for part in item):
        return tuple(item)
    return item

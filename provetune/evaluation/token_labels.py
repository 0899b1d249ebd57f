"""How single tokens were labelled, whatever spans they belong to: the table below the one of entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from provetune.data.tag_schemes import OUTSIDE, parse_tag
from provetune.evaluation.entities import EntityReport
from provetune.statistics.label_counts import LabelCounts, count_labels, label_scores

if TYPE_CHECKING:
    from provetune.core.protocols import Array


def token_counts(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Array:
    """Tokens with the right tag, and tokens, of each row: int64 (N, 2)."""
    pairs = zip(gold, predicted, strict=True)
    return np.array(
        [(sum(map(str.__eq__, wanted, found)), len(wanted)) for wanted, found in pairs], dtype=np.int64
    ).reshape(-1, 2)


def token_reports(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> list[EntityReport]:
    """Precision, recall and F1 of each label over tokens, and of O; support in tokens. Prefixes do not count.

    Raises:
        ValueError: a row has not as many tags on one side as on the other.
    """
    wanted = [_label(tag) for tags in gold for tag in tags]
    found = [_label(tag) for tags in predicted for tag in tags]
    if [len(tags) for tags in gold] != [len(tags) for tags in predicted]:
        raise ValueError("Both sides must have a tag for each token.")
    names = [*sorted({*wanted, *found} - {OUTSIDE}), OUTSIDE]
    number = {name: k for k, name in enumerate(names)}
    counts = count_labels(
        np.array([number[name] for name in wanted], dtype=np.int64),
        np.array([number[name] for name in found], dtype=np.int64),
        len(names),
    )
    return _lines(names, counts)


def _label(tag: str) -> str:
    parsed = parse_tag(tag)
    return tag if parsed is None else parsed[1] or OUTSIDE


def _lines(names: Sequence[str], counts: LabelCounts) -> list[EntityReport]:
    scores = label_scores(counts)
    return [
        EntityReport(
            name,
            float(scores["precision"][k]),
            float(scores["recall"][k]),
            float(scores["f1"][k]),
            support=int(counts.gold[k]),
            predicted=int(counts.predicted[k]),
        )
        for k, name in enumerate(names)
    ]

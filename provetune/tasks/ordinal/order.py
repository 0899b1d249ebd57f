"""The order of labels, what training makes small, and which step of the scale is said."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from provetune.core.errors import DataError
from provetune.core.suggest import advice

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Array

Decide: TypeAlias = Literal["median", "mean", "most_likely"]


def order_labels(
    labels: Collection[str], order: Sequence[str] | None, place: Callable[[str], str | None] = lambda label: None
) -> tuple[str, ...]:
    """The labels from the lowest to the highest: as `order` says, or by the numbers that they are.

    Args:
        place: file and row of the first row that has a label, for errors.

    Raises:
        DataError: a label is not in the order, or there is no order and a label is no number.
    """
    if order is not None:
        for label in sorted(labels):
            if label not in order:
                raise DataError(
                    f"The label '{label}' is not in options.order.", where=place(label), hint=advice(label, list(order))
                )
        return tuple(order)
    numbers = {label: _number(label) for label in labels}
    words = sorted(label for label, number in numbers.items() if math.isnan(number))
    if words:
        raise DataError(
            f"The order of the labels is not known: '{words[0]}' is no number.",
            where=place(words[0]),
            hint="Correct it, or name them all from the lowest to the highest: options: {order: [bad, fair, good]}.",
        )
    return tuple(sorted(labels, key=lambda label: (numbers[label], label)))


def ordered_loss(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Cross-entropy, plus the mean log-loss of the questions "is it above step k?", one for each of the C - 1 steps.

    The second part is the all-threshold loss (Rennie & Srebro 2005), with P(above k) summed from one softmax over the
    labels: the answers never contradict each other, and the head stays that of plain classification. A label two steps
    off costs more than one that is one step off, which cross-entropy does not know; alone it learns the order quickly
    and the labels slowly.

    Args:
        logits: (B, C).
        labels: places in the order (B,); those below 0 are left out.
        weights: weight of each label (C,), of its rows.

    Returns:
        A scalar: the (weighted) mean over the rows.
    """
    import torch

    shares = torch.log_softmax(logits.float(), dim=1)
    below = torch.logcumsumexp(shares, dim=1)[:, :-1]
    above = torch.logcumsumexp(shares.flip(1), dim=1).flip(1)[:, 1:]
    known = labels >= 0
    places = labels.clamp(min=0)
    steps = torch.arange(below.shape[1], device=logits.device)
    losses = -torch.where(places[:, None] > steps, above, below).mean(dim=1) - shares.gather(1, places[:, None])[:, 0]
    importance = known.float() if weights is None else known * weights[places]
    return (losses * importance).sum() / importance.sum().clamp(min=1e-12)


def decide_steps(probabilities: Array, how: Decide) -> Array:
    """The place in the order that is said for each row, (N,).

    The median makes the mean distance least, the mean (rounded) its square and with it the quadratic kappa, the most
    likely label the share of wrong rows.

    Args:
        probabilities: (N, C), the labels in their order.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if how == "most_likely":
        return np.asarray(values.argmax(axis=1))
    if how == "mean":
        return np.asarray(np.rint((values @ np.arange(values.shape[1])) / values.sum(axis=1)).astype(np.int64))
    reached = np.cumsum(values, axis=1) >= 0.5 * values.sum(axis=1, keepdims=True) - 1e-9
    return np.asarray(reached.argmax(axis=1))


def _number(label: str) -> float:
    try:
        found = float(label)
    except ValueError:
        return math.nan
    return found if math.isfinite(found) else math.nan

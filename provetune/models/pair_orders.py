"""Pairs of texts read both ways round, for tasks in which the order does not matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


def swap_pairs(examples: pa.Table) -> pa.Table:
    """The rows with their two texts in the other order."""
    first, second = (examples.column(name) for name in ("text", "text_pair"))
    swapped = examples.set_column(examples.column_names.index("text"), "text", second)
    return swapped.set_column(examples.column_names.index("text_pair"), "text_pair", first)


def encode_both_orders(encode: Callable[[pa.Table], pa.Table], examples: pa.Table) -> pa.Table:
    """Features of the rows as they are and of the rows swapped, those of one row beside each other.

    Args:
        encode: rows → features with ``row``, ascending.
    """
    import pyarrow as pa

    both = pa.concat_tables([encode(examples), encode(swap_pairs(examples))])
    order = np.argsort(both.column("row").to_numpy(), kind="stable")
    return both.take(pa.array(order))

"""Weights as whole numbers from -127 to 127 with a scale each: of a matrix a scale a column, of a table a scale a row.

Symmetric, so that nought is nought, and rounded to the nearest: what is stored is at most half a step from what was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_LEAST = 1e-12
_BALANCE_BOUNDS = (1e-2, 1e2)


def round_columns(weights: Array, bits: int = 8) -> tuple[Array, Array]:
    """A matrix (K, N) as int8 (K, N) and scales float32 (N,): ``numbers * scales`` is nearest to it.

    Args:
        bits: 8 uses -127 to 127, 7 uses -63 to 63.
    """
    top = 2 ** (bits - 1) - 1
    scales = _scales(np.abs(weights).max(axis=0), top)
    return _rounded(weights / scales, top), scales


def round_rows(table: Array) -> tuple[Array, Array]:
    """A table (V, D) as int8 (V, D) and scales float32 (V, 1)."""
    scales = _scales(np.abs(table).max(axis=1, keepdims=True), 127)
    return _rounded(table / scales, 127), scales


def balance(largest: Array, matrices: Sequence[Array], power: float) -> Array:
    """What each channel is divided by before a product, and its weights multiplied by, float32 (K,).

    A few channels of a transformer's hidden states are many times as large as the rest and would take the scale of
    all; moving a part of their size into the weights, which have a scale a column, makes both easy to round (Xiao et
    al. 2023, "SmoothQuant"). Here the factors are divided by their median and bounded.

    Args:
        largest: largest absolute value of each channel in the rows that were looked at, (K,).
        matrices: weights that are multiplied with these channels, (K, N) each.
        power: share of the size that moves; 0 moves nothing.
    """
    of_weights = np.maximum.reduce([np.abs(one).max(axis=1) for one in matrices])
    factors = np.maximum(largest, 1e-5) ** power / np.maximum(of_weights, 1e-5) ** (1.0 - power)
    if power == 0.0:
        factors = np.ones_like(factors)
    scaled: Array = np.clip(factors / np.median(factors), *_BALANCE_BOUNDS).astype(np.float32)
    return scaled


def fixed_scale(low: float, high: float) -> tuple[float, int]:
    """Scale and zero point of an activation in unsigned 8 bits that always takes its values from `low` to `high`."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max(high - low, _LEAST) / 255.0
    return scale, int(np.clip(round(-low / scale), 0, 255))


def _scales(largest: Array, top: int) -> Array:
    return np.where(largest > _LEAST, largest / top, 1.0).astype(np.float32)


def _rounded(values: Array, top: int) -> Array:
    return np.clip(np.rint(values), -top, top).astype(np.int8)

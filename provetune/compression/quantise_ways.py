"""Two ways for an activation to become whole numbers that do not depend on which other rows are in the batch.

ONNX Runtime's own dynamic quantisation takes one scale of everything in the batch, so that a text's answer changes
with its neighbours. Here every token's vector has a scale of its own, or all have one that was fixed beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.compression.export_graph import RUNTIME, GraphWriter
from provetune.compression.quantise_numbers import balance, fixed_scale, round_columns

if TYPE_CHECKING:
    from provetune.compression.quantise_graph import Product
    from provetune.core.protocols import Array

Ranges = Mapping[str, tuple["Array", "Array"]]
"""Least and greatest value of every channel of an activation, by its name: (K,) each."""
_LEAST = 1e-12


class _Balanced:
    """What both ways share: large channels are made smaller, their weights larger.

    Args:
        ranges: of the activations in rows that were looked at; none are balanced where it is None.
        power: see `balance`.
        bits: of a weight, 8 or 7.
    """

    def __init__(self, ranges: Ranges | None, power: float, bits: int) -> None:
        self.ranges, self.power, self.bits = ranges, power, bits
        self._factors: dict[str, Array] = {}

    def _balance(self, graph: GraphWriter, activation: str, products: Sequence[Product]) -> str:
        """Write the division of the channels; returns the name of what is then rounded."""
        if self.ranges is None or self.power == 0.0:
            return activation
        low, high = self.ranges[activation]
        factors = balance(np.maximum(-low, high), [one.weights for one in products], self.power)
        self._factors[activation] = factors
        found: str = graph.node("Mul", [activation, graph.keep(f"{activation}.balance", 1.0 / factors)])
        return found

    def _weights(self, graph: GraphWriter, product: Product) -> tuple[str, str, Array]:
        """Store a product's weights; returns the names of numbers and scales, and the sum of each column as stored."""
        factors = self._factors.get(product.taken)
        weights = product.weights if factors is None else product.weights * factors[:, None]
        numbers, scales = round_columns(weights, self.bits)
        sums = numbers.astype(np.int64).sum(axis=0).astype(np.float32) * scales
        name = f"{product.name}.weights"
        return graph.keep(f"{name}.numbers", numbers), graph.keep(f"{name}.scales", scales), sums


class RowScales(_Balanced):
    """Every row of an activation from its own least to its own greatest value, in 255 steps.

    ``x = low + range * q / 255``, so that ``x W = range * (q W) / 255 + low * (sum of W's columns)``.
    """

    def take(self, graph: GraphWriter, activation: str, products: Sequence[Product]) -> tuple[str, str, str]:
        source = self._balance(graph, activation, products)
        axis = graph.number("axis", -1)
        high = graph.node("ReduceMax", [source, axis], keepdims=1)
        low = graph.node("ReduceMin", [source, axis], keepdims=1)
        least = graph.keep("least", np.asarray(_LEAST, dtype=np.float32))
        width = graph.node("Max", [graph.node("Sub", [high, low]), least])
        share = graph.node("Div", [graph.node("Sub", [source, low]), width])
        step = graph.keep("step", np.asarray(1.0 / 255.0, dtype=np.float32))
        nought = graph.keep("nought", np.asarray(0, dtype=np.uint8))
        return graph.node("QuantizeLinear", [share, step, nought]), low, width

    def multiply(self, graph: GraphWriter, taken: Any, product: Product, outputs: Sequence[str]) -> None:
        whole, low, width = taken
        numbers, scales, sums = self._weights(graph, product)
        shares = graph.node(
            "MatMulIntegerToFloat",
            [whole, numbers, f"{graph.prefix}step", scales, f"{graph.prefix}nought"],
            domain=RUNTIME,
        )
        below = graph.node("Mul", [low, graph.keep(f"{product.name}.sums", sums)])
        graph.node("Add", [graph.node("Mul", [shares, width]), below], outputs=outputs)


class FixedScales(_Balanced):
    """One scale an activation, of the values that it had in training rows; what lies beyond is cut off."""

    def __init__(self, ranges: Ranges, power: float, bits: int) -> None:
        super().__init__(ranges, power, bits)
        self._known = ranges

    def take(self, graph: GraphWriter, activation: str, products: Sequence[Product]) -> tuple[str, str, str]:
        source = self._balance(graph, activation, products)
        low, high = self._known[activation]
        factors = self._factors.get(activation, np.ones_like(low))
        scale, zero = fixed_scale(float((low / factors).min()), float((high / factors).max()))
        step = graph.keep(f"{activation}.step", np.asarray(scale, dtype=np.float32))
        nought = graph.keep(f"{activation}.nought", np.asarray(zero, dtype=np.uint8))
        return graph.node("QuantizeLinear", [source, step, nought]), step, nought

    def multiply(self, graph: GraphWriter, taken: Any, product: Product, outputs: Sequence[str]) -> None:
        whole, step, nought = taken
        numbers, scales, _ = self._weights(graph, product)
        graph.node("MatMulIntegerToFloat", [whole, numbers, step, scales, nought], domain=RUNTIME, outputs=outputs)

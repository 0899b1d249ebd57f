"""A graph whose products with stored weights, and whose embedding tables, are in int8.

What stays as it is: the output layer, since its numbers are the answer; products of two activations, as in attention;
norms and biases. How an activation becomes whole numbers is the caller's to say (`Way`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from provetune.compression.export_graph import GraphWriter, stored_arrays
from provetune.compression.quantise_numbers import round_rows
from provetune.core.errors import UsageError

if TYPE_CHECKING:
    import onnx

    from provetune.core.protocols import Array

SMALLEST = 1024
"""Matrices of fewer numbers are left as they are."""
PREFIX = "int8/"


@dataclass(frozen=True)
class Product:
    """A node that multiplies an activation with stored weights.

    Attributes:
        name: of the node.
        taken: name of the activation, (…, K).
        given: name of what comes out, (…, N).
        stored: name of the stored array.
        weights: float32 (K, N).
        bias: name of a bias that the node adds, or None.
    """

    name: str
    taken: str
    given: str
    stored: str
    weights: Array
    bias: str | None


class Way(Protocol):
    """How products are computed in whole numbers."""

    def take(self, graph: GraphWriter, activation: str, products: Sequence[Product]) -> Any:
        """Write what makes whole numbers of an activation; the result is handed to `multiply`.

        Args:
            products: all that multiply this activation.
        """

    def multiply(self, graph: GraphWriter, taken: Any, product: Product, outputs: Sequence[str]) -> None:
        """Write a product without its bias, under the name in `outputs`."""


@dataclass(frozen=True)
class Quantised:
    """What became of a graph.

    Attributes:
        products: how many products are in int8.
        tables: how many embedding tables are.
        kept: products that stay in fp32, by name.
    """

    model: onnx.ModelProto
    products: int
    tables: int
    kept: tuple[str, ...]


def quantise(model: onnx.ModelProto, way: Way) -> Quantised:
    """The graph in int8; `model` itself is left as it is.

    Raises:
        UsageError: it has nothing that could be quantised, or is in int8 already.
    """
    import onnx

    chosen, kept = choose_products(model)
    arrays = stored_arrays(model)
    tables = _tables(model, arrays)
    if not chosen:
        raise UsageError("The graph has no fp32 products left to quantise.", hint="Is the bundle in int8 already?")
    by_name = {one.name: one for one in chosen}
    groups: dict[str, list[Product]] = {}
    for one in chosen:
        groups.setdefault(one.taken, []).append(one)
    graph, taken = GraphWriter(PREFIX), {}
    for node in model.graph.node:
        if node.name in by_name:
            product = by_name[node.name]
            if product.taken not in taken:
                taken[product.taken] = way.take(graph, product.taken, groups[product.taken])
            _write_product(graph, way, taken[product.taken], product)
        elif node.op_type == "Gather" and node.input[0] in tables:
            _write_lookup(graph, node, _array(arrays[node.input[0]]))
        else:
            graph.nodes.append(node)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:], made.graph.initializer[:], made.graph.value_info[:]
    made.graph.node.extend(graph.nodes)
    used = {name for node in graph.nodes for name in node.input}
    made.graph.initializer.extend(one for one in model.graph.initializer if one.name in used)
    made.graph.initializer.extend(graph.initializers())
    _import_runtime(made)
    return Quantised(made, len(chosen), len(tables), tuple(one.name for one in kept))


def choose_products(model: onnx.ModelProto) -> tuple[list[Product], list[Product]]:
    """Products that are quantised, and those that stay: the last ones before the output, and small ones."""
    found = _products(model)
    last = _last_products(model, {one.name for one in found})
    chosen = [one for one in found if one.name not in last and one.weights.size >= SMALLEST]
    names = {one.name for one in chosen}
    return chosen, [one for one in found if one.name not in names]


def _products(model: onnx.ModelProto) -> list[Product]:
    arrays, aliases = stored_arrays(model), _aliases(model)
    found = []
    for node in model.graph.node:
        if node.op_type not in ("MatMul", "Gemm") or node.domain:
            continue
        stored = aliases.get(node.input[1], node.input[1])
        if stored not in arrays or node.input[0] in arrays:
            continue
        weights = _array(arrays[stored])
        facts = {one.name: one.f if one.name in ("alpha", "beta") else one.i for one in node.attribute}
        plain = facts.get("alpha", 1.0) == facts.get("beta", 1.0) == 1.0 and not facts.get("transA", 0)
        if weights.ndim != 2 or weights.dtype != np.float32 or not plain:
            continue
        if facts.get("transB", 0):
            weights = weights.T
        bias = node.input[2] if len(node.input) > 2 and node.input[2] else None
        found.append(Product(node.name, node.input[0], node.output[0], stored, weights, bias))
    return found


def _last_products(model: onnx.ModelProto, names: set[str]) -> set[str]:
    """Products after which no other one comes on the way to the output."""
    makers = {name: node for node in model.graph.node for name in node.output}
    waiting = [one.name for one in model.graph.output]
    seen: set[str] = set()
    last = set()
    while waiting:
        name = waiting.pop()
        node = makers.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if node.name in names:
            last.add(node.name)
        else:
            waiting += list(node.input)
    return last if _leads_to_scores(model, makers) else set()


def _leads_to_scores(model: onnx.ModelProto, makers: dict[str, Any]) -> bool:
    """Whether the output comes straight of a linear layer: vectors of texts do not, and have no output layer."""
    node = makers.get(model.graph.output[0].name)
    while node is not None and node.op_type in ("Cast", "Identity", "Squeeze", "Add", "Concat", "Unsqueeze"):
        if node.op_type == "Add":
            makes = [makers.get(name) for name in node.input]
            node = next((one for one in makes if one is not None), None)
        else:
            node = makers.get(node.input[0])
    return node is not None and node.op_type in ("MatMul", "Gemm", "Split", "Slice", "Gather")


def _tables(model: onnx.ModelProto, arrays: dict[str, onnx.TensorProto]) -> set[str]:
    """Stored tables that rows are looked up in and that nothing else uses."""
    looked: set[str] = set()
    otherwise: set[str] = set()
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            axis = next((one.i for one in node.attribute if one.name == "axis"), 0)
            (looked if node.op_type == "Gather" and place == 0 and axis == 0 else otherwise).add(name)
    wanted = (name for name in looked - otherwise if name in arrays)
    return {name for name in wanted if _is_table(_array(arrays[name]))}


def _is_table(values: Array) -> bool:
    return values.ndim == 2 and values.dtype == np.float32 and values.size >= SMALLEST


def _aliases(model: onnx.ModelProto) -> dict[str, str]:
    """Other names of stored arrays: exporters give a shared one its second name by a node."""
    found: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type == "Identity":
            found[node.output[0]] = found.get(node.input[0], node.input[0])
    return found


def _write_product(graph: GraphWriter, way: Way, taken: Any, product: Product) -> None:
    if product.bias is None:
        way.multiply(graph, taken, product, [product.given])
        return
    bare = f"{graph.prefix}{product.name}.product"
    way.multiply(graph, taken, product, [bare])
    graph.node("Add", [bare, product.bias], outputs=[product.given])


def _write_lookup(graph: GraphWriter, node: onnx.NodeProto, table: Array) -> None:
    numbers, scales = round_rows(table)
    name = node.input[0]
    rows = graph.node("Gather", [graph.keep(f"{name}.numbers", numbers), node.input[1]])
    sizes = graph.node("Gather", [graph.keep(f"{name}.scales", scales), node.input[1]])
    graph.node("Mul", [graph.node("Cast", [rows], to=1), sizes], outputs=[node.output[0]])


def _import_runtime(model: onnx.ModelProto) -> None:
    from onnx import helper

    from provetune.compression.export_graph import RUNTIME

    if all(one.domain != RUNTIME for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid(RUNTIME, 1))


def _array(stored: onnx.TensorProto) -> Array:
    from onnx import numpy_helper

    found: Array = numpy_helper.to_array(stored)
    return found

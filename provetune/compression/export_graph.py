"""Writing an ONNX graph node by node, with names that tell what each is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

    from provetune.core.protocols import Array

OPSET = 20
RUNTIME = "com.microsoft"
"""Domain of the operators that ONNX Runtime adds to the standard."""
IR_VERSION = 10
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "output"


class GraphWriter:
    """Nodes and stored arrays of a graph that is being written.

    Args:
        prefix: what the names of its nodes and arrays begin with.
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: dict[str, Array] = {}
        self._count = 0

    def keep(self, name: str, values: Array) -> str:
        """Store an array; returns the name that nodes take it by."""
        full = self.prefix + name
        self.arrays[full] = np.ascontiguousarray(values)
        return full

    def number(self, name: str, *values: float | int, kind: Any = np.int64) -> str:
        """Store a few numbers as a vector."""
        return self.keep(name, np.asarray(values, dtype=kind))

    def node(
        self,
        kind: str,
        inputs: Sequence[str],
        *,
        outputs: int | Sequence[str] = 1,
        domain: str = "",
        **attributes: Any,
    ) -> Any:
        """Add a node; returns the name of its output, or a list of names where it has several."""
        from onnx import helper

        self._count += 1
        stem = f"{self.prefix}{kind}_{self._count}"
        names = [f"{stem}.{k}" for k in range(outputs)] if isinstance(outputs, int) else list(outputs)
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=stem, domain=domain, **attributes))
        return names[0] if len(names) == 1 else names

    def initializers(self) -> list[onnx.TensorProto]:
        """The stored arrays as the file has them."""
        from onnx import numpy_helper

        return [numpy_helper.from_array(values, name) for name, values in self.arrays.items()]


def finish_graph(writer: GraphWriter, inputs: Sequence[str], shape: Sequence[int | str]) -> onnx.ModelProto:
    """A model of what was written; its inputs are int64 (batch, length), its output float32.

    Args:
        inputs: names among `INPUTS`.
        shape: of the output, names for the axes that vary.
    """
    from onnx import TensorProto, helper

    taken = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in inputs]
    given = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, list(shape))]
    graph = helper.make_graph(writer.nodes, "provetune", taken, given, writer.initializers())
    versions = [helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME, 1)]
    return helper.make_model(graph, opset_imports=versions, ir_version=IR_VERSION, producer_name="provetune")


def stored_arrays(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """The stored arrays of a model by name."""
    return {one.name: one for one in model.graph.initializer}


def parameters(model: onnx.ModelProto) -> Mapping[str, int]:
    """Bytes of the stored arrays by kind of number, e.g. ``{"FLOAT": 91000000}``."""
    from onnx import TensorProto, numpy_helper

    found: dict[str, int] = {}
    for one in model.graph.initializer:
        kind = TensorProto.DataType.Name(one.data_type)
        found[kind] = found.get(kind, 0) + int(numpy_helper.to_array(one).nbytes)
    return found

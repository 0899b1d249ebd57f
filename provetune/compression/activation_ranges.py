"""What values the activations of a graph take in rows, channel by channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

    from provetune.core.protocols import Array


def measure_ranges(
    model: onnx.ModelProto,
    names: Sequence[str],
    features: Sequence[Mapping[str, Any]],
    pad_id: int,
    *,
    threads: int = 1,
    tell: Callable[[int], None] = lambda done: None,
) -> dict[str, tuple[Array, Array]]:
    """Least and greatest value of every channel of some activations.

    Args:
        names: of the activations, (…, K).
        features: asked one by one, so that nothing is padded.
        tell: takes how many features are done.

    Returns:
        Two float32 arrays (K,) by name.
    """
    import onnx
    from onnx import TensorProto, helper

    from provetune.inference.backends._graph import Graph

    wanted = list(dict.fromkeys(names))
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    opened.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in wanted)
    graph = Graph(opened.SerializeToString(), threads)
    found: dict[str, tuple[Array, Array]] = {}
    for number, feature in enumerate(features):
        for name, values in zip(wanted, graph.ask_for(wanted, [feature], pad_id), strict=True):
            flat = values.reshape(-1, values.shape[-1])
            low, high = flat.min(axis=0), flat.max(axis=0)
            if name in found:
                low, high = np.minimum(low, found[name][0]), np.maximum(high, found[name][1])
            found[name] = (low, high)
        tell(number + 1)
    return found

"""Any encoder as an ONNX graph, traced by torch while it answers rows."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from provetune.compression.export_graph import OUTPUT

if TYPE_CHECKING:
    import onnx
    import torch

_SCRIPT_OPSET = 18
_AXES = {0: "batch", 1: "length"}


def trace_model(
    model: torch.nn.Module,
    read: Callable[[torch.nn.Module, Mapping[str, torch.Tensor]], torch.Tensor],
    batch: Mapping[str, torch.Tensor],
    *,
    each_token: bool,
    by_script: bool,
) -> onnx.ModelProto:
    """The graph of what `read` takes from the model.

    Args:
        model: in evaluation mode.
        read: asks the model about a batch; a tensor (B, …), or (B, T, …).
        batch: ``input_ids`` and the model's other inputs, (B, T); at least two rows of different lengths.
        each_token: the second axis of what is read are tokens.
        by_script: torch's older exporter, which takes a second, rather than its newer one, which takes twenty. Neither
            is believed without comparing its graph with the model.

    Raises:
        RuntimeError, TypeError, ValueError, …: whatever torch says where it cannot trace the model.
    """
    import onnx

    names = list(batch)
    module = _asking(model, names, read)
    with _quietly():
        if by_script:
            kept = io.BytesIO()
            _script(module, batch, names, kept, each_token)
            return onnx.load_from_string(kept.getvalue())
        return _dynamo(module, batch, names)


def _asking(model: Any, names: list[str], read: Callable[..., Any]) -> Any:
    """The model as a module that takes tensors one after another and gives one, as both exporters want it."""
    import torch

    class Asking(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = read(self.model, dict(zip(names, inputs, strict=True)))
            return found

    return Asking().eval()


def _script(module: Any, batch: Mapping[str, Any], names: list[str], place: Any, each_token: bool) -> None:
    import torch

    axes = dict.fromkeys(names, _AXES) | {OUTPUT: _AXES if each_token else {0: "batch"}}
    torch.onnx.export(
        module,
        tuple(batch.values()),
        place,
        dynamo=False,
        input_names=names,
        output_names=[OUTPUT],
        dynamic_axes=axes,
        opset_version=_SCRIPT_OPSET,
    )


def _dynamo(module: Any, batch: Mapping[str, Any], names: list[str]) -> onnx.ModelProto:
    import torch

    free = dict.fromkeys(_AXES, torch.export.Dim.DYNAMIC)
    program: Any = torch.onnx.export(
        module,
        tuple(batch.values()),
        dynamo=True,
        input_names=names,
        output_names=[OUTPUT],
        dynamic_shapes=(tuple(free for _ in names),),
        verbose=False,
    )
    found: onnx.ModelProto = program.model_proto
    return found


@contextmanager
def _quietly() -> Iterator[None]:
    """Within the block the exporters say nothing: every value that they warn about is compared afterwards."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)

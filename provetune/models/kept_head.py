"""A model that goes on with the output layer of a bundle: rows of the labels that both know, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open

from provetune.core.errors import CorruptError
from provetune.core.files import read_json
from provetune.models.loading import output_layer


def keep_output_rows(
    model: torch.nn.Module, folder: Path, *, scale: Sequence[float] | None = None, shift: Sequence[float] | None = None
) -> list[str]:
    """Copy the output layer's rows of the labels that the folder's model knows; the others stay as they were drawn.

    Args:
        model: its ``config.id2label`` names its outputs.
        folder: with ``config.json`` and weights of a model of the same architecture.
        scale, shift: the outputs will be multiplied and moved by these (C,); the kept rows give the same all the same.

    Returns:
        The labels that were kept, in the model's order.

    Raises:
        CorruptError: the folder has no such layer, or one of another width.
    """
    name, layer = output_layer(model)
    known = {str(label): int(number) for number, label in read_json(folder / "config.json")["id2label"].items()}
    wanted: Mapping[int, str] = model.config.id2label  # type: ignore[union-attr,assignment]
    pairs = [(number, known[label]) for number, label in sorted(wanted.items()) if label in known]
    weight, bias = _rows_of(folder, f"{name}.weight"), _rows_of(folder, f"{name}.bias")
    if weight is None or weight.shape[1] != layer.in_features or weight.shape[0] != len(known):
        raise CorruptError("The bundle has no output layer that fits this model.", where=str(folder))
    with torch.no_grad():
        for new, old in pairs:
            factor = 1.0 if scale is None else float(scale[new])
            moved = 0.0 if shift is None else float(shift[new])
            layer.weight[new] = weight[old].to(layer.weight) / factor
            if layer.bias is not None:
                was = 0.0 if bias is None else float(bias[old])
                layer.bias[new] = (was - moved) / factor
    return [wanted[new] for new, _ in pairs]


def _rows_of(folder: Path, name: str) -> torch.Tensor | None:
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(str(path), framework="pt") as weights:
            if name in weights.keys():  # noqa: SIM118  not a mapping
                found: torch.Tensor = weights.get_tensor(name).float()
                return found
    return None

"""A fitted linear layer on the disk: safetensors for the numbers, JSON for the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import CorruptError
from provetune.core.files import read_json, write_json
from provetune.models.logistic import Linear

if TYPE_CHECKING:
    from provetune.core.protocols import Array


def save_linear(folder: Path, name: str, layer: Linear, facts: Mapping[str, Any], **arrays: Array) -> None:
    """Write ``NAME.safetensors`` (the layer and further `arrays`) and ``NAME.json`` (`facts`)."""
    from safetensors.numpy import save_file

    tensors = {"weight": layer.weight, "bias": layer.bias, **arrays}
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_file(
        {key: np.ascontiguousarray(value) for key, value in tensors.items()}, str(Path(folder) / f"{name}.safetensors")
    )
    write_json(Path(folder) / f"{name}.json", dict(facts))


def load_linear(folder: Path, name: str) -> tuple[Linear, dict[str, Any], dict[str, Array]]:
    """What `save_linear` wrote: the layer, the facts, the further arrays.

    Raises:
        CorruptError: a file is missing or is not what it should be.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    place = Path(folder) / f"{name}.safetensors"
    try:
        arrays = load_file(str(place))
        facts = read_json(Path(folder) / f"{name}.json")
        layer = Linear(arrays.pop("weight"), arrays.pop("bias"))
    except (FileNotFoundError, SafetensorError, json.JSONDecodeError, UnicodeDecodeError, KeyError) as error:
        raise CorruptError(f"The fitted weights cannot be read ({error}).", where=str(place)) from error
    if layer.weight.ndim != 2 or layer.bias.shape != layer.weight.shape[:1]:
        raise CorruptError(
            f"The shapes of weight {layer.weight.shape} and bias {layer.bias.shape} do not fit.", where=str(place)
        )
    return layer, facts, arrays

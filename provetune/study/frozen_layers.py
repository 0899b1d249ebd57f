"""Layers that gradual unfreezing does not reach in a candidate's epochs: told before it trains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provetune.core.files import read_json
from provetune.problem.syntax import Candidate

if TYPE_CHECKING:
    from provetune.models.backbones import Backbone

_SINGLE = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_PAIR = ("encoder_layers", "decoder_layers")


def say_frozen(name: str, candidate: Candidate, epochs: float, backbone: Backbone) -> str | None:
    """A sentence where some layers never learn; None where all do, or where the configuration does not say."""
    layers = _count(read_json(backbone.path / "config.json"))
    reached = math.ceil(epochs) - 1
    if candidate.unfreeze != "gradual" or layers is None or reached >= layers:
        return None
    return (
        f"'{name}' unfreezes {reached} of {layers} layers in its {epochs:g} epochs; those below stay as they were "
        f"(all learn from {layers + 2} epochs on)."
    )


def _count(config: Mapping[str, Any]) -> int | None:
    """Layers of the stack, decoder and encoder together."""
    if all(isinstance(config.get(key), int) for key in _PAIR):
        return sum(int(config[key]) for key in _PAIR)
    found = [int(config[key]) for key in _SINGLE if isinstance(config.get(key), int)]
    if not found:
        return None
    decoder = config.get("num_decoder_layers")
    return found[0] + (decoder if isinstance(decoder, int) else 0)

"""A linear layer on features of length one: what every method on frozen or tuned features leaves behind.

Bundles of the kind ``frozen_encoder`` hold one, in ``head.safetensors`` and ``head.json``, whichever method fitted it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.models.linear_file import load_linear, save_linear
from provetune.models.logistic import Linear, fit_chosen
from provetune.models.ridge import VALUES, fit_ridge_chosen

if TYPE_CHECKING:
    from provetune.core.protocols import Array, Targets

FILE = "head"
_STRENGTHS = (1.0, 4.0, 16.0, 64.0, 256.0)
_DEFAULT_STRENGTH = 16.0
_RIDGE_STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_DEFAULT_RIDGE_STRENGTH = 1.0


@dataclass(frozen=True)
class HeadModel:
    """The fitted layer on features of length one: weight (C, D), bias (C,); `facts` has what was chosen."""

    layer: Linear
    facts: Mapping[str, Any]

    def logits(self, inputs: Array) -> Array:
        """Scores before normalisation of features (N, D), float32 (N, C)."""
        return self.layer.logits(np.asarray(inputs, dtype=np.float32))

    def scaled(self, temperature: float) -> HeadModel:
        """The model with its logits divided by `temperature`."""
        return HeadModel(self.layer.scaled(temperature), self.facts)

    def save(self, folder: Path) -> None:
        """Write ``head.safetensors`` and ``head.json``."""
        save_linear(folder, FILE, self.layer, {"facts": dict(self.facts)})


def load_head(folder: Path) -> HeadModel:
    """The model that `HeadModel.save` wrote."""
    layer, document, _ = load_linear(folder, FILE)
    return HeadModel(layer, document.get("facts", {}))


def fit_head(
    inputs: Array,
    labels: Array,
    targets: Targets,
    *,
    strength: float | None,
    validation: tuple[Array, Array] | None = None,
    label_weights: Array | None = None,
) -> HeadModel:
    """Logistic regression for labels, ridge regression for numbers, on features (N, D).

    Args:
        strength: inverse of the regularisation; None takes the best of several on the validation rows.
        validation, label_weights: see `provetune.core.protocols.FitMethod.fit`.
    """
    held_out = None
    if validation is not None:
        held_out = (np.asarray(validation[0], dtype=np.float32), validation[1])
    features = np.ascontiguousarray(inputs, dtype=np.float32)
    if targets.kind == VALUES:
        chosen, layer = fit_ridge_chosen(
            features,
            labels,
            strength=strength,
            strengths=_RIDGE_STRENGTHS,
            default=_DEFAULT_RIDGE_STRENGTH,
            validation=held_out,
        )
        return HeadModel(layer, {"C": chosen})
    chosen, layer = fit_chosen(
        features,
        labels,
        len(targets.names),
        strength=strength,
        strengths=_STRENGTHS,
        default=_DEFAULT_STRENGTH,
        weights=label_weights,
        validation=held_out,
    )
    return HeadModel(layer, {"C": chosen})

"""A frozen backbone and a linear model on its mean-pooled features, which are computed once and cached.

Logistic regression for labels, ridge regression for numbers. Seconds a run, and often within a point or two of full
fine-tuning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.protocols import LearnsFrom, Targets
from provetune.models.linear_file import load_linear, save_linear
from provetune.models.logistic import Linear, fit_chosen
from provetune.models.ridge import VALUES, fit_ridge_chosen

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_STRENGTHS = (1.0, 4.0, 16.0, 64.0, 256.0)
_DEFAULT_STRENGTH = 16.0
_RIDGE_STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_DEFAULT_RIDGE_STRENGTH = 1.0


class HeadSettings(BaseModel):
    """What `head` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    C: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="Inverse of the regularisation; auto takes the best of several on the validation rows."
    )


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
        save_linear(folder, "head", self.layer, {"facts": dict(self.facts)})


class Head:
    """`head`: fits cached features in one go.

    The fit is convex and draws no number: runs with different seeds are equal up to rounding, so the spread over
    seeds is nought, and what is left is the luck of the rows.
    """

    name = "head"
    summary = "A logistic or ridge regression on the features of a frozen backbone: seconds a run."
    learns_from: LearnsFrom = "features"
    tasks: tuple[str, ...] | None = None
    bundle_kind = "frozen_encoder"
    settings: type[BaseModel] = HeadSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True

    def fit(
        self,
        inputs: Array,
        labels: Array,
        targets: Targets,
        settings: HeadSettings,
        *,
        seed: int = 0,
        validation: tuple[Array, Array] | None = None,
        label_weights: Array | None = None,
    ) -> HeadModel:
        """Fit on features (N, D); see `FitMethod.fit`. `seed` changes nothing."""
        held_out = None
        if validation is not None:
            held_out = (np.asarray(validation[0], dtype=np.float32), validation[1])
        features = np.ascontiguousarray(inputs, dtype=np.float32)
        wanted = None if settings.C == "auto" else settings.C
        if targets.kind == VALUES:
            strength, layer = fit_ridge_chosen(
                features,
                labels,
                strength=wanted,
                strengths=_RIDGE_STRENGTHS,
                default=_DEFAULT_RIDGE_STRENGTH,
                validation=held_out,
            )
            return HeadModel(layer, {"C": strength})
        strength, layer = fit_chosen(
            features,
            labels,
            len(targets.names),
            strength=wanted,
            strengths=_STRENGTHS,
            default=_DEFAULT_STRENGTH,
            weights=label_weights,
            validation=held_out,
        )
        return HeadModel(layer, {"C": strength})

    def load(self, folder: Path) -> HeadModel:
        """The model that `HeadModel.save` wrote."""
        layer, document, _ = load_linear(folder, "head")
        return HeadModel(layer, document.get("facts", {}))


METHOD = Head()

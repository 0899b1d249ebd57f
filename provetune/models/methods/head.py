"""A frozen backbone and a linear model on its mean-pooled features, which are computed once and cached.

Logistic regression for labels, ridge regression for numbers. Seconds a run, and often within a point or two of full
fine-tuning.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.protocols import LearnsFrom, Targets
from provetune.models.head_model import HeadModel, fit_head, load_head

if TYPE_CHECKING:
    from provetune.core.protocols import Array


class HeadSettings(BaseModel):
    """What `head` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    C: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="Inverse of the regularisation; auto takes the best of several on the validation rows."
    )


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
    ranges: Mapping[str, Any] = MappingProxyType({"C": {"low": 0.1, "high": 1000.0, "log": True}})

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
        wanted = None if settings.C == "auto" else settings.C
        return fit_head(inputs, labels, targets, strength=wanted, validation=validation, label_weights=label_weights)

    def load(self, folder: Path) -> HeadModel:
        """The model that `HeadModel.save` wrote."""
        return load_head(folder)


METHOD = Head()

"""What methods share that fit a linear head on a frozen encoder's features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.protocols import Targets
from provetune.models.head_model import HeadModel, fit_head, load_head

if TYPE_CHECKING:
    from provetune.core.protocols import Array


class HeadStrength(BaseModel):
    """How strongly the head is held back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    C: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="Inverse of the regularisation; auto takes the best of several on the validation rows."
    )


class LinearHead:
    """A logistic or ridge regression on features; convex, it draws no number."""

    bundle_kind = "frozen_encoder"

    def fit(
        self,
        inputs: Array,
        labels: Array,
        targets: Targets,
        settings: HeadStrength,
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

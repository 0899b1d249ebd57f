"""Nearest prototype: every label is the mean of its rows' features, and a text has the label that it is nearest to.

Prototypical networks (Snell, Swersky and Zemel 2017, arXiv:1703.05175) on a frozen backbone: nothing is trained, and
two rows a label give a usable answer. The softmax is over negative squared Euclidean distances, which is a linear layer
(their section 2.4): ``−‖x − c‖² = 2 c·x − ‖c‖² − ‖x‖²``, of which the last part is the same for every label.

Where rows have several labels, a label has two prototypes, of the rows with it and of those without, and its logit is
how much nearer the first one is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.protocols import LearnsFrom, Targets
from provetune.models.head_model import HeadModel, load_head
from provetune.models.logistic import Linear

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_LEAST_NORM = 1e-12


class PrototypeSettings(BaseModel):
    """What `prototype` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prototype_distance: Literal["euclidean", "cosine"] = Field(
        "euclidean",
        description="What near means: squared Euclidean distance (Snell et al. 2017), or the angle, which forgets how "
        "spread out a label's rows are.",
    )


class Prototype:
    """`prototype`: means of cached features. It draws no number: runs on equal rows are equal."""

    name = "prototype"
    summary = "The nearest mean of a label's rows among features of a frozen backbone: for two to twenty rows a label."
    learns_from: LearnsFrom = "features"
    tasks: tuple[str, ...] | None = ("classification", "pair", "relation")
    bundle_kind = "frozen_encoder"
    settings: type[BaseModel] = PrototypeSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True

    def fit(
        self,
        inputs: Array,
        labels: Array,
        targets: Targets,
        settings: PrototypeSettings,
        *,
        seed: int = 0,
        validation: tuple[Array, Array] | None = None,
        label_weights: Array | None = None,
    ) -> HeadModel:
        """Means of features (N, D); see `FitMethod.fit`. `seed` and `validation` change nothing.

        A label without rows is farther than any other. Weights of labels are added to the logits as logarithms: a
        label of weight two is given as if it were twice as likely beforehand.
        """
        features = np.asarray(inputs, dtype=np.float64)
        answers = np.asarray(labels)
        angles = settings.prototype_distance == "cosine"
        if answers.ndim == 2:
            having = answers > 0
            near, far = (_means(features, rows.astype(np.float64), angles) for rows in (having, ~having))
            weight, bias = near[0] - far[0], near[1] - far[1]
            bias = np.where(having.any(axis=0), bias, -_FAR)
        else:
            having = answers[:, None] == np.arange(len(targets.names))[None, :]
            weight, bias = _means(features, having.astype(np.float64), angles)
            bias = np.where(having.any(axis=0), bias, -_FAR)
        if label_weights is not None:
            bias = bias + np.log(np.maximum(np.asarray(label_weights, dtype=np.float64), _LEAST_NORM))
        layer = Linear(weight.astype(np.float32), bias.astype(np.float32))
        return HeadModel(layer, {"distance": settings.prototype_distance, "rows": having.sum(axis=0).tolist()})

    def load(self, folder: Path) -> HeadModel:
        """The model that `HeadModel.save` wrote."""
        return load_head(folder)


_FAR = 1e4


def _means(features: Array, having: Array, angles: bool) -> tuple[Array, Array]:
    """Weight (C, D) and bias (C,) of the distance to the mean of the rows (N, C) that a label has."""
    means = (having.T @ features) / np.maximum(having.sum(axis=0), 1.0)[:, None]
    if angles:
        means = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), _LEAST_NORM)
        return 2 * means, np.zeros(len(means))
    return 2 * means, -(means**2).sum(axis=1)


METHOD = Prototype()

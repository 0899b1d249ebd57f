"""Word overlap of two texts with a linear layer: the baseline of pairs, no pretrained model.

What the two texts share (`provetune.models.pair_features`), each measure and each product of two, goes into a logistic
regression, or where labels are numbers into a ridge regression.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import CorruptError
from provetune.core.protocols import GivesLabelArrays, LearnsFrom
from provetune.models.linear_file import load_linear, save_linear
from provetune.models.logistic import Linear, fit_chosen
from provetune.models.pair_features import NAMES, PairFeatures, with_products
from provetune.models.ridge import VALUES, fit_ridge_chosen

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array, FeatureColumns, Outputs, Targets, Task

_STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
_DEFAULT_STRENGTH = 0.1


class OverlapSettings(BaseModel):
    """What `pair_overlap` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    C: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="Inverse of the regularisation; auto takes the best of several on the validation rows."
    )


@dataclass(frozen=True, eq=False)
class OverlapModel:
    """A fitted layer on measures of overlap.

    Attributes:
        features: the measures, with the words' weights.
        mean, spread: of the measures and their products in the training rows, (230,) each.
        layer: weight (C, 230) and bias (C,).
        facts: what was chosen.
    """

    features: PairFeatures
    mean: Array
    spread: Array
    layer: Linear
    facts: Mapping[str, Any]

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        """Logits, or the numbers themselves, float32 (N, C)."""
        return self.layer.logits(scaled(measure(self.features, examples), self.mean, self.spread)), None

    def save(self, folder: Path) -> None:
        """Write ``pair_overlap.safetensors`` and ``pair_overlap.json``."""
        words = sorted(self.features.weights)
        facts = {"facts": dict(self.facts), "measures": list(NAMES), "rarest": self.features.rarest, "words": words}
        weights = np.array([self.features.weights[word] for word in words], dtype=np.float64)
        save_linear(folder, "pair_overlap", self.layer, facts, mean=self.mean, spread=self.spread, weights=weights)


class Overlap:
    """`pair_overlap`: two runs are equal whatever their seeds, so its spread over seeds is nought."""

    name = "pair_overlap"
    summary = "What two texts have in common, word by word, with a linear layer: the baseline of pairs."
    learns_from: LearnsFrom = "examples"
    tasks: tuple[str, ...] | None = ("pair", "similarity")
    bundle_kind = "examples"
    settings: type[BaseModel] = OverlapSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True

    def fit(
        self,
        examples: pa.Table,
        task: Task,
        targets: Targets,
        settings: OverlapSettings,
        *,
        seed: int = 0,
        validation: pa.Table,
    ) -> OverlapModel:
        """Fit on pairs; `seed` changes nothing: the fit is convex and draws no number."""
        features = PairFeatures.of_texts(text for side in _sides(examples) for text in side)
        plain = with_products(measure(features, examples))
        mean, spread = plain.mean(axis=0), plain.std(axis=0)
        spread[spread < 1e-9] = 1.0
        gives = cast(GivesLabelArrays, task)
        rows = (plain - mean) / spread
        held_out = None
        if len(validation):
            held_out = scaled(measure(features, validation), mean, spread), gives.label_array(validation, targets)
        strength = None if settings.C == "auto" else settings.C
        labels = gives.label_array(examples, targets)
        if targets.kind == VALUES:
            chosen, layer = fit_ridge_chosen(
                rows.astype(np.float32),
                labels,
                strength=strength,
                strengths=_STRENGTHS,
                default=_DEFAULT_STRENGTH,
                validation=held_out,
            )
        else:
            chosen, layer = fit_chosen(
                rows.astype(np.float32),
                labels,
                len(targets.names),
                strength=strength,
                strengths=_STRENGTHS,
                default=_DEFAULT_STRENGTH,
                weights=None,
                validation=held_out,
            )
        return OverlapModel(features, mean, spread, layer, {"C": chosen, "rows": len(rows)})

    def load(self, folder: Path, task: Task, targets: Targets) -> OverlapModel:
        """The model that `OverlapModel.save` wrote.

        Raises:
            CorruptError: a file is missing, damaged, or of another version's measures.
        """
        layer, document, arrays = load_linear(folder, "pair_overlap")
        try:
            words, rarest = document["words"], float(document["rarest"])
            weights = dict(zip(words, arrays["weights"].tolist(), strict=True))
            mean, spread = arrays["mean"], arrays["spread"]
            known = tuple(document["measures"])
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptError(
                f"The measures of pair_overlap cannot be read ({error!r}).", where=str(folder)
            ) from error
        if known != NAMES or layer.weight.shape[1] != len(mean):
            raise CorruptError("The measures of pair_overlap are not those that this version has.", where=str(folder))
        return OverlapModel(PairFeatures(weights, rarest), mean, spread, layer, document.get("facts", {}))


def measure(features: PairFeatures, examples: pa.Table) -> Array:
    """Measures of the rows' pairs, float64 (N, 20)."""
    return features.transform(*_sides(examples))


def scaled(plain: Array, mean: Array, spread: Array) -> Array:
    """Measures (N, 20) with their products, in units of the training rows' spread; float32 (N, 230)."""
    return np.asarray((with_products(plain) - mean) / spread, dtype=np.float32)


def _sides(examples: pa.Table) -> tuple[list[str], list[str]]:
    first, second = ([text or "" for text in examples.column(name).to_pylist()] for name in ("text", "text_pair"))
    return first, second


METHOD = Overlap()

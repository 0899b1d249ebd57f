"""The classical tagger: features of words and a logistic regression, decoded to valid tags. The baseline of tagging.

As strong as taggers were before pretrained models, except that it does not learn how labels follow each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import CorruptError, DataError
from provetune.core.protocols import LearnsFrom
from provetune.data.span_words import UNSAID
from provetune.models.linear_file import load_linear, save_linear
from provetune.models.logistic import Linear, choose_strength, fit_logistic
from provetune.models.word_features import choose_terms, feature_matrix
from provetune.models.word_tags import known_tags

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array, FeatureColumns, Outputs, Targets, Task

_FILE = "token_features"
_STRENGTHS = (0.25, 1.0, 4.0, 16.0)
_DEFAULT_STRENGTH = 1.0
_ROUGH = 3e-2


class TokenFeaturesSettings(BaseModel):
    """What `token_features` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    C: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="Inverse of the regularisation; auto takes the best of several on the validation rows."
    )
    least_words: int = Field(2, ge=1, description="Words that a feature must occur with.")
    most_features: int = Field(200_000, ge=1, description="Features kept at most, the most frequent first.")


@dataclass(frozen=True, eq=False)
class TokenFeaturesModel:
    """A fitted layer on features of words.

    Attributes:
        columns: number of each feature's column, D of them.
        layer: weight (2 T + 1, D) and bias.
        facts: what was chosen and seen.
    """

    columns: dict[str, int]
    layer: Linear
    facts: Mapping[str, Any]

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        """Logits of the words of each text, a list of (U, 2 T + 1)."""
        matrix, bounds = feature_matrix(examples.column("text").to_pylist(), self.columns)
        return _by_text(self.layer.logits(matrix), bounds), None

    def save(self, folder: Path) -> None:
        """Write ``token_features.safetensors`` and ``token_features.json``."""
        save_linear(folder, _FILE, self.layer, {"facts": dict(self.facts), "features": list(self.columns)})


class TokenFeatures:
    """`token_features`: fits in one go; convex, so that runs with different seeds are equal."""

    name = "token_features"
    summary = "Features of words and their neighbours with a logistic regression: the baseline of tagging."
    learns_from: LearnsFrom = "examples"
    tasks: tuple[str, ...] | None = ("tagging",)
    bundle_kind = "examples"
    settings: type[BaseModel] = TokenFeaturesSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True

    def fit(
        self,
        examples: pa.Table,
        task: Task,
        targets: Targets,
        settings: TokenFeaturesSettings,
        *,
        seed: int,
        validation: pa.Table,
    ) -> TokenFeaturesModel:
        """Fit on labelled rows; C is what scores best on the validation rows in the task's first metric.

        Raises:
            DataError: the texts have no word.
        """
        labelled = examples.filter(examples.column("label").is_valid())
        texts = labelled.column("text").to_pylist()
        terms = choose_terms(texts, least=settings.least_words, most=settings.most_features)
        if not terms:
            raise DataError("The training texts have no words whose features could be counted.")
        columns = {term: k for k, term in enumerate(terms)}
        matrix, _ = feature_matrix(texts, columns)
        tags = np.concatenate(known_tags(labelled, targets))
        matrix, tags = matrix[tags != UNSAID], tags[tags != UNSAID]
        classes = 2 * len(targets.names) + 1

        def fitted(strength: float, start: Linear | None, tolerance: float | None) -> Linear:
            return fit_logistic(matrix, tags, classes, strength=strength, start=start, tolerance=tolerance)

        def judged(layer: Linear) -> tuple[float, ...]:
            outputs = _by_text(layer.logits(unseen), bounds)
            outcomes = task.outcomes(held_out, task.answers(outputs, None, held_out, targets), targets)
            return (task.score(outcomes, targets)[task.metrics[0].name],)

        held_out = validation.filter(validation.column("label").is_valid())
        unseen, bounds = feature_matrix(held_out.column("text").to_pylist(), columns)
        strength, start = (_DEFAULT_STRENGTH if settings.C == "auto" else settings.C), None
        if settings.C == "auto" and held_out.num_rows:
            strength, start = choose_strength(_STRENGTHS, lambda one, begin: fitted(one, begin, _ROUGH), judged)
        layer = fitted(strength, start, None)
        facts = {"C": strength, "features": len(terms), "words": len(tags)}
        return TokenFeaturesModel(columns, layer, facts)

    def load(self, folder: Path, task: Task, targets: Targets) -> TokenFeaturesModel:
        """The model that `TokenFeaturesModel.save` wrote.

        Raises:
            CorruptError: the files do not fit each other or the labels.
        """
        layer, document, _ = load_linear(folder, _FILE)
        terms = document.get("features")
        if not isinstance(terms, list) or layer.weight.shape != (2 * len(targets.names) + 1, len(terms)):
            raise CorruptError("The features, the labels and the weights do not fit each other.", where=str(folder))
        return TokenFeaturesModel({term: k for k, term in enumerate(terms)}, layer, document.get("facts", {}))


def _by_text(logits: Array, bounds: Array) -> list[Array]:
    """Logits of the words of all texts (U, C) as a list, text by text."""
    return np.split(logits, bounds[1:-1]) if len(bounds) > 1 else []


METHOD = TokenFeatures()

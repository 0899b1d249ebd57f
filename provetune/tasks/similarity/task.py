"""Two texts, read together by one encoder (a cross-encoder), into a number: how alike, how related they are.

Judged by Pearson's and Spearman's correlation with the gold numbers. The output layer learns in units of their spread
and gives the number itself, as in `provetune.tasks.regression`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.protocols import Detected, EncodeSettings, Finding, LearnsFrom, Metric, Role, RowParts, Targets
from provetune.evaluation.label_metrics import LATENCY_METRICS
from provetune.evaluation.value_metrics import VALUE_METRICS
from provetune.tasks._sequence import SequenceTask

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

_FIRST = ("pearson", "spearman")


def _correlations_first(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    return tuple(sorted(metrics, key=lambda one: _FIRST.index(one.name) if one.name in _FIRST else len(_FIRST)))


class SimilarityOptions(BaseModel):
    """What similarity adds to a problem file, under ``options``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order: Literal["matters", "free"] = Field(
        "matters",
        description="Whether the order of the two texts means something (matters) or not: free has every training row "
        "read both ways round, which makes an epoch twice as long.",
    )
    loss: Literal["squared", "huber"] = Field(
        "squared", description="What training makes small: the squared error, or Huber's for labels with wild values."
    )


class Similarity(SequenceTask):
    """The similarity task; see `provetune.core.protocols.Task`, which it fulfils."""

    name = "similarity"
    summary = "Say how alike or how related two texts are, as a number."
    roles = (
        Role("text", "The two texts, in two columns.", many=True),
        Role("label", "The number: how alike they are, on any scale."),
    )
    classes = False
    metrics: tuple[Metric, ...] = (*_correlations_first(VALUE_METRICS), *LATENCY_METRICS)
    learns_from: tuple[LearnsFrom, ...] = ("examples", "texts", "features", "weights")
    baseline: str | None = "pair_overlap"
    options: type[BaseModel] = SimilarityOptions
    # As for pairs: a larger rate left the correlation at nought on few rows.
    defaults: Mapping[str, Mapping[str, Any]] = MappingProxyType({"full": {"learning_rate": 1e-4}})
    answer_keys: tuple[str, ...] = ("value",)
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {"sentence_a": "A man plays the guitar.", "sentence_b": "Somebody is making music.", "label": 3.9},
        {"sentence_a": "Two children run.", "sentence_b": "The soup is boiling over.", "label": 1.1},
    )

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """Two columns of texts and one of numbers; the fit is good where these have decimals."""
        from provetune.tasks.similarity.detection import detect_similarity

        return detect_similarity(raw, named)

    def read(self, raw: Any, data: Any, columns: Any) -> RowParts:
        """``text``, ``text_pair``, ``label`` as a number, and ``stratum``: which part of the range it is in."""
        from provetune.data.pair_texts import read_pair
        from provetune.data.values import read_values, value_strata

        label, bad = read_values(raw, columns.label)
        return RowParts({**read_pair(raw, columns), "label": label, "stratum": value_strata(label)}, bad)

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Equal texts on both sides, an empty side, pairs in both orders, and numbers far from all others."""
        from provetune.data.pair_texts import find_pair_faults
        from provetune.data.value_faults import find_value_faults

        return [*find_pair_faults(splits), *find_value_faults(splits)]

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """As `SequenceTask.encode`; rows to learn from also the other way round, where the order is free."""
        from provetune.models.pair_orders import encode_both_orders

        encode = super().encode
        if targets is None or targets.options.get("order") != "free":
            return encode(examples, tokenizer, settings, targets)
        return encode_both_orders(lambda rows: encode(rows, tokenizer, settings, targets), examples)

    def guess(self, examples: pa.Table, targets: Targets) -> Array:
        """The training rows' mean, whatever the texts: float64 (N, 1)."""
        return np.full((examples.num_rows, 1), float(targets.tuned["mean"][0]))

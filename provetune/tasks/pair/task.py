"""Two texts, read together by one encoder (a cross-encoder), into one of several labels.

The order of the two is part of what is learned, as entailment needs it. Where it does not matter, ``options.order:
free`` has every training row read both ways round; answers are given for the order that is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.protocols import Detected, EncodeSettings, Finding, LearnsFrom, Metric, Role, RowParts, Targets
from provetune.evaluation.label_metrics import (
    ACCURACY,
    AVERAGED_METRICS,
    LATENCY_METRICS,
    PER_LABEL_METRICS,
    PROBABILITY_METRICS,
)
from provetune.tasks._sequence import SequenceTask

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array


class PairOptions(BaseModel):
    """What pair adds to a problem file, under ``options``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order: Literal["matters", "free"] = Field(
        "matters",
        description="Whether the order of the two texts means something (entailment) or not (paraphrase, matching): "
        "free has every training row read both ways round, which makes an epoch twice as long.",
    )


class Pair(SequenceTask):
    """The pair task; see `provetune.core.protocols.Task`, which it fulfils."""

    name = "pair"
    summary = "Judge two texts together by a label: matching, paraphrase, entailment."
    roles = (
        Role("text", "The two texts, in two columns; the order is kept.", many=True),
        Role("label", "What holds between them, e.g. 1 and 0, or entailment, neutral and contradiction."),
    )
    metrics: tuple[Metric, ...] = (
        ACCURACY,
        *AVERAGED_METRICS,
        *PER_LABEL_METRICS,
        *PROBABILITY_METRICS,
        Metric("auc", "Area under the ROC curve of a label's probability: [auc:LABEL].", kind="ranks", per_label=True),
        *LATENCY_METRICS,
    )
    learns_from: tuple[LearnsFrom, ...] = ("examples", "texts", "features", "weights", "contrasts")
    baseline: str | None = "pair_overlap"
    options: type[BaseModel] = PairOptions
    # Two texts at once are new to a sentence encoder. On 540 rows of another kind 2e-4 never left the mean, where
    # 1e-4 and 5e-5 did; 4,400 rows of sick2014 had 0.854 with 1e-4, 0.864 with 2e-4 and 0.840 with 5e-5 (accuracy on
    # validation rows after two epochs, one seed each).
    defaults: Mapping[str, Mapping[str, Any]] = MappingProxyType({"full": {"learning_rate": 1e-4}})
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {
            "sentence_a": "A man plays the guitar on a stage.",
            "sentence_b": "Somebody is making music.",
            "label": "entailment",
        },
        {
            "sentence_a": "Two children run across the street.",
            "sentence_b": "Nobody is outside today.",
            "label": "contradiction",
        },
    )

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """Two columns of texts and one of few kinds; the fit is good where the texts are called like a pair."""
        from provetune.tasks.pair.detection import detect_pair

        return detect_pair(raw, named, self.roles)

    def read(self, raw: Any, data: Any, columns: Any) -> RowParts:
        """``text``, ``text_pair`` and ``label``, a string."""
        from provetune.data.label_merging import merge_labels
        from provetune.data.labels import read_labels
        from provetune.data.pair_texts import read_pair

        label = merge_labels(read_labels(raw, columns.label, data.label_separator), data.merge)
        return RowParts({**read_pair(raw, columns), "label": label})

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Equal texts on both sides, an empty side, and pairs that stand in both orders."""
        from provetune.data.pair_texts import find_pair_faults

        return find_pair_faults(splits)

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """As `SequenceTask.encode`; rows to learn from also the other way round, where the order is free."""
        from provetune.models.pair_orders import encode_both_orders

        encode = super().encode
        if targets is None or targets.options.get("order") != "free":
            return encode(examples, tokenizer, settings, targets)
        return encode_both_orders(lambda rows: encode(rows, tokenizer, settings, targets), examples)

    def guess(self, examples: pa.Table, targets: Targets) -> Array:
        """The most frequent label, whatever the texts: float32 (N, C)."""
        always = np.zeros((examples.num_rows, len(targets.names)), dtype=np.float32)
        always[:, int(np.argmax(targets.counts))] = 1.0
        return always

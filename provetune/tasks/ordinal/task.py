"""Texts, or pairs of texts, into one of several labels that stand in an order: stars, grades, degrees.

The model is that of classification, so that any tool loads it; it learns from how far off an answer is
(`provetune.tasks.ordinal.order`), and what is said is the middle of what it holds likely.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from provetune.core.errors import DataError
from provetune.core.protocols import Detected, Finding, Metric, Role, Targets
from provetune.evaluation.label_metrics import (
    ACCURACY,
    AVERAGED_METRICS,
    LATENCY_METRICS,
    PER_LABEL_METRICS,
    PROBABILITY_METRICS,
)
from provetune.tasks._sequence import SINGLE, SequenceTask
from provetune.tasks.ordinal.order import decide_steps, order_labels, ordered_loss

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array

ORDERED = "ordinal"
SCALE_NAMES = [
    *("stars", "rating", "grade", "score", "level", "degree", "rank", "severity", "quality", "satisfaction"),
    *("星级", "评分", "打分", "等级", "评级", "级别", "满意度", "严重程度"),
]
_FEWEST, _MOST_STEPS = 3, 11


class OrdinalOptions(BaseModel):
    """What ordinal classification adds to a problem file, under ``options``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order: Annotated[list[str], Field(min_length=2)] | None = Field(
        None, description="The labels from the lowest to the highest. Left out: by the numbers that they are."
    )
    decide: Literal["median", "mean", "most_likely"] = Field(
        "median",
        description="Which label is said: the median of what is held likely (least mean distance), its rounded mean "
        "(best quadratic kappa), or the most likely one (best accuracy).",
    )

    @field_validator("order", mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        """Numbers in the list are labels too, as a file would write them."""
        if not isinstance(value, list):
            return value
        return [str(each) if isinstance(each, int | float) and not isinstance(each, bool) else each for each in value]

    @field_validator("order")
    @classmethod
    def _each_once(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and len(set(value)) < len(value):
            raise ValueError("must name each label once.")
        return value


class Ordinal(SequenceTask):
    """The ordinal task; see `provetune.core.protocols.Task`, which it fulfils, and `Calibratable`."""

    name = "ordinal"
    summary = "Sort texts, or pairs of texts, into labels that have an order, such as stars or grades."
    roles = (
        Role("text", "The text to judge. Two columns are read as a pair.", many=True),
        Role("label", "Its step of the scale, a number or a name; options.order says how names are ordered."),
    )
    metrics = (
        Metric(
            "quadratic_kappa",
            "Agreement beyond chance, distant answers counting more (Cohen's quadratic kappa).",
            low=-1.0,
        ),
        Metric("mae", "Mean distance between the said and the right label, in steps.", False, high=float("inf")),
        Metric("within_one", "Share of rows whose label is right or one step off."),
        Metric("spearman", "Spearman's rank correlation of said and right labels.", kind="ranks", low=-1.0),
        ACCURACY,
        *AVERAGED_METRICS,
        *PER_LABEL_METRICS,
        *PROBABILITY_METRICS,
        *LATENCY_METRICS,
    )
    options: type[BaseModel] = OrdinalOptions
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {"text": "Cold food, an hour late.", "label": "1"},
        {"text": "Good, if a little dear.", "label": "4"},
    )

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """Columns as classification finds them; the fit is good where a few whole numbers are called like a scale."""
        from provetune.data.column_names import name_score
        from provetune.data.columns import flat_names
        from provetune.data.profiles import profile_column

        found = super().detect(raw, named)
        label = {**found.columns, **named}.get("label")
        if "text" not in {**found.columns, **named} or not isinstance(label, str):
            return replace(found, fit=0.0, why="There is no text, or no label that could have an order.")
        profile = profile_column(raw, flat_names([label])[0])
        if profile.numbers > 0.9 and profile.decimals == 0 and _FEWEST <= profile.distinct <= _MOST_STEPS:
            if name_score(label, SCALE_NAMES) > 0:
                return replace(found, fit=0.65, why=f"'{label}' is called like a scale of {profile.distinct} steps.")
            return replace(found, fit=0.4, why=f"'{label}' holds {profile.distinct} whole numbers: steps, or names.")
        return replace(found, fit=0.1, why=f"Nothing tells whether the labels of '{label}' have an order.")

    def targets(
        self, examples: pa.Table, *, out_of_scope: str | None = None, options: Mapping[str, Any] | None = None
    ) -> Targets:
        """Labels from the lowest to the highest, and how often each occurs.

        Raises:
            DataError: nothing to learn, several labels a row, or an order that is not known.
        """
        import pyarrow as pa

        if pa.types.is_list(examples.column("label").type):
            raise DataError("A row has several labels: they cannot be steps of one scale.", hint="Check the label.")
        found = super().targets(examples, out_of_scope=out_of_scope, options=options)
        counts = dict(zip(found.names, found.counts, strict=True))
        names = order_labels(found.names, found.options.get("order"), lambda label: _first_place(examples, label))
        return replace(found, kind=ORDERED, names=names, counts=tuple(counts.get(name, 0) for name in names))

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Scales of a single step, and many steps."""
        import pyarrow.compute as pc

        train = splits.get("train")
        if train is None or len(train) == 0:
            return []
        distinct = pc.count_distinct(train.column("label").drop_null()).as_py()
        if distinct == 2:
            message = "Two labels are always in order: `task: classification` says the same."
            return [Finding("two_steps", "note", len(train), message)]
        if distinct > 2 * _MOST_STEPS:
            message = f"{distinct} different labels are a long scale; if they are numbers, `task: regression` may suit."
            return [Finding("many_steps", "warning", len(train), message)]
        return []

    def head(self, targets: Targets) -> dict[str, Any]:
        """That of classification."""
        return super().head(replace(targets, kind=SINGLE))

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Cross-entropy with the all-threshold log-loss, see `provetune.tasks.ordinal.order.ordered_loss`."""
        return ordered_loss(logits, labels, weights)

    def given(self, answers: Array, targets: Targets) -> Array:
        """The label that is said, by `options.decide`; bool (N, C)."""
        chosen = np.zeros(np.shape(answers), dtype=bool)
        steps = decide_steps(answers, targets.options.get("decide", "median"))
        chosen[np.arange(len(chosen)), steps] = True
        return chosen


def _first_place(examples: pa.Table, label: str) -> str | None:
    """File and row of the first example with a label, where examples say it."""
    import pyarrow.compute as pc

    row = pc.index(examples.column("label"), label).as_py()
    if row < 0 or not {"_file", "_row"} <= set(examples.column_names):
        return None
    return f"{examples.column('_file')[row].as_py()}, row {examples.column('_row')[row].as_py()}"

"""Texts, or pairs of texts, into a number, or into several.

The output layer learns in units of each number's spread and gives the number itself, so that a bundle says the same in
`transformers.pipeline`. Linear methods fit a ridge regression.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import DataError
from provetune.core.protocols import Detected, Finding, ReportTable, Role, RowParts, Targets
from provetune.evaluation.label_metrics import LATENCY_METRICS
from provetune.evaluation.value_metrics import VALUE_METRICS
from provetune.tasks._sequence import SequenceTask, outcome_values

if TYPE_CHECKING:
    import pyarrow as pa


class RegressionOptions(BaseModel):
    """What regression adds to a problem file, under ``options``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: Literal["squared", "huber"] = Field(
        "squared",
        description="What training makes small: the squared error, or Huber's, which counts errors beyond one spread "
        "linearly, for labels with wild values. Linear methods always take the squared error.",
    )


class Regression(SequenceTask):
    """The regression task; see `provetune.core.protocols.Task`, which it fulfils."""

    name = "regression"
    summary = "Say a number of each text, or pair of texts, or several numbers."
    roles = (
        Role("text", "The text to judge. Two columns are read as a pair.", many=True),
        Role("label", "Its number. Several columns, or a list in a cell, mean several numbers a row.", many=True),
    )
    classes = False
    metrics = (*VALUE_METRICS, *LATENCY_METRICS)
    options: type[BaseModel] = RegressionOptions
    answer_keys: tuple[str, ...] = ("value",)
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {"text": "Profits fell by a third and the dividend is gone.", "label": -0.72},
        {"text": "The new factory opens a year early.", "label": 0.55},
    )

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """A text, and a column of numbers that is no identifier; the fit is good where they have decimals."""
        from provetune.tasks.regression.detection import detect_values

        return detect_values(raw, named, self.roles)

    def read(self, raw: Any, data: Any, columns: Any) -> RowParts:
        """``text`` (and ``text_pair``), ``label`` as numbers, and ``stratum``: which part of the range it is in."""
        from provetune.data.texts import read_texts
        from provetune.data.values import read_values, value_strata

        if not columns.text:
            raise DataError("No text column is named.", where=raw.location, hint="Name it with data.columns.text.")
        text, pair = read_texts(raw, columns.text)
        label, bad = read_values(raw, columns.label)
        parts = {"text": text} if pair is None else {"text": text, "text_pair": pair}
        return RowParts({**parts, "label": label, "stratum": value_strata(label)}, bad)

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Numbers that are few kinds, far from all others, or outside of what training has seen."""
        from provetune.data.value_faults import find_value_faults

        return find_value_faults(splits)

    def tables(self, outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
        """What is said where the truth is low, middle and high; and of several numbers the scores of each."""
        from provetune.tasks.regression.tables import range_table, score_table

        gold, said = outcome_values(outcomes, targets)
        if len(gold) == 0:
            return []
        found = [range_table(gold[:, k], said[:, k], name, len(targets.names)) for k, name in enumerate(targets.names)]
        return found if len(targets.names) == 1 else [score_table(gold, said, targets.names), *found]

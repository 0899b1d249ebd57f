"""Texts, or pairs of texts, into one of several labels, or into any number of them.

The label column decides: strings make it single-label (softmax, cross-entropy), lists of strings multi-label (a
sigmoid each, binary cross-entropy, given from a threshold on that is chosen on the validation rows). Both may abstain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from provetune.core.protocols import Finding, ReportTable, Role, Targets
from provetune.tasks._sequence import MULTI, SequenceTask, class_column
from provetune.tasks.classification.options import ClassificationOptions
from provetune.tasks.classification.scores import METRICS

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array


class Classification(SequenceTask):
    """The classification task; see `provetune.core.protocols.Task`, which it fulfils, `Calibratable` and `Tunable`."""

    name = "classification"
    summary = "Sort texts, or pairs of texts, into labels: one each, or any number."
    roles = (
        Role("text", "The text to sort. Two columns are read as a pair.", many=True),
        Role("label", "Its label. Several 0/1 columns, or one with a separator, mean several labels a row.", many=True),
    )
    metrics = METRICS
    options: type[BaseModel] = ClassificationOptions
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {"text": "My card was charged twice for the same order.", "label": "billing"},
        {"text": "The parcel says delivered, but nothing arrived.", "label": "delivery"},
    )

    def targets(
        self, examples: pa.Table, *, out_of_scope: str | None = None, options: Mapping[str, Any] | None = None
    ) -> Targets:
        """As `SequenceTask.targets`, with the labels that ``options.labels`` names besides."""
        found = super().targets(examples, out_of_scope=out_of_scope, options=options)
        counts = {
            **dict.fromkeys(found.options.get("labels", ()), 0),
            **dict(zip(found.names, found.counts, strict=True)),
        }
        names = tuple(sorted(counts))
        return replace(found, names=names, counts=tuple(counts[name] for name in names))

    def settle_options(self, options: Mapping[str, Any] | None) -> dict[str, Any]:
        """The task's own settings, every default filled in; no further labels are none."""
        settled = super().settle_options(options)
        return {name: value for name, value in settled.items() if name != "labels" or value}

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Labels that look like identifiers or numbers, and several labels a row that never are several."""
        import pyarrow as pa

        from provetune.tasks.classification.faults import find_several_faults, find_single_faults

        examples = splits.get("train")
        if examples is None or len(examples) == 0:
            return []
        if pa.types.is_list(examples.column("label").type):
            return find_several_faults(examples)
        return find_single_faults(examples)

    def guess(self, examples: pa.Table, targets: Targets) -> Array:
        """The most frequent label, whatever the text: float32 (N, C)."""
        always = np.zeros((examples.num_rows, len(targets.names)), dtype=np.float32)
        always[:, int(np.argmax(targets.counts))] = 1.0
        return always

    def tune(self, answers: Array, examples: pa.Table, targets: Targets) -> Targets:
        """Thresholds of several labels, and the line under which nothing is answered; in `Targets.tuned`.

        Args:
            answers: probabilities (N, C).
        """
        from provetune.tasks.classification.decision import tune_decision

        return tune_decision(answers, examples, targets)

    def outcomes(self, examples: pa.Table, answers: Array, targets: Targets) -> pa.Table:
        """``row_id``, ``label``, ``prediction``, ``probabilities`` and, of a model that may abstain, ``abstained``.

        A row that is abstained on has the out-of-scope label, where there is one, else what would have been answered.
        """
        import pyarrow as pa

        from provetune.evaluation.outcomes import ABSTAINED, build_outcomes

        said = class_column(self.given(answers, targets), targets)
        table = build_outcomes(examples.column("row_id"), examples.column("label"), said, answers)
        answered = self._answered(answers, targets)
        return table if answered is None else table.append_column(ABSTAINED, pa.array(~answered))

    def given(self, answers: Array, targets: Targets) -> Array:
        """Which labels are given: the most probable one, or all that reach their threshold; bool (N, C)."""
        from provetune.tasks.classification.decision import out_of_scope_number

        given = super().given(answers, targets)
        answered, outside = self._answered(answers, targets), out_of_scope_number(targets)
        if answered is not None and outside is not None:
            given[~answered] = False
            given[~answered, outside] = True
        return given

    def predictions(
        self, answers: Array, targets: Targets, *, top_k: int | None = None, proba: bool = False
    ) -> list[dict[str, Any]]:
        """As `SequenceTask.predictions`; a model that may abstain says of each row whether it does (``"abstained"``).

        The ``"label"`` of such a row is None, or the out-of-scope label; its ``"score"`` that of the best answer.
        """
        told = super().predictions(answers, targets, top_k=top_k, proba=proba)
        answered = self._answered(answers, targets)
        if answered is None:
            return told
        from provetune.tasks.classification.decision import out_of_scope_number

        outside = out_of_scope_number(targets)
        found = []
        for row, entry, answers_it in zip(np.asarray(answers), told, answered.tolist(), strict=True):
            if not answers_it:
                entry["label"] = None if outside is None else targets.out_of_scope
                entry["score"] = entry["score"] if targets.kind == MULTI else float(row.max())
            label, score, *_ = entry.items()
            found.append({**dict((label, score)), "abstained": not answers_it, **entry})
        return found

    def tables(self, outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
        """The risk–coverage curve."""
        from provetune.tasks.classification.tables import coverage_table

        return coverage_table(outcomes, targets)

    def _answered(self, answers: Array, targets: Targets) -> Array | None:
        from provetune.tasks.classification.decision import answered_rows

        return answered_rows(answers, targets)

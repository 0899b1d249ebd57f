"""Which relation holds between two marked entities, and which way round.

The model reads the text with its markers (entity markers: Baldini Soares et al. 2019, arXiv:1906.03158) and classifies
it from its first token, so that the plain transformers class loads the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import DataError
from provetune.core.protocols import Detected, EncodeSettings, Finding, ReportTable, Role, RowParts, Targets
from provetune.core.suggest import advice
from provetune.tasks._sequence import SequenceTask
from provetune.tasks._sequence.task import IGNORED
from provetune.tasks.relation.scores import METRICS, relation_lines, relation_metrics

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.statistics.rows import JudgedRows

AUTO = "auto"
# Labels that mean "no relation", as data sets have them.
OTHERS = (
    "other",
    "_other",
    "no_relation",
    "no-relation",
    "no relation",
    "none",
    "na",
    "n/a",
    "nil",
    "norelation",
    "无关系",
    "无",
    "其他",
)


class RelationOptions(BaseModel):
    """Settings of the task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    other: str | None = Field(
        AUTO,
        description="Label that means no relation, left out of the averaged scores; null for none; auto finds it among "
        "the labels (other, no_relation, none, …).",
    )


class Relation(SequenceTask):
    """The relation task; see `provetune.core.protocols.Task`, which it fulfils."""

    name = "relation"
    summary = "Say which relation holds between two marked entities of a text, and which way round."
    roles = (
        Role(
            "text", "The text, its entities marked: … <e1> author </e1> … <e2> book </e2> …; or plain, with e1 and e2."
        ),
        Role("label", "The relation, with its direction if it has one: Cause-Effect(e1,e2)."),
        Role("e1", "Where the text is not marked: the first entity's words, or its start and end.", False, True),
        Role("e2", "The second entity, in the same way.", False, True),
    )
    metrics = METRICS
    options: type[BaseModel] = RelationOptions
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {"text": "The <e1> author </e1> finished the <e2> novel </e2> .", "label": "Product-Producer(e2,e1)"},
        {"text": "The <e1> storm </e1> caused a <e2> flood </e2> .", "label": "Cause-Effect(e1,e2)"},
    )

    # -- columns of a file, and rows ---------------------------------------------------------------------------------

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """A column whose texts are marked, or a text beside two columns of entities."""
        from provetune.tasks.relation.detection import detect_relations

        return detect_relations(raw, named, self.roles)

    def read(self, raw: Any, data: Any, columns: Any) -> RowParts:
        """``text`` with both entities marked in one writing, and ``label``."""
        from provetune.tasks.relation.reading import read_relations

        return read_relations(raw, data, columns)

    def input_columns(self, columns: Any) -> str | list[str]:
        """The text column, with those of the entities where it is not marked."""
        from provetune.tasks.relation.reading import entity_columns

        text = columns.text if isinstance(columns.text, str) else "text"
        entities = entity_columns(columns)
        return text if entities is None else [text, *entities[0], *entities[1]]

    def read_input(self, parts: Sequence[Any], where: str) -> tuple[str, ...] | None:
        """A marked text, or a plain one with the cells of its entities, to predict."""
        from provetune.tasks.relation.reading import input_text

        return input_text(parts, where)

    def targets(
        self, examples: pa.Table, *, out_of_scope: str | None = None, options: Mapping[str, Any] | None = None
    ) -> Targets:
        """Labels in order and their counts; ``options["other"]`` is settled to a label or None.

        Raises:
            DataError: fewer than two labels, or none is called as `other` says.
        """
        found = super().targets(examples, out_of_scope=out_of_scope, options=options)
        other = _find_other(found.names, found.options["other"], out_of_scope)
        return replace(found, options={**found.options, "other": other})

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Entities inside one another or named twice, and labels with and without a direction."""
        from provetune.tasks.relation.faults import find_relation_faults

        names = set(splits["train"].column("label").drop_null().to_pylist()) if "train" in splits else set()
        return list(find_relation_faults(splits, _find_other(sorted(names), AUTO, None)))

    # -- model -------------------------------------------------------------------------------------------------------

    def prepare_tokenizer(self, tokenizer: Any, targets: Targets) -> Any:
        """The tokenizer with the markers as tokens of their own."""
        from provetune.tasks.relation.tokens import add_marker_tokens

        return add_marker_tokens(tokenizer)

    def prepare_model(self, model: torch.nn.Module, tokenizer: Any, targets: Targets) -> torch.nn.Module:
        """The model with embeddings of the markers."""
        from provetune.tasks.relation.tokens import add_marker_embeddings

        return add_marker_embeddings(model, tokenizer)

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """One feature a text, both entities in it; with `targets` a column ``labels`` (int32)."""
        import pyarrow as pa

        from provetune.models.places import Places
        from provetune.tasks.relation.encoding import encode_marked

        if len(examples) == 0:
            raise DataError("There are no rows to encode.")
        table = encode_marked(examples.column("text"), tokenizer, settings, Places.of(examples))
        if targets is None:
            return table
        labels = self.label_array(examples, targets)
        return table.append_column("labels", pa.array(np.where(labels < 0, IGNORED, labels).astype(np.int32)))

    # -- scores ------------------------------------------------------------------------------------------------------

    def score(self, outcomes: pa.Table, targets: Targets) -> dict[str, float]:
        """Every averaged metric of these rows."""
        from provetune.evaluation.metrics import classification_scores

        known = {metric.name for metric in self.metrics}
        scores = classification_scores(self.judged(outcomes, targets))
        return {name: value for name, value in scores.items() if name in known}

    def judged(self, outcomes: pa.Table, targets: Targets, groups: Sequence[Any] | None = None) -> JudgedRows:
        """Label numbers, with the averages that relations have in their own way."""
        from provetune.evaluation.outcomes import judged_rows

        rows = judged_rows(outcomes, targets, groups)
        if len(rows) == 0:
            return rows
        return replace(rows, own=relation_metrics(rows.labels, rows.predictions, rows.names, targets.options["other"]))

    def tables(self, outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
        """A line a relation, both directions together, as the official scorer prints them."""
        rows = self.judged(outcomes, targets)
        if len(rows) == 0:
            return []
        other = targets.options["other"]
        note = f"'{other}' is left out." if other else "There is no label that means no relation."
        return [
            ReportTable(
                "relations",
                "Relations, both directions together",
                ("relation", "precision", "recall", "f1", "gold rows", "predicted rows", "wrong way round"),
                tuple(relation_lines(rows.labels, rows.predictions, rows.names, other)),
                f"The right relation the wrong way round counts as wrong. {note}",
            )
        ]


def _find_other(names: Sequence[str], wanted: str | None, out_of_scope: str | None) -> str | None:
    """The label that means no relation."""
    if wanted != AUTO:
        if wanted is not None and wanted not in names:
            raise DataError(
                f"No training row has the label '{wanted}' (options.other).", hint=advice(wanted, list(names))
            )
        return wanted
    if out_of_scope is not None:
        return out_of_scope
    return next((name for other in OTHERS for name in names if name.casefold() == other), None)

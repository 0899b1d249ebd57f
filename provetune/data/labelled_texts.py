"""Rows of a text, or two, and a label or labels: how tasks that sort texts find and read their columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provetune.core.errors import DataError
from provetune.core.protocols import Detected, Role, RowParts
from provetune.data.column_names import EITHER_NAMES, LABEL_NAMES, TITLE_NAMES, name_score
from provetune.data.columns import detect_columns, flat_names
from provetune.data.label_merging import merge_labels
from provetune.data.labels import read_labels
from provetune.data.profiles import profile_column
from provetune.data.table import Kind, RawTable
from provetune.data.texts import read_texts
from provetune.problem.syntax import Columns, Data

_FEW_LABELS = 0.5
_LABEL_LETTERS = 40
_LOOKED_AT = 100
_OBJECTS = re.compile(r"\s*\[\s*[\[{]")


@dataclass(frozen=True)
class LabelledTexts:
    """Reads ``text`` (and ``text_pair``) and ``label``, as strings or lists of strings.

    Attributes:
        roles: ``text`` and ``label``, with the task's own descriptions.
        classes: always; labels are classes.
    """

    roles: tuple[Role, ...]
    classes: bool = True

    def detect(self, raw: RawTable, named: Mapping[str, str | list[str]]) -> Detected:
        """Columns for the roles that are not named; the fit is good where labels come back often."""
        wanted: Sequence[Role] = [role for role in self.roles if role.name not in named]
        found = detect_columns(raw, wanted, taken=flat_names(list(named.values())))
        columns = {**found.columns, **{role.name: named[role.name] for role in self.roles if role.name in named}}
        fit, why = _judge_fit(raw, columns)
        return Detected(found.columns, found.reasons, found.samples, fit, why)

    def read(self, raw: RawTable, data: Data, columns: Columns) -> RowParts:
        """Texts and labels of all rows.

        Raises:
            DataError: no text column is named, or a cell cannot be used; names the row.
        """
        if not columns.text:
            raise DataError("No text column is named.", where=raw.location, hint="Name it with data.columns.text.")
        text, pair = read_texts(raw, columns.text)
        table = {"text": text} if pair is None else {"text": text, "text_pair": pair}
        labels = read_labels(raw, columns.label, data.label_separator)
        return RowParts({**table, "label": merge_labels(labels, data.merge)})

    def input_columns(self, columns: Columns) -> str | list[str]:
        """The text column or columns."""
        return columns.text or "text"


def _judge_fit(raw: RawTable, columns: Mapping[str, str | list[str]]) -> tuple[float, str]:
    if "text" not in columns:
        return 0.0, "There is no text to sort."
    label = columns.get("label")
    if label is None:
        return 0.1, "There is a text, but no column that looks like a label."
    if not isinstance(label, str):
        return 0.6, "Several columns hold labels."
    if (raw.kind_of(label) == Kind.OBJECT).any() or _holds_objects(raw, label):
        return 0.0, f"'{label}' holds objects, which are no labels."
    profile = profile_column(raw, label)
    many = profile.distinct > _FEW_LABELS * raw.rows
    named = max(name_score(label, LABEL_NAMES), name_score(label, EITHER_NAMES)) > 0
    # Without a name that says so, sentences that come back may be anything: templates, titles, names of people.
    wordy = not named and (profile.mean_length > _LABEL_LETTERS or name_score(label, TITLE_NAMES) > 0)
    fit = 0.2 if wordy else 0.3 if many else 0.6
    return fit, f"'{label}' has {profile.distinct:,} different values in {raw.rows:,} rows."


def _holds_objects(raw: RawTable, name: str) -> bool:
    """Whether one of the first cells is a list of objects, as spans and messages are."""
    cells = raw.table[name].slice(0, _LOOKED_AT).to_pylist()
    return any(cell is not None and _OBJECTS.match(cell) is not None for cell in cells)

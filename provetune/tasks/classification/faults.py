"""Faults that only classification data has: labels that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provetune.core.protocols import Finding

if TYPE_CHECKING:
    import pyarrow as pa

ID_LIKE_SHARE = 0.5
NUMBER_LIKE_LABELS = 20


def find_single_faults(examples: pa.Table) -> list[Finding]:
    """Labels that look like identifiers or like a quantity."""
    import pyarrow.compute as pc

    values = pc.unique(examples.column("label").drop_null()).to_pylist()
    if len(values) <= NUMBER_LIKE_LABELS:
        return []
    if len(values) > ID_LIKE_SHARE * len(examples):
        message = (
            f"{len(values)} different labels in {len(examples)} rows look like identifiers or free text. "
            "Check data.columns.label."
        )
        return [Finding("labels_like_identifiers", "blocking", len(values), message)]
    if all(_is_number(value) for value in values):
        message = f"The {len(values)} labels are all numbers: this may be a quantity rather than kinds."
        return [Finding("labels_like_numbers", "warning", len(values), message)]
    return []


def find_several_faults(examples: pa.Table) -> list[Finding]:
    """Lists of labels that never have several, and labels that every row has."""
    import pyarrow.compute as pc

    column = examples.column("label").drop_null()
    findings = []
    if len(column) and pc.max(pc.list_value_length(column)).as_py() <= 1:
        message = "No row has more than one label: single labels would be learned better. Check data.columns.label."
        findings.append(Finding("never_several_labels", "warning", len(column), message))
    for entry in pc.value_counts(pc.list_flatten(column)).to_pylist():
        if entry["counts"] == len(column):
            message = f"Every row has the label '{entry['values']}': there is nothing to learn about it."
            findings.append(Finding("label_on_every_row", "warning", len(column), message))
    return findings


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True

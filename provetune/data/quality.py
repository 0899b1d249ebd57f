"""What is wrong with the data, worst first: the data gate behind `provetune check`.

It looks at every split, the test's texts and labels among them, but never at a prediction, so it is no look at
the sealed test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from provetune.core.protocols import Finding
from provetune.data.label_faults import (
    find_few_labels,
    find_rare_labels,
    find_signs_of_none,
    find_similar_labels,
    find_unseen_labels,
)
from provetune.data.places import Rows
from provetune.data.row_faults import find_conflicts, find_duplicates, find_group_leaks, find_leaks, find_unusable
from provetune.data.splits import Splits
from provetune.data.text_faults import find_damaged_texts, find_foreign_language, find_long_texts, find_truncated

_SEVERITIES = ("blocking", "warning", "note")
# Within one severity: what spoils the verdict comes before what spoils a row.
_WORST_FIRST = (
    "one_label_only",
    "candidate_cannot_run",
    "unseen_label",
    "leak_between_splits",
    "group_in_two_splits",
    "bad_row",
    "missing_label",
    "missing_text",
    "empty_text",
    "nul_bytes",
    "huge_text",
    "conflicting_labels",
    "label_missing_from_split",
    "label_says_none",
    "similar_labels",
    "language_unlike_backbone",
    "truncated",
    "duplicate_rows",
    "rare_labels",
    "broken_characters",
    "control_characters",
    "long_text",
)

Lengths = Callable[[Sequence[str], Sequence[str] | None], np.ndarray[Any, np.dtype[Any]]]


def find_faults(
    splits: Splits,
    *,
    lengths: Lengths | None = None,
    max_length: int | None = None,
    backbone_languages: Sequence[str] | None = None,
    language: str | None = None,
    out_of_scope: str | None = None,
    labels: Collection[str] = (),
) -> list[Finding]:
    """Every fault of the data, worst first.

    Args:
        splits: as made by `make_splits`.
        lengths: tokens of each text, special ones included, given texts and the second texts of pairs (or
            None); without it, or without `max_length`, truncation is not looked at.
        max_length: most tokens a text may have.
        backbone_languages: languages that the backbone knows; empty or None: not looked at.
        language: language of the texts, where it is stated; detected otherwise.
        out_of_scope: the label that means "none of these"; training may lack it.
        labels: further labels that training may lack (``options.labels``).
    """
    rows = Rows(splits)
    findings = [
        *find_unusable(rows),
        *find_duplicates(rows),
        *find_leaks(rows),
        *find_group_leaks(rows),
        *(_find_class_faults(rows, out_of_scope, labels) if splits.classes else ()),
        *find_damaged_texts(rows),
        *find_long_texts(rows),
    ]
    if lengths is not None and max_length is not None:
        findings += find_truncated(rows, lengths, max_length)
    if backbone_languages:
        findings += find_foreign_language(rows, backbone_languages, language)
    return sort_findings(findings)


def _find_class_faults(rows: Rows, out_of_scope: str | None, labels: Collection[str]) -> list[Finding]:
    """Faults of labels that are classes."""
    return [
        *find_conflicts(rows),
        *find_few_labels(rows),
        *find_unseen_labels(rows, out_of_scope, labels),
        *find_signs_of_none(rows, out_of_scope),
        *find_similar_labels(rows),
        *find_rare_labels(rows),
    ]


def sort_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Worst first: by severity, then by kind, then by rows concerned."""

    def badness(finding: Finding) -> tuple[int, int, int]:
        rank = _WORST_FIRST.index(finding.kind) if finding.kind in _WORST_FIRST else len(_WORST_FIRST)
        return _SEVERITIES.index(finding.severity), rank, -finding.count

    return sorted(findings, key=badness)

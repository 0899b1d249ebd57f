"""The data gate of a run: rows that no study can use stop it before anything is trained."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from provetune.core.errors import DataError

if TYPE_CHECKING:
    from provetune.core.protocols import Finding, Task
    from provetune.data.splits import Splits


def find_blocking(
    splits: Splits, task: Task, *, out_of_scope: str | None = None, labels: Collection[str] = ()
) -> list[Finding]:
    """The blocking findings of `provetune check` that can be told without a model, cheaply, for many rows."""
    from provetune.data.label_faults import find_few_labels, find_unseen_labels
    from provetune.data.places import Rows
    from provetune.data.row_faults import find_unusable
    from provetune.data.text_faults import find_damaged_texts, find_long_texts

    rows = Rows(splits)
    found = [
        *([*find_few_labels(rows), *find_unseen_labels(rows, out_of_scope, labels)] if splits.classes else []),
        *find_unusable(rows),
        *find_damaged_texts(rows),
        *find_long_texts(rows),
        *task.check(splits.tables),
    ]
    return [finding for finding in found if finding.severity == "blocking"]


def refuse_blocking(
    splits: Splits, task: Task, *, out_of_scope: str | None = None, labels: Collection[str] = ()
) -> None:
    """Stop where the data has a blocking fault.

    Args:
        labels: those that training rows may lack.

    Raises:
        DataError: names the first fault, where its first row is, and how many others there are.
    """
    found = find_blocking(splits, task, out_of_scope=out_of_scope, labels=labels)
    if not found:
        return
    first, others = found[0], len(found) - 1
    place = first.rows[0] if first.rows else {}
    where = f"{place['file']}, row {place['row']}" if "file" in place and "row" in place else None
    more = f" There {'is' if others == 1 else 'are'} {others} more." if others else ""
    raise DataError(first.message + more, where=where, hint="`provetune check` shows every one.")

"""What there is to predict: names and counts of class labels, mean and spread of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError
from provetune.core.protocols import Targets

if TYPE_CHECKING:
    import pyarrow as pa

SINGLE, MULTI, VALUES = "single_label", "multi_label", "regression"
NAME = "value"


def class_targets(examples: pa.Table, out_of_scope: str | None, options: Mapping[str, Any]) -> Targets:
    """Label names in order, and how often each occurs. Rows without a label do not count.

    Raises:
        DataError: no labelled rows, one label only, or no row with the out-of-scope label.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = examples.column("label")
    several = pa.types.is_list(column.type)
    flat = pc.list_flatten(column) if several else column
    counted = {entry["values"]: entry["counts"] for entry in pc.value_counts(flat.drop_null()).to_pylist()}
    if not counted:
        raise DataError("There are no labelled rows to learn from.", hint="Check data.columns.label.")
    if len(counted) == 1 and not several:
        raise DataError(
            f"All rows have one label, '{next(iter(counted))}': there is nothing to learn.",
            hint="Add rows with other labels, or name the right column in data.columns.label.",
        )
    if out_of_scope is not None and out_of_scope not in counted:
        from provetune.core.suggest import advice

        raise DataError(
            f"No training row has the out-of-scope label '{out_of_scope}'.", hint=advice(out_of_scope, counted)
        )
    names = tuple(sorted(counted))
    counts = tuple(counted[name] for name in names)
    return Targets(MULTI if several else SINGLE, names, counts, out_of_scope, dict(options))


def value_targets(examples: pa.Table, options: Mapping[str, Any]) -> Targets:
    """Names of the numbers, and in `Targets.tuned` the ``mean`` and ``scale`` (standard deviation) of each.

    A single number is named ``value``; several have the names of their struct.

    Raises:
        DataError: no labelled rows, or a number that is the same in all of them.
    """
    import pyarrow as pa

    column = examples.column("label").combine_chunks()
    labelled = column.drop_null()
    if len(labelled) == 0:
        raise DataError("There are no labelled rows to learn from.", hint="Check data.columns.label.")
    several = pa.types.is_struct(column.type)
    names = tuple(field.name for field in column.type) if several else (NAME,)
    parts = [labelled.field(name) for name in names] if several else [labelled]
    values = np.stack([part.to_numpy(zero_copy_only=False).astype(np.float64) for part in parts], axis=1)
    means, scales = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    for name, mean, scale in zip(names, means, scales, strict=True):
        if not scale > 0:
            which = f" of '{name}'" if several else ""
            raise DataError(
                f"All rows have one value{which}, {mean:g}: there is nothing to learn.",
                hint="Add rows with other values, or name the right column in data.columns.label.",
            )
    tuned = {"mean": means.tolist(), "scale": scales.tolist()}
    return Targets(VALUES, names, (len(labelled),) * len(names), None, dict(options), tuned)

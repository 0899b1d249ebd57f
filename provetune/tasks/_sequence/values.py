"""Labels that are numbers: one a row, as floats, or several by name, as structs of floats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Targets

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array


def holds_values(kind: pa.DataType) -> bool:
    """Whether an Arrow type is that of labels which are numbers: floating point, or a struct of such."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return all(pa.types.is_floating(field.type) for field in kind)
    return bool(pa.types.is_floating(kind))


def label_values(column: pa.Array, targets: Targets) -> Array:
    """Numbers of a label column, float64 (N, C), NaN where there is none."""
    import pyarrow as pa

    parts = [column] if not pa.types.is_struct(column.type) else [column.field(name) for name in targets.names]
    missing = ~np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
    found = np.stack([np.asarray(part.to_numpy(zero_copy_only=False), dtype=np.float64) for part in parts], axis=1)
    found[missing] = np.nan
    return found


def value_column(values: Array, targets: Targets, kind: pa.DataType) -> pa.Array:
    """Numbers (N, C) as the label column has them: floats, or structs of them."""
    import pyarrow as pa

    parts = [pa.array(np.ascontiguousarray(part, dtype=np.float64)) for part in np.asarray(values).T]
    if pa.types.is_struct(kind) or len(parts) > 1:
        return pa.StructArray.from_arrays(parts, names=list(targets.names))
    return parts[0]


def outcome_values(outcomes: pa.Table, targets: Targets) -> tuple[Array, Array]:
    """Gold and said numbers of the labelled rows, float64 (M, C) each."""
    labelled = outcomes.filter(outcomes.column("label").is_valid())
    gold, said = (label_values(labelled.column(name).combine_chunks(), targets) for name in ("label", "prediction"))
    return gold, said


def value_loss(logits: torch.Tensor, labels: torch.Tensor, targets: Targets) -> torch.Tensor:
    """Squared or Huber's error over the spread; numbers that are not there (NaN) count for nothing."""
    import torch
    from torch.nn import functional

    scale = torch.tensor(targets.tuned["scale"], dtype=torch.float32, device=logits.device)
    known = ~torch.isnan(labels)
    gold = torch.where(known, labels.float(), logits.detach())
    apart = functional.huber_loss if targets.options.get("loss") == "huber" else functional.mse_loss
    errors = apart(logits / scale, gold / scale, reduction="sum")
    return errors / known.sum().clamp(min=1)


def told_values(answers: Array, targets: Targets) -> list[dict[str, Any]]:
    """``{"value"}`` of each row: a number, or numbers by name where there are several."""
    values = np.asarray(answers, dtype=np.float64)
    if len(targets.names) == 1:
        return [{"value": float(value)} for value in values[:, 0]]
    return [{"value": dict(zip(targets.names, map(float, row), strict=True))} for row in values]

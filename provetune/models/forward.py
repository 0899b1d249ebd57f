"""Logits of many features: sorted by length, batched by a token budget, given back in order.

Training's scoring, cached features and the predictor all go through here, so that they agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from provetune.core.protocols import Infers, WritesTexts
from provetune.models.length_batches import batches_by_length

if TYPE_CHECKING:
    from provetune.core.protocols import Array, FeatureColumns, Outputs, Targets, Task

__all__ = ["batches_by_length", "number_format", "predict_logits", "predict_outputs"]


def predict_outputs(
    model: torch.nn.Module,
    task: Task,
    store: FeatureColumns,
    pad_id: int,
    *,
    targets: Targets,
    tokenizer: Any,
    batch_tokens: int = 4096,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Callable[[int], None] | None = None,
    keep: Path | None = None,
) -> Outputs:
    """What the model computes from every feature, in the order of `store`, the way its task asks it.

    Args:
        store: F features.
        targets, tokenizer: for tasks that ask otherwise than for logits (`provetune.core.protocols.Infers`).
        keep: folder where what a model wrote is kept and found again (`provetune.core.protocols.WritesTexts`).

    Returns:
        float32 array (F, …), or a list of F arrays.
    """
    if not isinstance(task, Infers):
        return predict_logits(
            model,
            task,
            store,
            pad_id,
            batch_tokens=batch_tokens,
            device=device,
            precision=precision,
            progress=progress,
        )
    key = ""
    if keep is not None and isinstance(task, WritesTexts):
        from provetune.models.kept_outputs import keep_outputs, outputs_key, read_outputs

        key = outputs_key(model, store, [task.name, targets.to_json(), precision, batch_tokens, device])
        if (kept := read_outputs(keep, key)) is not None:
            return kept
    found: list[Any] = [None] * len(store)
    with _asked(model, precision, device):
        for indices, batch in _batches(task, store, pad_id, batch_tokens, device):
            for index, output in zip(indices.tolist(), task.infer(model, batch, targets, tokenizer), strict=True):
                found[index] = output
            if progress is not None:
                progress(len(indices))
    if key and keep is not None:
        keep_outputs(keep, key, found)
    return found


def predict_logits(
    model: torch.nn.Module,
    task: Task,
    store: FeatureColumns,
    pad_id: int,
    *,
    batch_tokens: int = 4096,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Callable[[int], None] | None = None,
    read: Callable[[Any, dict[str, torch.Tensor]], torch.Tensor] | None = None,
) -> Array:
    """What the model says about every feature, in the order of `store`.

    Args:
        store: F features.
        batch_tokens: tokens in a batch at most, padding included.
        precision: ``"bf16"`` computes under autocast unless the weights are bf16 already.
        progress: told the number of features done after each batch.
        read: takes the model's output and the batch to a tensor (B, …); the logits when left out.

    Returns:
        float32 array (F, …).
    """
    found: Array | None = None
    with _asked(model, precision, device):
        for indices, batch in _batches(task, store, pad_id, batch_tokens, device):
            output = model(**batch)
            values = (output.logits if read is None else read(output, batch)).float().cpu().numpy()
            if found is None:
                found = np.empty((len(store), *values.shape[1:]), dtype=np.float32)
            found[indices] = values
            if progress is not None:
                progress(len(indices))
    return np.empty((0, 0), dtype=np.float32) if found is None else found


def _batches(
    task: Task, store: FeatureColumns, pad_id: int, batch_tokens: int, device: str
) -> Iterator[tuple[Array, dict[str, torch.Tensor]]]:
    """Numbers of features and their batch, without labels."""
    for indices in batches_by_length(store.lengths, batch_tokens):
        batch = task.collate(store.take(indices.tolist()), pad_id)
        yield indices, {name: value.to(device) for name, value in batch.items() if name != "labels"}


@contextmanager
def _asked(model: torch.nn.Module, precision: str, device: str) -> Iterator[None]:
    """The model answers, it does not learn, while this lasts."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), number_format(model, precision, device):
            yield
    finally:
        model.train(was_training)


def number_format(model: torch.nn.Module, precision: str, device: str) -> AbstractContextManager[Any]:
    """Autocast to bf16 where asked for and the weights are not bf16 already, else nothing."""
    kind = torch.device(device).type
    if precision != "bf16" or next(model.parameters()).dtype is torch.bfloat16:
        return nullcontext()
    return torch.autocast(kind, dtype=torch.bfloat16)

"""Which weights a model's answers to some rows depend on: the diagonal of the Fisher information."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from provetune.core.lazy import import_later
from provetune.core.minimised import LossRun

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import FeatureColumns
else:
    torch = import_later("torch")


def fisher_diagonal(run: LossRun, features: FeatureColumns, numbers: Sequence[int]) -> dict[str, torch.Tensor]:
    """Mean over features of the squared gradient of each one's log-likelihood, at the weights as they are.

    Without dropout, in float32, by the task's own loss without weights of labels. The model's mode and its gradients
    are left as they were.

    Args:
        features: with labels.
        numbers: which of them.

    Returns:
        A float32 tensor of its shape for every parameter that learns, by name.
    """
    learning = {name: each for name, each in run.model.named_parameters() if each.requires_grad}
    sums = {name: torch.zeros_like(each, dtype=torch.float32) for name, each in learning.items()}
    was_training = run.model.training
    run.model.eval()
    try:
        for number in numbers:
            batch = run.collate(features, [number])
            outputs = run.forward(batch)
            # One row has no share of its own in a mean, so that this is minus its log-likelihood.
            loss = run.task.loss(outputs.float(), batch["labels"], run.targets, None)
            found = torch.autograd.grad(loss, list(learning.values()), allow_unused=True)
            for name, gradient in zip(learning, found, strict=True):
                if gradient is not None:
                    sums[name] += gradient.float() ** 2
    finally:
        run.model.train(was_training)
    return {name: total / max(1, len(numbers)) for name, total in sums.items()}

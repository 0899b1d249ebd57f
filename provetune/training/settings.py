"""What the loop needs to know, every `auto` made explicit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainSettings:
    """Settings of one run.

    Attributes:
        epochs: passes over the training features at most; 0.5 is half a pass.
        learning_rate: peak, reached after the warm-up.
        batch_rows: features in a batch at most.
        batch_tokens: tokens in a batch at most, padding included.
        weight_decay: decoupled; biases and normalisation weights are spared.
        warmup: share of the steps over which the learning rate rises.
        accumulate: batches whose gradients make one step.
        clip: largest gradient norm, None for no limit.
        precision: ``"fp32"`` or ``"bf16"``.
        speedups: the fast optimiser and dropout (CPU), or the plain ones.
        evaluations: how often validation is scored in all, evenly spread, the last step among them.
        patience: evaluations without a better score before it stops; None never stops early.
        checkpoint_minutes: longest time between checkpoints.
        checkpoint_steps: most steps between checkpoints, None for no such limit.
    """

    epochs: float = 3.0
    learning_rate: float = 1e-4
    batch_rows: int = 32
    batch_tokens: int = 4096
    weight_decay: float = 0.01
    warmup: float = 0.1
    accumulate: int = 1
    clip: float | None = 1.0
    precision: str = "fp32"
    speedups: bool = True
    evaluations: int = 3
    patience: int | None = None
    checkpoint_minutes: float = 5.0
    checkpoint_steps: int | None = None

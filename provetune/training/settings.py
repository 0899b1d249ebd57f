"""What the loop needs to know, every `auto` made explicit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

# Left out of the identity where they are at their defaults, so that checkpoints from before them still fit.
_LATER = ("schedule", "optimiser", "layer_decay", "unfreeze", "ema", "gradient_checkpointing", "attention_dropout")


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
        schedule: how it goes on; a name in `provetune.training.schedule`.
        optimiser: a name in `provetune.training.optimisers`.
        layer_decay: factor of the rate from each depth to the one below it, see `provetune.models.depth`.
        unfreeze: ``"all"``, or ``"gradual"``: one depth more each epoch, from the top.
        ema: decay of a moving average of the weights, which is scored and kept; None for none.
        gradient_checkpointing: compute layers again in the backward pass.
        attention_dropout: as the candidate asks for it, so that the fast dropout keeps it; None for the backbone's own.
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
    schedule: str = "linear"
    optimiser: str = "adamw"
    layer_decay: float = 1.0
    unfreeze: str = "all"
    ema: float | None = None
    gradient_checkpointing: bool = False
    attention_dropout: float | None = None
    accumulate: int = 1
    clip: float | None = 1.0
    precision: str = "fp32"
    speedups: bool = True
    evaluations: int = 3
    patience: int | None = None
    checkpoint_minutes: float = 5.0
    checkpoint_steps: int | None = None

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must share with the run that goes on from it: all but how often one is made."""
        settings = asdict(self) | {"checkpoint_minutes": None, "checkpoint_steps": None}
        usual = {name for name in _LATER if settings[name] == getattr(type(self), name)}
        return {name: value for name, value in settings.items() if name not in usual}

"""What the training loop is handed: rows and settings, and what its objectives are told of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from provetune.core.errors import UsageError
from provetune.core.minimised import BundleAnswers, LossRun, RowUse
from provetune.core.seeds import derive

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.minimised import Forward
    from provetune.core.protocols import Array, FeatureColumns, Metric, Targets, Task
    from provetune.training.settings import TrainSettings

Score: TypeAlias = "Callable[[torch.nn.Module], Mapping[str, float]]"


@dataclass(frozen=True)
class Source:
    """Where training features came from.

    Attributes:
        examples: the rows (N).
        tokenizer: what made tokens of them.
        encode: rows like them into features.
        folder: the problem file's.
        cache: folder of what runs share.
        read_rows, ask_bundle, start: see `provetune.core.minimised.LossRun`.
    """

    examples: pa.Table | None = None
    tokenizer: Any = None
    encode: Callable[[pa.Table], FeatureColumns] | None = None
    folder: Path | None = None
    cache: Path | None = None
    read_rows: Callable[[str, RowUse], pa.Table] | None = None
    ask_bundle: Callable[[str, pa.Table], BundleAnswers] | None = None
    start: str | None = None


@dataclass(frozen=True)
class Assignment:
    """What `train` was handed, but for the model."""

    task: Task
    features: FeatureColumns
    targets: Targets
    settings: TrainSettings
    score: Score
    primary: Metric
    seed: int
    pad_id: int
    device: str
    label_weights: torch.Tensor | None
    source: Source
    follow: Callable[[int, int], None] | None
    row_values: Callable[[], Array | None] | None

    def loss_run(self, model: torch.nn.Module, device: str, steps: int, forward: Forward) -> LossRun:
        """What objectives are told before the first step.

        Args:
            model: what is trained, where it computes.
            steps: optimiser steps of the whole run.
            forward: a batch to outputs.
        """
        source = self.source
        weights = None if self.label_weights is None else self.label_weights.to(device)

        def task_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return self.task.loss(logits.float(), labels, self.targets, weights)

        asked = {"read_rows": source.read_rows, "ask_bundle": source.ask_bundle}
        return LossRun(
            model=model,
            task=self.task,
            features=self.features,
            targets=self.targets,
            examples=source.examples,
            tokenizer=source.tokenizer,
            pad_id=self.pad_id,
            settings=self.settings,
            steps=steps,
            seed=derive(self.seed, "objective"),
            device=device,
            encode=source.encode or _cannot_encode,
            forward=forward,
            task_loss=task_loss,
            folder=source.folder,
            cache=source.cache,
            label_weights=weights,
            start=source.start,
            **{name: call for name, call in asked.items() if call is not None},
        )


def _cannot_encode(examples: pa.Table) -> FeatureColumns:
    raise UsageError("An objective wants rows encoded, and this run was not told how.")

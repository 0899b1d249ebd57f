"""TensorBoard: event files below the study's folder, read with ``tensorboard --logdir``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provetune.core.events import Event
from provetune.training.trackers._scalars import import_extra, scalars


class _Run:
    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def consume(self, event: Event) -> None:
        step, values = scalars(event)
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        self.writer.close()


class TensorBoard:
    """Writes scalars to ``FOLDER/tensorboard/RUN``."""

    name = "tensorboard"

    def open(self, run: str, folder: Path, details: Mapping[str, Any]) -> _Run:
        import_extra("tensorboard", "tensorboard")
        writer = import_extra("torch.utils.tensorboard", "tensorboard").SummaryWriter(folder / "tensorboard" / run)
        writer.add_text("settings", "\n".join(f"    {name}: {value}" for name, value in details.items()))
        return _Run(writer)


TRACKER = TensorBoard()

"""Bundles of methods that learn from a task's rows whole; the method that wrote a bundle reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from provetune.core.errors import CorruptError
from provetune.core.protocols import ExampleMethod

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import ExampleModel, FeatureColumns, Outputs, Task
    from provetune.inference.answering import Answerer


class ExampleAnswerer:
    """A fitted model of rows. It has one number format, whatever was asked for."""

    precision = "fp32"

    def __init__(self, model: ExampleModel, method: str) -> None:
        self.model, self.engine = model, method

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        return self.model.outputs(examples)


class ExamplesBackend:
    """Opens folders that such methods wrote."""

    name = "examples"
    summary = "A model of a task's rows without a backbone, read by the method that made it."

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        from provetune.models.methods import METHODS

        name = str((bundle.record.get("candidate") or {}).get("method"))
        if name not in METHODS:
            raise CorruptError(f"This bundle was made by an unknown method ('{name}').", where=str(bundle.path))
        method = cast(ExampleMethod, METHODS.get(name))
        return ExampleAnswerer(method.load(Path(bundle.path), task, bundle.targets), name)


BACKEND = ExamplesBackend()

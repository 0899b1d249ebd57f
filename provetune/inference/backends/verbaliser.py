"""Bundles of a language model that is asked for a label in words: no rows were learned from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.little_data import LabelReader
    from provetune.core.protocols import FeatureColumns, Outputs, Task
    from provetune.inference.answering import Answerer


class VerbaliserAnswerer:
    """The reader that the method made."""

    def __init__(self, reader: LabelReader, engine: str, precision: str) -> None:
        self.reader, self.engine, self.precision = reader, engine, precision

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        return self.reader.logits(examples), None


class VerbaliserBackend:
    """Opens folders with an encoder and ``verbaliser.json``."""

    name = "verbaliser"
    summary = "A language model with a prompt that asks for the label in words."

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        import torch

        from provetune.models.devices import settle_device
        from provetune.models.precision import choose_precision
        from provetune.models.verbalising import load_reader

        device = settle_device(device)
        chosen = choose_precision(precision, device).name
        reader = load_reader(Path(bundle.path), Path(bundle.model_path), device=device, precision=chosen)
        return VerbaliserAnswerer(reader, f"transformers {torch.__version__}", chosen)


BACKEND = VerbaliserBackend()

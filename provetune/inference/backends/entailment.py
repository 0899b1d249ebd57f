"""Bundles of a pair model that is asked label by label: no rows were learned from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.little_data import LabelReader
    from provetune.core.protocols import FeatureColumns, Outputs, Task
    from provetune.inference.answering import Answerer


class EntailmentAnswerer:
    """The reader that the method made."""

    def __init__(self, reader: LabelReader, engine: str, precision: str) -> None:
        self.reader, self.engine, self.precision = reader, engine, precision

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        return self.reader.logits(examples), None


class EntailmentBackend:
    """Opens folders with an encoder and ``entailment.json``."""

    name = "entailment"
    summary = "A model of sentence pairs that is asked whether a text entails each label."

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        import torch

        from provetune.models.devices import settle_device
        from provetune.models.entailment import load_reader
        from provetune.models.precision import choose_precision

        device = settle_device(device)
        chosen = choose_precision(precision, device).name
        reader = load_reader(Path(bundle.path), Path(bundle.model_path), device=device, precision=chosen)
        return EntailmentAnswerer(reader, f"transformers {torch.__version__}", chosen)


BACKEND = EntailmentBackend()

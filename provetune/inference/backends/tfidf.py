"""Bundles of the tfidf method: word and character n-grams, no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import FeatureColumns, FittedModel, Outputs, Task
    from provetune.inference.answering import Answerer


class TfidfAnswerer:
    """A fitted model of texts."""

    precision = "fp32"
    engine = "n-grams"

    def __init__(self, model: FittedModel) -> None:
        self.model = model

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        from provetune.models.methods.tfidf import join_texts

        return self.model.logits(join_texts(examples)), None


class TfidfBackend:
    """Opens folders that the tfidf method wrote. It has one number format, whatever was asked for."""

    name = "tfidf"
    summary = "Word and character n-grams with a linear layer."

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        from provetune.models.methods.tfidf import METHOD

        return TfidfAnswerer(METHOD.load(Path(bundle.path)))


BACKEND = TfidfBackend()

"""Bundles that are plain Hugging Face folders: answered by torch.

A BERT classifier is computed by `_bert`, which starts in half the time; every other family by its
transformers class. Both take fp32 or bf16 weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import EncodeSettings
from provetune.inference.backends._network import BATCH_TOKENS, Network, open_network

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array, Task
    from provetune.inference.answering import Answerer


class TorchAnswerer:
    """A sequence classifier in torch.

    Args:
        network: its model maps ``input_ids``, ``attention_mask`` and ``token_type_ids`` to something with ``.logits``.
    """

    def __init__(self, network: Network, task: Task, settings: EncodeSettings) -> None:
        self.network, self.task, self.settings = network, task, settings
        self.engine, self.precision = network.engine, network.precision

    def logits(self, examples: pa.Table) -> tuple[Array, Array]:
        from provetune.inference.features import FeatureTable
        from provetune.models.forward import predict_logits

        features = FeatureTable(self.task.encode(examples, self.network.tokenizer, self.settings, None))
        found = predict_logits(
            self.network.model,
            self.task,
            features,
            self.network.pad_id,
            batch_tokens=BATCH_TOKENS,
            device=self.network.device,
            precision=self.precision,
        )
        return found, features.rows


class TransformersBackend:
    """Opens Hugging Face folders."""

    name = "transformers"
    summary = "A plain Hugging Face folder, computed by torch."

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        from provetune.inference.backends._bert import load_classifier

        def load_with_transformers(folder: Path, device: str) -> torch.nn.Module:
            from provetune.models.loading import load_model

            model: torch.nn.Module = load_model(folder, task.auto_class, {}, seed=0, device=device)
            return model

        network = open_network(
            Path(bundle.path),
            precision=precision,
            device=device,
            plain=load_classifier,
            transformers=load_with_transformers,
        )
        return TorchAnswerer(network, task, EncodeSettings(**bundle.record["encode"]))


BACKEND = TransformersBackend()

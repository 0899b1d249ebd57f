"""Bundles that are plain Hugging Face folders: answered by torch.

A BERT classifier is computed by `_bert`, which starts in half the time; every other family by its
transformers class. Both take fp32 or bf16 weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import EncodeSettings
from provetune.inference.backends._network import BATCH_TOKENS, ONE_BY_ONE, Network, open_network, tokens_together

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import FeatureColumns, Outputs, Targets, Task
    from provetune.inference.answering import Answerer


CLASSIFIER = "AutoModelForSequenceClassification"


class TorchAnswerer:
    """A transformers model in torch.

    Args:
        network: its model maps ``input_ids``, ``attention_mask`` and ``token_type_ids`` to something with ``.logits``.
        batch_tokens: tokens that are computed together at most; one row in any case.
    """

    def __init__(
        self,
        network: Network,
        task: Task,
        targets: Targets,
        settings: EncodeSettings,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        self.network, self.task, self.targets, self.settings = network, task, targets, settings
        self.batch_tokens, self.precision = batch_tokens, network.precision
        self.engine = network.engine if batch_tokens > 1 else f"{network.engine}{ONE_BY_ONE}"

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        from provetune.inference.features import FeatureTable
        from provetune.models.forward import predict_outputs

        features = FeatureTable(self.task.encode(examples, self.network.tokenizer, self.settings, None))
        found = predict_outputs(
            self.network.model,
            self.task,
            features,
            self.network.pad_id,
            targets=self.targets,
            tokenizer=self.network.tokenizer,
            batch_tokens=self.batch_tokens,
            device=self.network.device,
            precision=self.precision,
        )
        return found, features

    def stream(self, examples: pa.Table) -> Iterator[str]:
        """Pieces of the answer to the one example, of a task that `Streams`."""
        from provetune.inference.features import FeatureTable

        task: Any = self.task
        features = FeatureTable(task.encode(examples, self.network.tokenizer, self.settings, None))
        batch = task.collate(features.take([0]), self.network.pad_id)
        batch = {name: value.to(self.network.device) for name, value in batch.items()}
        pieces: Iterator[str] = task.stream(self.network.model, batch, self.targets, self.network.tokenizer)
        return pieces


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
            plain=load_classifier if task.auto_class == CLASSIFIER else _no_plain_network,
            transformers=load_with_transformers,
            whole_tokenizer=task.auto_class != CLASSIFIER,
        )
        settings = EncodeSettings(**bundle.record["encode"])
        return TorchAnswerer(network, task, bundle.targets, settings, tokens_together(bundle.record))


def _no_plain_network(folder: Path, config: dict[str, Any]) -> torch.nn.Module | None:
    return None


BACKEND = TransformersBackend()

"""Bundles of the head method: a frozen encoder's mean-pooled features and a linear layer on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import EncodeSettings
from provetune.inference.backends._network import BATCH_TOKENS, ONE_BY_ONE, Network, open_network, tokens_together

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import FeatureColumns, FittedModel, Outputs, Task
    from provetune.inference.answering import Answerer


class FrozenAnswerer:
    """An encoder without a head, and the layer fitted on its features.

    Args:
        batch_tokens: tokens that are computed together at most; one window of a text in any case.
    """

    def __init__(
        self,
        encoder: Network,
        head: FittedModel,
        task: Task,
        settings: EncodeSettings,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        self.encoder, self.head, self.task, self.settings = encoder, head, task, settings
        self.batch_tokens, self.precision = batch_tokens, encoder.precision
        self.engine = encoder.engine if batch_tokens > 1 else f"{encoder.engine}{ONE_BY_ONE}"

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        from provetune.inference.features import FeatureTable
        from provetune.models.features import frozen_features

        tokens = FeatureTable(self.task.encode(examples, self.encoder.tokenizer, self.settings, None))
        features = frozen_features(
            self.encoder.model,
            self.task,
            tokens,
            self.encoder.pad_id,
            batch_tokens=self.batch_tokens,
            device=self.encoder.device,
            precision=self.precision,
        )
        return self.head.logits(features), None


class FrozenEncoderBackend:
    """Opens folders with an encoder and a linear layer, whichever method made them."""

    name = "frozen_encoder"
    summary = "A frozen encoder, computed by torch, with a linear layer."

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        from provetune.inference.backends._bert import load_encoder
        from provetune.models.head_model import load_head

        encoder = open_network(
            Path(bundle.model_path),
            precision=precision,
            device=device,
            plain=load_encoder,
            transformers=_load_with_transformers,
        )
        settings = EncodeSettings(**bundle.record["encode"])
        return FrozenAnswerer(encoder, load_head(Path(bundle.path)), task, settings, tokens_together(bundle.record))


def _load_with_transformers(folder: Path, device: str) -> torch.nn.Module:
    from provetune.models.features import load_encoder

    encoder: torch.nn.Module = load_encoder(folder, device=device)
    return encoder


BACKEND = FrozenEncoderBackend()

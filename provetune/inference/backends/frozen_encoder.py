"""Bundles of the head method: a frozen encoder's mean-pooled features and a linear layer on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.files import read_json
from provetune.core.protocols import EncodeSettings
from provetune.inference.backends._tokenizer import FolderTokenizer

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array, FittedModel, Task
    from provetune.inference.answering import Answerer

BATCH_TOKENS = 2048


class FrozenAnswerer:
    """An encoder without a head, and the layer fitted on its features."""

    def __init__(
        self,
        encoder: torch.nn.Module,
        head: FittedModel,
        tokenizer: Any,
        task: Task,
        settings: EncodeSettings,
        pad_id: int,
        *,
        engine: str,
        precision: str,
        device: str,
    ) -> None:
        self.encoder, self.head, self.tokenizer, self.task = encoder, head, tokenizer, task
        self.settings, self.pad_id = settings, pad_id
        self.engine, self.precision, self.device = engine, precision, device

    def logits(self, examples: pa.Table) -> tuple[Array, Array]:
        from provetune.inference.features import FeatureTable
        from provetune.models.features import frozen_features

        tokens = FeatureTable(self.task.encode(examples, self.tokenizer, self.settings, None))
        features = frozen_features(
            self.encoder,
            self.task,
            tokens,
            self.pad_id,
            batch_tokens=BATCH_TOKENS,
            device=self.device,
            precision=self.precision,
        )
        return self.head.logits(features), np.arange(len(examples))


class FrozenEncoderBackend:
    """Opens folders that the head method wrote."""

    name = "frozen_encoder"
    summary = "A frozen encoder, computed by torch, with a linear layer."

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        import torch

        from provetune.inference.backends._bert import load_encoder as load_plain
        from provetune.models.devices import settle_device
        from provetune.models.methods.head import METHOD
        from provetune.models.precision import choose_precision

        device = settle_device(device)
        folder = Path(bundle.model_path)
        config = read_json(folder / "config.json")
        encoder: torch.nn.Module | None = load_plain(folder, config)
        engine = "torch"
        if encoder is None:
            from provetune.models.features import load_encoder

            encoder, engine = load_encoder(folder, device=device), "transformers"
        chosen = choose_precision(precision, device).name
        encoder = encoder.to(device=device, dtype=torch.bfloat16 if chosen == "bf16" else torch.float32).eval()
        return FrozenAnswerer(
            encoder,
            METHOD.load(Path(bundle.path)),
            FolderTokenizer(folder, config),
            task,
            EncodeSettings(**bundle.record["encode"]),
            int(config.get("pad_token_id") or 0),
            engine=f"{engine} {torch.__version__}",
            precision=chosen,
            device=device,
        )


BACKEND = FrozenEncoderBackend()

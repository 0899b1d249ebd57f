"""Bundles that are plain Hugging Face folders: answered by torch.

A BERT classifier is computed by `_bert`, which starts in half the time; every other family by its
transformers class. Both take fp32 or bf16 weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.files import read_json
from provetune.core.protocols import EncodeSettings
from provetune.inference.backends._tokenizer import FolderTokenizer

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array, Task
    from provetune.inference.answering import Answerer

BATCH_TOKENS = 2048


class TorchAnswerer:
    """A sequence classifier in torch.

    Args:
        model: maps ``input_ids``, ``attention_mask`` and ``token_type_ids`` to something with ``.logits``.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        tokenizer: Any,
        task: Task,
        settings: EncodeSettings,
        pad_id: int,
        *,
        engine: str,
        precision: str,
        device: str,
    ) -> None:
        self.model, self.tokenizer, self.task, self.settings = model, tokenizer, task, settings
        self.pad_id, self.engine, self.precision, self.device = pad_id, engine, precision, device

    def logits(self, examples: pa.Table) -> tuple[Array, Array]:
        from provetune.inference.features import FeatureTable
        from provetune.models.forward import predict_logits

        features = FeatureTable(self.task.encode(examples, self.tokenizer, self.settings, None))
        found = predict_logits(
            self.model,
            self.task,
            features,
            self.pad_id,
            batch_tokens=BATCH_TOKENS,
            device=self.device,
            precision=self.precision,
        )
        return found, features.rows


class TransformersBackend:
    """Opens Hugging Face folders."""

    name = "transformers"
    summary = "A plain Hugging Face folder, computed by torch."

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        import torch

        from provetune.inference.backends._bert import load_classifier
        from provetune.models.devices import settle_device
        from provetune.models.precision import choose_precision

        device = settle_device(device)
        folder = Path(bundle.path)
        config = read_json(folder / "config.json")
        chosen = choose_precision(precision, device).name
        model: torch.nn.Module | None = load_classifier(folder, config)
        engine = "torch"
        if model is None:
            from provetune.models.loading import load_model

            model, engine = load_model(folder, task.auto_class, {}, seed=0, device=device), "transformers"
        model = model.to(device=device, dtype=torch.bfloat16 if chosen == "bf16" else torch.float32).eval()
        settings = EncodeSettings(**bundle.record["encode"])
        tokenizer = FolderTokenizer(folder, config)
        return TorchAnswerer(
            model,
            tokenizer,
            task,
            settings,
            int(config.get("pad_token_id") or 0),
            engine=f"{engine} {torch.__version__}",
            precision=chosen,
            device=device,
        )


BACKEND = TransformersBackend()

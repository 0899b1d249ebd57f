"""`clm`: say each next token, for decoders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.training.packing import IGNORED, pack_texts
from provetune.training.pretraining.pieces import TextPieces, cut_texts

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from pydantic import BaseModel

    from provetune.core.protocols import FeatureColumns, Objective, Targets
    from provetune.models.backbones import Backbone
    from provetune.models.catalogue import Kind
    from provetune.training.pretraining.held_out import Asked
    from provetune.training.pretraining.settings import PretrainSettings


class CausalLanguage:
    """Causal language modelling: pieces of texts lie end to end in one row, and none sees another."""

    name = "clm"
    summary = "Say each next token of a text, for decoders; texts are packed, and none sees another."
    architecture: Kind = "decoder"
    defaults: Mapping[str, Any] = MappingProxyType(
        {"epochs": 1.0, "learning_rate": 5e-5, "batch_rows": 16, "batch_tokens": 1024, "max_length": 512}
    )

    def begin(
        self, backbone: Backbone, tokenizer: Any, settings: PretrainSettings, language: str, device: str
    ) -> CausalWork:
        """See `PretrainingKind.begin`.

        Raises:
            UsageError: the backbone is no decoder.
        """
        from provetune.models.language_model import refuse_unless_decoder
        from provetune.models.loading import load_model

        refuse_unless_decoder(backbone, self.name)
        model = load_model(backbone.path, "AutoModelForCausalLM", {}, seed=0, device=device)
        return CausalWork(model, tokenizer, settings)


class CausalWork:
    """Causal language modelling at work."""

    name = "clm"
    new_head = False
    words: str | None = None

    def __init__(self, model: Any, tokenizer: Any, settings: PretrainSettings) -> None:
        self.model, self.tokenizer, self.settings = model, tokenizer, settings

    def cut(self, texts: Sequence[str]) -> TextPieces:
        """Pieces of the texts; the token that ends texts stands after the last one of each."""
        ending = self.tokenizer.eos_token_id
        ends_itself = ending is not None and self.tokenizer("a")["input_ids"][-1] == ending
        return cut_texts(texts, self.tokenizer, self.settings.max_length, ending=None if ends_itself else ending)

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """One row of all the pieces: ``input_ids`` and ``labels`` (1, T), ``lengths`` (B)."""
        ids = [each["input_ids"] for each in features]
        batch = pack_texts(ids, [np.ones(len(each), dtype=np.int64) for each in ids])
        return {name: batch[name] for name in ("input_ids", "labels", "lengths")}

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits (M, V) at every place that has a next token."""
        from provetune.models.packed_attention import packed_logits

        wanted = batch["labels"][0] != IGNORED
        return packed_logits(model, batch["input_ids"], batch["lengths"].tolist(), wanted)

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Mean cross-entropy of the next tokens; 0 where texts of one token have none."""
        from torch.nn.functional import cross_entropy

        following = labels[labels != IGNORED]
        return cross_entropy(logits, following) if len(following) else logits.sum() * 0.0

    def objectives(self) -> list[tuple[Objective, BaseModel]]:
        """None."""
        return []

    def score(self, model: torch.nn.Module, pieces: FeatureColumns, asked: Asked) -> dict[str, float]:
        """Loss a token and its exponential, the perplexity."""
        from torch.nn.functional import cross_entropy

        total, count = 0.0, 0
        with asked.asking(model):
            for _, batch in asked.batches(self, pieces):
                labels = batch["labels"][batch["labels"] != IGNORED]
                if len(labels):
                    total += float(cross_entropy(self.forward(model, batch).float(), labels, reduction="sum"))
                    count += len(labels)
        mean = total / max(1, count)
        return {"loss": mean, "perplexity": math.exp(min(mean, 700.0))}

    def save(self, folder: Path) -> None:
        """The decoder as it is."""
        from provetune.models.loading import quiet_transformers

        with quiet_transformers():
            self.model.save_pretrained(str(folder))


KIND = CausalLanguage()

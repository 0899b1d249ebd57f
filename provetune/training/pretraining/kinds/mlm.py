"""`mlm`: guess masked words from what stands around them.

A new head learns alone for a share of the passes first (`head_warmup`), so that what it does not know yet unteaches the
encoder nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.seeds import derive
from provetune.training.packing import IGNORED
from provetune.training.pretraining.masking import MaskedWords, Masker, NoSettings
from provetune.training.pretraining.pieces import TextPieces, cut_texts, pad_pieces
from provetune.training.pretraining.words import NO_WORD, jieba_words

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from pydantic import BaseModel

    from provetune.core.protocols import FeatureColumns, Objective, Targets
    from provetune.models.backbones import Backbone
    from provetune.models.catalogue import Kind
    from provetune.training.pretraining.held_out import Asked
    from provetune.training.pretraining.settings import PretrainSettings


class MaskedLanguage:
    """Whole-word masked language modelling (Devlin et al. 2019, arXiv:1810.04805; Cui et al. 2019, arXiv:1906.08101 for
    Chinese words). A backbone without a head gets one whose output layer is its token embeddings."""

    name = "mlm"
    summary = (
        "Guess masked words from what stands around them; whole words are masked, Chinese ones as jieba tells them."
    )
    architecture: Kind = "encoder"
    defaults: Mapping[str, Any] = MappingProxyType({"head_warmup": 0.3})

    def begin(
        self, backbone: Backbone, tokenizer: Any, settings: PretrainSettings, language: str, device: str
    ) -> MaskedWork:
        """See `PretrainingKind.begin`.

        Raises:
            UsageError: the backbone is no encoder, or its tokenizer has no mask.
            EnvironmentFault: the texts are Chinese, and jieba is not installed.
        """
        from provetune.models.language_model import load_masked_model, refuse_unless_encoder

        refuse_unless_encoder(backbone, self.name)
        if tokenizer.mask_token_id is None:
            raise UsageError(
                f"The tokenizer of '{backbone.name}' has no mask.", hint="Take objective simcse, or another backbone."
            )
        find = jieba_words() if language == "zh" else None
        model, new_head = load_masked_model(backbone.path, derive(settings.seed, "head"), device)
        special = {*tokenizer.all_special_ids}
        ordinary = np.asarray([number for number in range(len(tokenizer)) if number not in special], dtype=np.int64)
        masker = Masker(tokenizer.mask_token_id, ordinary, settings.mask_share)
        return MaskedWork(model, tokenizer, masker, settings, backbone, (new_head, find))


class MaskedWork:
    """Masked language modelling at work."""

    name = "mlm"

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        masker: Masker,
        settings: PretrainSettings,
        backbone: Backbone,
        found: tuple[bool, Any],
    ) -> None:
        self.model, self.tokenizer, self.masker, self.settings = model, tokenizer, masker, settings
        self.new_head, self.find = found
        self.words = "the tokenizer" if self.find is None else "jieba"
        self.backbone = backbone

    def cut(self, texts: Sequence[str]) -> TextPieces:
        """Pieces of the texts with the word of each token."""
        return cut_texts(texts, self.tokenizer, self.settings.max_length, find=self.find)

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """``input_ids``, ``attention_mask``, ``words`` and ``labels`` (B, T); nothing is masked yet."""
        import torch

        ids = pad_pieces([each["input_ids"] for each in features], pad_id)
        lengths = np.asarray([len(each["input_ids"]) for each in features])
        mask = (np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int64)
        words = pad_pieces([each["words"] for each in features], NO_WORD)
        rows = {"input_ids": ids, "attention_mask": mask, "words": words, "labels": np.full_like(ids, IGNORED)}
        return {name: torch.from_numpy(value) for name, value in rows.items()}

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits (M, V) of the masked places."""
        from provetune.models.language_model import masked_logits

        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        return masked_logits(model, inputs, batch["labels"] != IGNORED)

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Mean cross-entropy of the masked tokens."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, labels[labels != IGNORED])

    def objectives(self) -> list[tuple[Objective, BaseModel]]:
        """Words masked anew in each step."""
        return [(MaskedWords(self.masker), NoSettings())]

    def score(self, model: torch.nn.Module, pieces: FeatureColumns, asked: Asked) -> dict[str, float]:
        """Loss a masked token and its exponential, the perplexity."""
        from torch.nn.functional import cross_entropy

        total, count = 0.0, 0
        with asked.asking(model):
            for number, batch in asked.batches(self, pieces):
                masked = self.masker.mask_batch(batch, derive(asked.seed, "held out", str(number)))
                labels = masked["labels"][masked["labels"] != IGNORED]
                total += float(cross_entropy(self.forward(model, masked).float(), labels, reduction="sum"))
                count += len(labels)
        mean = total / max(1, count)
        return {"loss": mean, "perplexity": math.exp(min(mean, 700.0))}

    def save(self, folder: Path) -> None:
        """The model with its head, and the pooler that the backbone had."""
        from provetune.models.language_model import save_masked_model

        save_masked_model(self.model, folder, self.backbone.path)


KIND = MaskedLanguage()

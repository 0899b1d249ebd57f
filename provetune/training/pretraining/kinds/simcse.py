"""`simcse`: a text is like itself under another dropout, and unlike the others of its batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import UsageError
from provetune.training.pretraining.pieces import TextPieces, cut_texts, pad_pieces

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from pydantic import BaseModel

    from provetune.core.protocols import FeatureColumns, Objective, Targets
    from provetune.models.backbones import Backbone
    from provetune.models.catalogue import Kind
    from provetune.training.pretraining.held_out import Asked
    from provetune.training.pretraining.settings import PretrainSettings

_SHARPNESS = 2.0


class SimCse:
    """Unsupervised SimCSE (Gao et al. 2021, arXiv:2104.08821). Departing from it, a text's vector is the mean of its
    tokens, as everywhere here, and there is no projection while training; of a long text the beginning is learned."""

    name = "simcse"
    summary = "Two passes of a text under different dropout are to be alike, and unlike other texts of the batch."
    architecture: Kind = "encoder"
    defaults: Mapping[str, Any] = MappingProxyType(
        {"epochs": 1.0, "learning_rate": 3e-5, "batch_rows": 64, "batch_tokens": 8192, "max_length": 64}
    )

    def begin(
        self, backbone: Backbone, tokenizer: Any, settings: PretrainSettings, language: str, device: str
    ) -> SimCseWork:
        """See `PretrainingKind.begin`.

        Raises:
            UsageError: the backbone is no encoder or has no dropout, or a batch has one text alone.
        """
        import torch

        from provetune.models.features import load_encoder
        from provetune.models.language_model import refuse_unless_encoder

        refuse_unless_encoder(backbone, self.name)
        if settings.batch_rows < 2:
            raise UsageError("The objective 'simcse' needs two texts or more in a batch. batch_rows is 1.")
        model = load_encoder(backbone.path, device=device).requires_grad_(True)
        if not any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules()):
            raise UsageError(
                f"'{backbone.name}' has no dropout, by which 'simcse' tells two passes apart.",
                hint="Take objective mlm, or another backbone.",
            )
        if getattr(model, "pooler", None) is not None:
            model.pooler.requires_grad_(False)  # mean pooling does not read it
        return SimCseWork(model, tokenizer, settings)


class SimCseWork:
    """Contrast at work."""

    name = "simcse"
    new_head = False
    words: str | None = None

    def __init__(self, model: Any, tokenizer: Any, settings: PretrainSettings) -> None:
        self.model, self.tokenizer, self.settings = model, tokenizer, settings

    def cut(self, texts: Sequence[str]) -> TextPieces:
        """The beginning of each text."""
        return cut_texts(texts, self.tokenizer, self.settings.max_length, first_only=True)

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """``input_ids`` and ``attention_mask`` (B, T); ``labels`` (B,) are each text's own number."""
        import torch

        ids = pad_pieces([each["input_ids"] for each in features], pad_id)
        lengths = np.asarray([len(each["input_ids"]) for each in features])
        mask = (np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int64)
        rows = {"input_ids": ids, "attention_mask": mask, "labels": np.arange(len(ids))}
        return {name: torch.from_numpy(value) for name, value in rows.items()}

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Vectors of length one of two passes, (2, B, D): one pass of every text twice draws different dropout."""
        import torch

        from provetune.models.features import mean_pooled

        ids, mask = (torch.cat([batch[name], batch[name]]) for name in ("input_ids", "attention_mask"))
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        vectors = mean_pooled(hidden, mask)
        return vectors.view(2, len(vectors) // 2, -1)

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """`contrast_loss` of the two passes."""
        return contrast_loss(logits[0], logits[1], self.settings.temperature)

    def objectives(self) -> list[tuple[Objective, BaseModel]]:
        """None."""
        return []

    def score(self, model: torch.nn.Module, pieces: FeatureColumns, asked: Asked) -> dict[str, float]:
        """The loss under dropout that is the same every time; `alignment` of it, and `uniformity` without dropout."""
        import torch

        losses, apart, firsts, counts = [], [], [], []
        with asked.asking(model, dropout=True):
            for _, batch in asked.batches(self, pieces):
                pair = self.forward(model, batch)
                losses.append(float(contrast_loss(pair[0], pair[1], self.settings.temperature)))
                apart.append(float((pair[0] - pair[1]).square().sum(-1).mean()))
                counts.append(pair.shape[1])
        with asked.asking(model):
            for _, batch in asked.batches(self, pieces):
                firsts.append(self.forward(model, batch)[0])
            uniform = uniformity(torch.cat(firsts))
        return {
            "loss": float(np.average(losses, weights=counts)),
            "alignment": float(np.average(apart, weights=counts)),
            "uniformity": uniform,
        }

    def save(self, folder: Path) -> None:
        """The encoder as it is."""
        from provetune.models.loading import quiet_transformers

        with quiet_transformers():
            self.model.save_pretrained(str(folder))


def contrast_loss(one: torch.Tensor, other: torch.Tensor, temperature: float) -> torch.Tensor:
    """Mean of −log softmax, over the batch's second passes, of each first pass's own; equation 1 of the paper.

    Args:
        one, other: vectors of length one, (B, D).
    """
    import torch

    # Never in bf16: cosines near one could not be told apart.
    with torch.autocast(one.device.type, enabled=False):
        cosines = one.float() @ other.float().T / temperature
    return torch.nn.functional.cross_entropy(cosines, torch.arange(len(one), device=one.device))


def uniformity(vectors: torch.Tensor) -> float:
    """Log of the mean of exp(−2 ‖x − y‖²) over pairs (Wang and Isola 2020, arXiv:2005.10242); less is more even.

    Args:
        vectors: of length one, (N, D), two at least.
    """
    import torch

    squares = torch.pdist(vectors.float()).square()
    return float(squares.mul(-_SHARPNESS).exp().mean().log())


KIND = SimCse()

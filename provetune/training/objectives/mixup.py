"""Mixup on embeddings: every text is mixed with another of its batch, and so is what it costs.

Zhang et al. 2017 (arXiv:1710.09412) mix inputs and labels, λ x + (1 − λ) x′ with λ from Beta(α, α), one λ a batch as in
their code; on the embeddings of words, padding as nought, as Guo et al. 2019 (arXiv:1905.08941) do. Mixed labels are
written as mixed losses, which is the same for every loss that is linear in its labels; numbers are mixed themselves.
Where the other text is longer its last tokens are read too; a decoder still answers at the end of the first one. What
is drawn comes of the seed and the step alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.lazy import import_later
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Situation, Stage
from provetune.core.seeds import derive
from provetune.training.answer_kinds import CLASSES, ORDERED, SEVERAL, VALUES, refuse_other_kinds
from provetune.training.embeddings import changed_embeddings, input_embeddings

if TYPE_CHECKING:
    import torch
else:
    torch = import_later("torch")


class MixupSettings(BaseModel):
    """What `mixup` adds to a candidate; the default is the paper's for ImageNet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mixup_alpha: Annotated[float, Field(ge=0)] = Field(
        0.2, description="Of Beta(α, α), which draws the shares of the two texts: 1 draws any alike; 0 is plain."
    )


class Mixup:
    """`mixup`: between two texts lies what lies between their labels."""

    name = "mixup"
    summary = "Mixes the embeddings of two texts, and their labels, in a random proportion (mixup)."
    settings: type[BaseModel] = MixupSettings
    stage: Stage = "base"

    def check(self, situation: Situation) -> None:
        """Refuse labels that do not mix.

        Raises:
            UsageError: they belong to places or tokens of one text.
        """
        refuse_other_kinds(self.name, situation, (CLASSES, ORDERED, SEVERAL, VALUES), "Leave it out.")

    def begin(self, run: LossRun, settings: BaseModel) -> MixedBatches:
        """Mixing for this model.

        Raises:
            UsageError: the model has no token embeddings.
        """
        input_embeddings(run.model)
        return MixedBatches(run, cast(MixupSettings, settings).mixup_alpha)


class MixedBatches:
    """One pass; the plain one is not made."""

    def __init__(self, run: LossRun, alpha: float) -> None:
        self.run, self.alpha = run, alpha

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """The loss of the mixed batch. A batch of one text is plain."""
        labels = batch["labels"]
        if self.alpha == 0 or len(labels) < 2:
            return inner(batch)
        share, partners = self._draw(step, len(labels))
        mask, other = batch["attention_mask"], batch["attention_mask"][partners]
        mixed = {**batch, "attention_mask": torch.maximum(mask, other)}

        def mix(ids: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
            real = embeddings * mask.unsqueeze(-1).to(embeddings.dtype)
            return share * real + (1 - share) * real[partners]

        with changed_embeddings(self.run.model, mix):
            if self.run.targets.kind == VALUES:
                return inner({**mixed, "labels": share * labels + (1 - share) * labels[partners]})
            found = inner(mixed)
        of_partners = self.run.task_loss(found.outputs, labels[partners])
        return Pass(share * found.loss + (1 - share) * of_partners, found.outputs)

    def _draw(self, step: LossStep, rows: int) -> tuple[float, torch.Tensor]:
        """The share of each text itself, and the other one of each."""
        draw = np.random.default_rng(derive(self.run.seed, "mixup", str(step.number), str(step.part)))
        share = float(draw.beta(self.alpha, self.alpha))
        return share, torch.from_numpy(draw.permutation(rows)).to(self.run.device)


OBJECTIVE = Mixup()

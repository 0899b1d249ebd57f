"""Few rows a label: an encoder tuned by contrast between them, then a logistic regression on its features.

SetFit (Tunstall et al. 2022, arXiv:2209.11055). How pairs are drawn and what is minimised is in
`provetune.training.text_pairs`, with where that departs from the paper. Each label needs two rows or more to have a
pair of its own; a label with a single row is only what others are held away from.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from provetune.core.errors import UsageError
from provetune.core.little_data import PairSampling
from provetune.core.minimised import Situation
from provetune.core.protocols import LearnsFrom
from provetune.models.linear_head import HeadStrength, LinearHead
from provetune.models.pair_drawing import draw_pairs

if TYPE_CHECKING:
    from provetune.core.protocols import Array


class SetfitSettings(HeadStrength):
    """What `setfit` adds to a candidate."""

    pairs_per_row: int = Field(
        10, ge=1, description="Pairs that each row is drawn for in an epoch, each with another row of its label."
    )
    pair_sampling: PairSampling = Field(
        "oversampling",
        description="How pairs of one label are weighed against others: repeated until they count as much "
        "(oversampling), no pair twice and as few of the others (undersampling), no pair twice and every one counted "
        "once (unique).",
    )


class Setfit(LinearHead):
    """`setfit`: the encoder goes through the training loop, its head is fitted in one go."""

    name = "setfit"
    summary = "Tune an encoder on pairs of rows, then fit a head on its features: for 2 to 64 rows a label."
    learns_from: LearnsFrom = "contrasts"
    tasks: tuple[str, ...] | None = ("classification", "pair", "relation")
    settings: type[BaseModel] = SetfitSettings
    defaults: Mapping[str, Any] = MappingProxyType(
        {"epochs": 1, "learning_rate": 2e-5, "batch_rows": 16, "weight_decay": 0.01, "warmup": 0.1, "evaluations": 1}
    )
    deterministic = False

    def check(self, situation: Situation) -> None:
        """Refuse labels without any pair, and other objectives: the loss is this method's own.

        Raises:
            UsageError: it cannot work.
        """
        if situation.objectives not in ((), ("plain",)):
            raise UsageError(
                "setfit minimises a loss of its own, over pairs of rows.",
                hint="Leave objective out, or take method: full with it.",
            )
        if situation.counts and max(situation.counts) < 2:
            raise UsageError(
                "setfit brings rows of one label together, and no label has two training rows.",
                hint="Take at least 2 rows a label (data.subset), or method: prototype or zero_shot.",
            )

    def draw_pairs(self, labels: Array, settings: SetfitSettings, *, seed: int) -> Array:
        """Rows that share a label; see `provetune.models.pair_drawing.draw_pairs`."""
        return draw_pairs(labels, rounds=settings.pairs_per_row, sampling=settings.pair_sampling, seed=seed)

    def sampling(self, settings: SetfitSettings) -> PairSampling:
        return settings.pair_sampling


METHOD = Setfit()

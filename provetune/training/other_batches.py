"""Rows of another file beside a step's own batch: which of them, follows from seed and step alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.minimised import LossRun, RowUse
from provetune.core.seeds import derive

if TYPE_CHECKING:
    import torch

    from provetune.core.minimised import Array
    from provetune.core.protocols import FeatureColumns


@dataclass(frozen=True)
class OtherBatches:
    """Draws batches from the features of a file.

    Attributes:
        run: that they stand beside.
        features: G of them.
        name: what the draw is for; two objectives draw apart.
    """

    run: LossRun
    features: FeatureColumns
    name: str

    @classmethod
    def of(cls, run: LossRun, written: str, use: RowUse, name: str) -> OtherBatches:
        """Those of a file, by its path as the settings have it."""
        return cls(run, run.encode(run.read_rows(written, use)), name)

    def numbers(self, number: int, part: int, count: int) -> Array:
        """Numbers of the features for this batch of this step, each at most once, (min(count, G),)."""
        draw = np.random.default_rng(derive(self.run.seed, self.name, str(number), str(part)))
        return draw.choice(len(self.features), size=min(count, len(self.features)), replace=False)

    def collate(self, numbers: Array) -> dict[str, torch.Tensor]:
        """The batch of these features, on the run's device."""
        return self.run.collate(self.features, [int(number) for number in numbers])


def count_beside(rows: int, ratio: float) -> int:
    """How many other rows go beside a batch of `rows`: `ratio` a row, to the nearest whole number."""
    return int(np.floor(rows * ratio + 0.5))

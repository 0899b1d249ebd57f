"""Masked words: which tokens a model has to guess, and what it sees in their place.

Devlin et al. 2019 (arXiv:1810.04805) with whole words: each word is chosen with the same chance, all its tokens with
it; of chosen tokens 80 % are masked, 10 % become any token, 10 % stay. Departing from it, words are chosen one by one
rather than a fixed share of each text; the one with the least draw is always chosen, so that no text is wasted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Stage
from provetune.core.seeds import derive
from provetune.training.packing import IGNORED
from provetune.training.pretraining.words import NO_WORD

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_MASKED, _ANY = 0.8, 0.9


@dataclass(frozen=True)
class Masker:
    """What is put in the place of words.

    Attributes:
        mask_id: the token that says "guess".
        ordinary: ids of the tokens that are not special, (V,).
        share: of the words that are chosen.
    """

    mask_id: int
    ordinary: Array
    share: float

    def mask(self, ids: Array, words: Array, seed: int) -> tuple[Array, Array]:
        """What the model sees and what it is to say, each int64 (B, T); -100 where nothing is asked.

        Args:
            ids: tokens (B, T).
            words: word of each token (B, T), -1 for none.
            seed: the same one draws the same.
        """
        draw = np.random.default_rng(seed)
        real = words != NO_WORD
        # A draw a word, given to each of its tokens: numbers of words are small and ascend within a text.
        number = np.where(real, words - np.where(real, words, np.iinfo(words.dtype).max).min(axis=1, keepdims=True), 0)
        a_word = draw.random((len(ids), int(number.max(initial=0)) + 1))
        chance = np.where(real, np.take_along_axis(a_word, number, axis=1), 2.0)
        chosen = real & ((chance < self.share) | (chance == chance.min(axis=1, keepdims=True)))
        how = draw.random(ids.shape)
        anything = self.ordinary[draw.integers(len(self.ordinary), size=ids.shape)]
        seen = np.where(chosen & (how < _MASKED), self.mask_id, ids)
        seen = np.where(chosen & (how >= _MASKED) & (how < _ANY), anything, seen)
        return seen, np.where(chosen, ids, IGNORED)

    def mask_batch(self, batch: Batch, seed: int) -> Batch:
        """A batch with words masked and its ``labels``."""
        import torch

        ids, words = (batch[name].cpu().numpy() for name in ("input_ids", "words"))
        seen, labels = (torch.from_numpy(each).to(batch["input_ids"].device) for each in self.mask(ids, words, seed))
        return {**batch, "input_ids": seen, "labels": labels}


class NoSettings(BaseModel):
    """There is nothing to set: the masker has it all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MaskedWords:
    """Other words masked in each step, by the step's number alone."""

    name = "masked_words"
    summary = "Words are masked anew in each step."
    settings: type[BaseModel] = NoSettings
    stage: Stage = "base"

    def __init__(self, masker: Masker) -> None:
        self.masker = masker
        self.seed = 0

    def begin(self, run: LossRun, settings: BaseModel) -> MaskedWords:
        """Itself, with the run's seed."""
        self.seed = run.seed
        return self

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """The loss of the batch with this step's words masked."""
        drawn = derive(self.seed, "masked words", str(step.number), str(step.part))
        return inner(self.masker.mask_batch(batch, drawn))

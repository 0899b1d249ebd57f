"""What a teacher says about the words of training rows, whatever tokenizer either side has.

A word is compared where both speak for it: where a piece of the student's that has a label begins with it, and the
teacher's own pieces do not hide it behind another word. Others keep their gold labels alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import LossRun
from provetune.training.teaching import asked_rows

if TYPE_CHECKING:
    import torch

    from provetune.core.minimised import Array, Batch
else:
    torch = import_later("torch")

_IGNORED = -100
_CHUNK = 1024


@dataclass(frozen=True)
class WordTeacher:
    """A bundle's answers to the words of a run's rows.

    Attributes:
        told: its log-probabilities of the tags that both know, float32 (S, K).
        tags: places of these among the run's own tags, (K,).
        numbers: of each feature, by its row and tokens, the number of the word that each labelled piece speaks for, -1
            where the teacher has none.
    """

    told: torch.Tensor
    tags: torch.Tensor
    numbers: dict[tuple[int, bytes], Array]

    @classmethod
    def of(cls, run: LossRun, bundle: str) -> WordTeacher:
        """Ask a bundle about the words of the rows that the run learns from.

        Raises:
            UsageError: it speaks of no word, or none of the run's.
        """
        rows, answers = asked_rows(run, bundle)
        if answers.words is None:
            raise UsageError(f"The bundle '{bundle}' says nothing about single words.")
        place = {name: number for number, name in enumerate(answers.names)}
        shared = [name for name in run.targets.names if name in place]
        own = {name: number for number, name in enumerate(run.targets.names)}
        told = answers.values[:, _tags([place[name] for name in shared])].astype(np.float32)
        words = np.column_stack([rows[answers.words[:, 0]], answers.words[:, 1:]])
        numbers = _words_of_features(run, words)
        if not shared or not any((each >= 0).any() for each in numbers.values()):
            raise UsageError(f"The bundle '{bundle}' and the training rows have no words or labels in common.")
        tags = torch.tensor(_tags([own[name] for name in shared]), device=run.device)
        return cls(torch.from_numpy(told).to(run.device), tags, numbers)

    def beside(self, outputs: torch.Tensor, batch: Batch, rows: Array) -> tuple[torch.Tensor, torch.Tensor]:
        """What it says and what the outputs (B, T, C) say about the batch's words, (M, K) each."""
        ids, real = batch["input_ids"].cpu().numpy(), batch["attention_mask"].cpu().numpy().astype(bool)
        found = [self.numbers[int(row), _bytes(ids[k][real[k]])] for k, row in enumerate(rows)]
        numbers = torch.from_numpy(np.concatenate(found)).to(outputs.device)
        said = outputs[batch["labels"] != _IGNORED].index_select(-1, self.tags)
        known = numbers >= 0
        return self.told[numbers[known]], said[known]


def _tags(labels: Sequence[int]) -> list[int]:
    """Numbers of the tags of labels: outside, then beginning and inside of each."""
    return [0, *(1 + 2 * label + part for label in labels for part in (0, 1))]


def _words_of_features(run: LossRun, words: Array) -> dict[tuple[int, bytes], Array]:
    """Args: words: row, start and end of each, ascending, (S, 3)."""
    bounds = np.searchsorted(words[:, 0], np.arange(int(words[:, 0].max()) + 2 if len(words) else 1))
    found: dict[tuple[int, bytes], Array] = {}
    for first in range(0, len(run.features), _CHUNK):
        numbers = range(first, min(first + _CHUNK, len(run.features)))
        for feature, row in zip(run.features.take(numbers), run.features.rows[first : first + _CHUNK], strict=True):
            low, high = bounds[row : row + 2] if row + 1 < len(bounds) else (0, 0)
            found[int(row), _bytes(feature["input_ids"])] = _words_of_pieces(feature, words[low:high], int(low))
    return found


def _words_of_pieces(feature: dict[str, Array], words: Array, first: int) -> Array:
    """Number of the word that each labelled piece begins with, -1 for none.

    Args:
        words: those of the row (W, 3), the first of which has the number `first`.
    """
    spoken = np.asarray(feature["labels"]) != _IGNORED
    starts, ends = (np.asarray(feature[name], dtype=np.int64)[spoken] for name in ("starts", "ends"))
    if not len(words):
        return np.full(len(starts), -1, dtype=np.int64)
    word = np.minimum(np.searchsorted(words[:, 2], starts, side="right"), len(words) - 1)
    # A piece may begin with the space before its word, but not behind the word's first letter.
    same = (words[word, 1] >= starts) & (words[word, 1] < ends)
    return np.where(same, word + first, -1)


def _bytes(ids: Array) -> bytes:
    return np.asarray(ids, dtype=np.int64).tobytes()

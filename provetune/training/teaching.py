"""What a teacher says about training rows, label by label, and the loss of saying otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import BundleAnswers, LossRun
from provetune.training.answer_kinds import TAGS

if TYPE_CHECKING:
    import torch

    from provetune.core.minimised import Array, Batch
else:
    torch = import_later("torch")

_LEAST_LABELS = 2


@dataclass(frozen=True)
class Teacher:
    """A bundle's answers to the rows of a run.

    Attributes:
        rows: numbers of the rows that it was asked about, ascending (R,).
        told: its logits, log-probabilities or numbers for the labels that both know, float32 (R, K).
        labels: places of these among the run's own labels (K,).
    """

    rows: Array
    told: torch.Tensor
    labels: torch.Tensor

    @classmethod
    def of(cls, run: LossRun, bundle: str) -> Teacher:
        """Ask a bundle about the rows that the run learns from.

        Raises:
            UsageError: the rows are not at hand, or fewer than two labels are known to both.
        """
        rows, answers = asked_rows(run, bundle)
        place = {name: number for number, name in enumerate(answers.names)}
        shared = [number for number, name in enumerate(run.targets.names) if name in place]
        if len(shared) < min(_LEAST_LABELS, len(run.targets.names)):
            raise UsageError(f"The bundle '{bundle}' and the training rows have no labels in common.")
        columns = [place[run.targets.names[number]] for number in shared]
        told = torch.from_numpy(answers.values[:, columns].astype(np.float32)).to(run.device)
        return cls(rows, told, torch.tensor(shared, device=run.device))

    def about(self, rows: Array) -> torch.Tensor:
        """What it says about the rows of a batch, (B, K)."""
        return self.told[torch.from_numpy(np.searchsorted(self.rows, rows)).to(self.told.device)]

    def beside(self, outputs: torch.Tensor, batch: Batch, rows: Array) -> tuple[torch.Tensor, torch.Tensor]:
        """What it says and what the outputs (B, C) say about the labels that both know, (B, K) each."""
        return self.about(rows), outputs.index_select(-1, self.labels)


class Teaches(Protocol):
    """A teacher of rows, or of words (`provetune.training.word_teaching`)."""

    def beside(self, outputs: torch.Tensor, batch: Batch, rows: Array) -> tuple[torch.Tensor, torch.Tensor]:
        """What it says and what the outputs say about M rows or words, (M, K) each."""


def teacher_of(run: LossRun, bundle: str) -> Teaches:
    """The bundle as a teacher of the run's rows, or of their words.

    Raises:
        UsageError: it has nothing to say about them.
    """
    if run.targets.kind != TAGS:
        return Teacher.of(run, bundle)
    from provetune.training.word_teaching import WordTeacher

    return WordTeacher.of(run, bundle)


def asked_rows(run: LossRun, bundle: str) -> tuple[Array, BundleAnswers]:
    """The rows that a run learns from, ascending, and what a bundle says about them.

    Raises:
        UsageError: the rows are not at hand.
    """
    if run.examples is None:
        raise UsageError("A teacher is asked about the rows themselves, and this run has only their tokens.")
    rows = np.unique(run.features.rows)
    return rows, run.ask_bundle(bundle, run.examples.take(rows))

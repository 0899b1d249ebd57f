"""Equal answers to counterfactual pairs: a text and the text with words of a group swapped, he and she, names (logit
pairing: Garg et al. 2019, arXiv:1809.10610; Kannan et al. 2018, arXiv:1803.06373).

The loss is  L + λ · mean d(p, p′)  over the batch's rows that have a counterfactual, p and p′ what the model says of
the two texts, d half the sum of the two KL divergences or the squared distance of the probabilities (Garg et al. pair
logits). Gradients flow through both answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Situation, Stage
from provetune.training.agreement import Agreement, refuse_incomparable
from provetune.training.word_swaps import WordSwaps, read_pairs

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.minimised import Array
else:
    torch = import_later("torch")

Pair = tuple[str, str]


class CounterfactualSettings(BaseModel):
    """What `counterfactual` adds to a candidate; Garg et al. try weights of 1 and 5."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    counterfactual_pairs: list[Pair] = Field(
        [], description="Words that must make no difference, two and two, e.g. [[he, she], [his, her]]."
    )
    counterfactual_file: str = Field("", description="A csv or tsv file with more of them, two columns.")
    counterfactual_weight: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Weight of the difference between the two answers; 0 is plain."
    )
    counterfactual_distance: Literal["kl", "squared"] = Field(
        "kl", description="How it is measured: symmetric KL divergence, or squared distance of the probabilities."
    )


class Counterfactual:
    """`counterfactual`: he or she, the same answer."""

    name = "counterfactual"
    summary = "Bias penalty: equal answers to texts that differ in given words alone (logit pairing)."
    settings: type[BaseModel] = CounterfactualSettings
    stage: Stage = "term"

    def check(self, situation: Situation) -> None:
        """Refuse a run without pairs of words, a file without them, and rows without a vector of outputs.

        Raises:
            UsageError: it cannot work.
        """
        refuse_incomparable(self.name, situation)
        if situation.task == "relation":
            raise UsageError(
                "The objective 'counterfactual' swaps words, and the places of a relation's two things would move.",
                hint="Take objective: plain.",
            )
        if situation.folder is None:
            return
        if situation.settings.get("long_texts") == "windows":
            raise UsageError(
                "The objective 'counterfactual' compares whole texts, not windows of them.",
                hint="Set long_texts: head.",
            )
        WordSwaps(_pairs(situation.settings, situation.folder))

    def check_rows(self, settings: BaseModel, examples: pa.Table, folder: Path | None) -> None:
        """Refuse texts that have none of the words.

        Raises:
            UsageError: none has one.
        """
        given = cast(CounterfactualSettings, settings)
        if given.counterfactual_weight:
            _swapped(given, folder, examples, np.arange(examples.num_rows))

    def files(self, settings: BaseModel) -> Mapping[str, str]:
        """The file with pairs."""
        written = cast(CounterfactualSettings, settings).counterfactual_file
        return {"counterfactual_file": written} if written else {}

    def begin(self, run: LossRun, settings: BaseModel) -> Alike:
        """Make the counterfactuals of the training rows."""
        return Alike(run, cast(CounterfactualSettings, settings))


class Alike:
    """The loss with the penalty."""

    def __init__(self, run: LossRun, given: CounterfactualSettings) -> None:
        self.run, self.given, self.agreement = run, given, Agreement.of(run.targets)
        if given.counterfactual_weight == 0:
            return
        if run.examples is None:
            raise UsageError("Counterfactuals are made of the rows themselves, and this run has only their tokens.")
        swapped, numbers = _swapped(given, run.folder, run.examples, np.unique(run.features.rows))
        self.features = run.encode(swapped)
        # Where a row is read both ways round, its first reading stands for it.
        rows, first = np.unique(self.features.rows, return_index=True)
        self.place = np.full(run.examples.num_rows, -1, dtype=np.int64)
        self.place[numbers[rows]] = first

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """The batch's loss and how far apart the answers to its counterfactuals are."""
        found = inner(batch)
        if self.given.counterfactual_weight == 0:
            return found
        places = self.place[step.rows]
        mine = np.flatnonzero(places >= 0)
        if not len(mine):
            return found
        other = self.run.forward(self.run.collate(self.features, places[mine].tolist()))
        apart = self._apart(found.outputs[torch.from_numpy(mine).to(other.device)], other)
        return Pass(found.loss + self.given.counterfactual_weight * apart, found.outputs)

    def _apart(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        if self.given.counterfactual_distance == "squared":
            return self.agreement.distances(first, second).mean()
        both = self.agreement.divergences(first, second) + self.agreement.divergences(second, first)
        return both.mean() / 2


def _swapped(
    given: CounterfactualSettings, folder: Path | None, examples: pa.Table, rows: Array
) -> tuple[pa.Table, Array]:
    """The counterfactuals of those of `rows` that have one, and their numbers.

    Raises:
        UsageError: none has one.
    """
    swapped, numbers = WordSwaps(_pairs(given.model_dump(), folder)).counterfactuals(examples, rows)
    if not len(numbers):
        raise UsageError(
            "No training text has one of the words of counterfactual_pairs.", hint="Check how they are written."
        )
    return swapped, numbers


def _pairs(settings: Mapping[str, object], folder: Path | None) -> list[Pair]:
    """The pairs of the settings and of their file.

    Raises:
        UsageError: there are none, or one is no pair.
    """
    written = cast("list[Pair]", list(settings.get("counterfactual_pairs") or []))  # type: ignore[call-overload]
    file = str(settings.get("counterfactual_file") or "")
    pairs = [(str(first), str(second)) for first, second in written]
    if file:
        pairs += read_pairs((folder or Path()) / Path(file).expanduser())
    if not pairs:
        raise UsageError(
            "The objective 'counterfactual' needs words that must make no difference.",
            hint="Name them with counterfactual_pairs: [[he, she], …] or counterfactual_file: FILE.",
        )
    return pairs


OBJECTIVE = Counterfactual()

"""How far two predictions about the same rows are apart, by the form of the labels.

Outputs are those of tasks with one vector a row: logits of labels of which one holds (softmax) or several may
(a sigmoid each), or numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from provetune.core.errors import UsageError
from provetune.core.minimised import Situation
from provetune.core.protocols import Targets

ONE_LABEL = ("single_label", "ordinal")
SEVERAL_LABELS = "multi_label"
NUMBERS = "regression"
WORDS = "spans"
KINDS = (*ONE_LABEL, SEVERAL_LABELS, NUMBERS)
"""`Targets.kind` of rows whose predictions can be compared."""


def refuse_other_kinds(name: str, situation: Situation, kinds: Sequence[str] = KINDS) -> None:
    """Refuse an objective where rows have no vector of outputs each, or their vector was mixed from several rows'.

    Args:
        name: the objective's.
        kinds: forms of labels that it knows.

    Raises:
        UsageError: it cannot work.
    """
    if situation.kind not in kinds:
        raise UsageError(
            f"The objective '{name}' learns from whole texts with labels{' or numbers' if NUMBERS in kinds else ''}; "
            f"the rows are '{situation.task}' ({situation.kind}).",
            hint="Take objective: plain.",
        )
    if "mixup" in situation.objectives:
        raise UsageError(
            f"The objectives '{name}' and 'mixup' do not go together: a mixed text is no row of its own.",
            hint="Keep one of them.",
        )


@dataclass(frozen=True)
class Agreement:
    """Compares outputs (B, C).

    Attributes:
        kind: `Targets.kind`.
        scale: spread of each number (C,), where outputs are numbers.
    """

    kind: str
    scale: tuple[float, ...] | None = None

    @classmethod
    def of(cls, targets: Targets) -> Agreement:
        """That of these targets."""
        return cls(targets.kind, tuple(targets.tuned["scale"]) if targets.kind == NUMBERS else None)

    def divergences(
        self, target: torch.Tensor, outputs: torch.Tensor, *, temperature: float = 1.0, soft: float = 1.0
    ) -> torch.Tensor:
        """KL(target ‖ outputs) of each row, (B,), float32; of several labels the mean over them; of numbers the mean
        squared distance in units of their spread.

        Args:
            target, outputs: logits or log-probabilities (B, C), or numbers.
            temperature: both sides' logits are divided by it; without effect on numbers.
            soft: the target's logits are divided by it besides: below 1 it is sharpened.
        """
        target, outputs = target.float(), outputs.float()
        if self.kind == NUMBERS:
            scale = outputs.new_tensor(self.scale)
            return (((outputs - target) / scale) ** 2).mean(dim=-1)
        target, outputs = target / (temperature * soft), outputs / temperature
        if self.kind == SEVERAL_LABELS:
            return _bernoulli_divergences(target, outputs).mean(dim=-1)
        logs = functional.log_softmax(target, dim=-1)
        return (logs.exp() * (logs - functional.log_softmax(outputs, dim=-1))).sum(dim=-1)

    def distances(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Squared distance of two predictions of each row, (B,): of probabilities, or of numbers over their spread."""
        if self.kind == NUMBERS:
            return self.divergences(first, second)
        return ((self.probabilities(first) - self.probabilities(second)) ** 2).sum(dim=-1)

    def entropies(self, target: torch.Tensor) -> torch.Tensor:
        """Entropy of what logits say, of each row, (B,); of several labels the mean over them."""
        target = target.float()
        if self.kind == SEVERAL_LABELS:
            share = target.sigmoid()
            each = -share * functional.logsigmoid(target) - (1 - share) * functional.logsigmoid(-target)
            return each.mean(dim=-1)
        logs = functional.log_softmax(target, dim=-1)
        return -(logs.exp() * logs).sum(dim=-1)

    def probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Of each label, (B, C), float32."""
        return outputs.float().sigmoid() if self.kind == SEVERAL_LABELS else outputs.float().softmax(dim=-1)

    def certainties(self, outputs: torch.Tensor) -> torch.Tensor:
        """How probable what is said is: of the best label (B,); of several labels each's being there or not (B, C)."""
        found = self.probabilities(outputs)
        return torch.maximum(found, 1 - found) if self.kind == SEVERAL_LABELS else found.amax(dim=-1)


def _bernoulli_divergences(target: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    """KL of each label's being there, from logits (B, C)."""
    share = target.sigmoid()
    there = functional.logsigmoid(target) - functional.logsigmoid(outputs)
    not_there = functional.logsigmoid(-target) - functional.logsigmoid(-outputs)
    return share * there + (1 - share) * not_there

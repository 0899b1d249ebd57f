"""How far two predictions about the same rows are apart, by the form of the labels.

Outputs are those of tasks with one vector a row: logits of labels of which one holds (softmax) or several may
(a sigmoid each), or numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import Situation
from provetune.core.protocols import Targets
from provetune.training.answer_kinds import CLASSES, ORDERED, SEVERAL, TAGS, VALUES, refuse_other_kinds

if TYPE_CHECKING:
    import torch
    from torch.nn import functional
else:
    torch = import_later("torch")
    functional = import_later("torch.nn.functional")

KINDS = (CLASSES, ORDERED, SEVERAL, VALUES)
"""`Targets.kind` of rows with one vector of outputs, whose predictions can be compared."""
WITH_WORDS = (*KINDS, TAGS)
"""Where words are labelled, theirs are compared one by one."""


def refuse_incomparable(name: str, situation: Situation, kinds: Sequence[str] = KINDS) -> None:
    """Refuse an objective where rows have no vector of outputs each, or their vector was mixed from several rows'.

    Args:
        name: the objective's.
        kinds: forms of labels that it knows.

    Raises:
        UsageError: it cannot work.
    """
    refuse_other_kinds(name, situation, kinds, "Leave it out.")
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
        return cls(targets.kind, tuple(targets.tuned["scale"]) if targets.kind == VALUES else None)

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
        if self.kind == VALUES:
            scale = outputs.new_tensor(self.scale)
            return (((outputs - target) / scale) ** 2).mean(dim=-1)
        target, outputs = target / (temperature * soft), outputs / temperature
        if self.kind == SEVERAL:
            return _bernoulli_divergences(target, outputs).mean(dim=-1)
        logs = functional.log_softmax(target, dim=-1)
        return (logs.exp() * (logs - functional.log_softmax(outputs, dim=-1))).sum(dim=-1)

    def distances(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Squared distance of two predictions of each row, (B,): of probabilities, or of numbers over their spread."""
        if self.kind == VALUES:
            return self.divergences(first, second)
        return ((self.probabilities(first) - self.probabilities(second)) ** 2).sum(dim=-1)

    def entropies(self, target: torch.Tensor) -> torch.Tensor:
        """Entropy of what logits say, of each row, (B,); of several labels the mean over them."""
        target = target.float()
        if self.kind == SEVERAL:
            share = target.sigmoid()
            each = -share * functional.logsigmoid(target) - (1 - share) * functional.logsigmoid(-target)
            return each.mean(dim=-1)
        logs = functional.log_softmax(target, dim=-1)
        return -(logs.exp() * logs).sum(dim=-1)

    def probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Of each label, (B, C), float32."""
        return outputs.float().sigmoid() if self.kind == SEVERAL else outputs.float().softmax(dim=-1)

    def certainties(self, outputs: torch.Tensor) -> torch.Tensor:
        """How probable what is said is: of the best label (B,); of several labels each's being there or not (B, C)."""
        found = self.probabilities(outputs)
        return torch.maximum(found, 1 - found) if self.kind == SEVERAL else found.amax(dim=-1)


def _bernoulli_divergences(target: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    """KL of each label's being there, from logits (B, C)."""
    share = target.sigmoid()
    there = functional.logsigmoid(target) - functional.logsigmoid(outputs)
    not_there = functional.logsigmoid(-target) - functional.logsigmoid(-outputs)
    return share * there + (1 - share) * not_there

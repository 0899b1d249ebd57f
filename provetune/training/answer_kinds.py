"""What the outputs of each kind of task say: which objectives they suit, and how far two answers are apart.

Kinds are those of `Targets.kind`; a task that brings another kind is refused by objectives that must know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later

if TYPE_CHECKING:
    import torch
    from torch.nn import functional

    from provetune.core.minimised import Situation
    from provetune.core.protocols import Targets
else:
    torch = import_later("torch")
    functional = import_later("torch.nn.functional")

CLASSES, ORDERED, SEVERAL, TAGS = "single_label", "ordinal", "multi_label", "spans"
VALUES, VECTORS, TRANSLATED = "regression", "documents", "text"
CONVERSATION, PREFERENCE = "conversation", "preference"
POSITIONS = ("answered", "may_lack_answer")
TOKENS = (TRANSLATED, CONVERSATION, PREFERENCE)
EVERY = (CLASSES, ORDERED, SEVERAL, TAGS, VALUES, VECTORS, *POSITIONS, *TOKENS)

NAMES: Mapping[str, str] = {
    CLASSES: "one label a row",
    ORDERED: "ordered labels",
    SEVERAL: "several labels a row",
    TAGS: "entities in a text",
    VALUES: "numbers",
    VECTORS: "texts to be found",
    TRANSLATED: "texts to be written",
    CONVERSATION: "conversations",
    PREFERENCE: "preference pairs",
    **dict.fromkeys(POSITIONS, "places in a passage"),
}

IGNORED = -100
_LEAST = -1e4  # less than any logit, and its exponential is nought: positions that cannot be an answer


def refuse_other_kinds(name: str, situation: Situation, allowed: Collection[str], hint: str) -> None:
    """Refuse rows whose labels are of a kind that an objective has no formula for.

    Raises:
        UsageError: they are; says what would suit.
    """
    if situation.kind and situation.kind not in allowed:
        told = NAMES.get(situation.kind, f"labels of the kind '{situation.kind}'")
        suited = ", ".join(dict.fromkeys(NAMES[kind] for kind in allowed))
        raise UsageError(
            f"The objective '{name}' has no meaning for {told} (task '{situation.task}').",
            hint=f"It suits {suited}. {hint}".strip(),
        )


@dataclass(frozen=True)
class ClassRows:
    """Choices between classes, those to be left out left out.

    Attributes:
        logits: float32 (M, C).
        labels: int64 (M,).
        weights: of each class (C,), or None.
    """

    logits: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor | None

    @property
    def importance(self) -> torch.Tensor:
        """Weight of each row, (M,)."""
        return self.logits.new_ones(len(self.labels)) if self.weights is None else self.weights[self.labels]


def class_rows(
    outputs: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
) -> ClassRows:
    """The choices that a batch is made of: a row each, a word each, or a token each.

    Args:
        outputs: (B, C) and labels (B,); of words (B, T, 2 C + 1) and (B, T); of tokens (M, V), the learned ones alone,
            and labels of any shape with M learned ones.
        weights: of each label that the targets name (C,).
    """
    wanted = labels.flatten() != IGNORED
    logits = outputs.float().flatten(0, -2)
    if targets.kind == TAGS and weights is not None:
        # Outside of all spans first, then beginning and inside of each label (`provetune.tasks.tagging`).
        weights = torch.cat([weights.new_ones(1), weights.repeat_interleave(2)])
    if len(logits) == len(wanted):
        logits = logits[wanted]
    return ClassRows(logits, labels.flatten()[wanted], weights)


def divergence(first: torch.Tensor, second: torch.Tensor, labels: torch.Tensor, targets: Targets) -> torch.Tensor:
    """How far the answers of two passes over a batch are apart: a scalar, nought where they are equal.

    The mean of both Kullback-Leibler divergences, ½ Σ (p − q)(log p − log q), a row (word, token, or end of a stretch)
    on average; of several labels each is a choice of its own. Of numbers the mean squared distance in units of their
    spread, of vectors the mean squared distance. What the loss leaves out is left out here.

    Args:
        first, second: outputs as the task's loss takes them.
    """
    kind, first, second = targets.kind, first.float(), second.float()
    if kind == VALUES:
        scale = first.new_tensor(targets.tuned["scale"])
        known = ~torch.isnan(labels)
        return (((first - second) / scale) ** 2 * known).sum() / known.sum().clamp(min=1)
    if kind == VECTORS:
        there = labels >= 0
        return ((first - second) ** 2).sum(dim=-1)[there].sum() / there.sum().clamp(min=1)
    if kind == SEVERAL:
        return ((first.sigmoid() - second.sigmoid()) * (first - second) / 2).mean()
    if kind in POSITIONS:
        learned = labels.flatten() != IGNORED
        one, other = (each.clamp(min=_LEAST).transpose(1, 2).flatten(0, 1)[learned] for each in (first, second))
        return _mean_kl(one, other)
    one, other = (class_rows(each, labels, targets, None).logits for each in (first, second))
    return _mean_kl(one, other)


def _mean_kl(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Of M pairs of logits (M, C)."""
    one, other = (functional.log_softmax(each, dim=-1) for each in (first, second))
    apart = ((one.exp() - other.exp()) * (one - other)).sum(dim=-1) / 2
    return apart.sum() / max(1, len(apart))

"""Seams of methods that make one model of several that other candidates learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from provetune.core.protocols import Method

if TYPE_CHECKING:
    from provetune.core.protocols import Array, Outputs, Targets

Averaged: TypeAlias = Literal["answers", "weights"]


@runtime_checkable
class CombiningMethod(Method, Protocol):
    """A method that learns from no row itself: its settings have `members` (names of candidates) and `runs`.

    Attributes:
        averages: what is taken the mean of.
    """

    averages: Averaged


@runtime_checkable
class WritesOutputs(Protocol):
    """A task whose answers to several models have a mean that is an answer again."""

    def outputs_of(self, answers: Array, targets: Targets) -> Outputs:
        """What a model must compute to be understood so: `Task.answers` of it are `answers`.

        Args:
            answers: of N rows, float64 (N, C).
        """

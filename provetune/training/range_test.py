"""The learning-rate range test (Smith 2017, arXiv:1506.01186): which rate, before anything is trained in earnest.

The rate rises in equal ratios over some hundred steps of the very loop that a candidate trains with, from a ten-
millionth of the highest up; the loss after each step is noted. It stays, falls, and rises again where steps are too
long. The test ends when the smoothed loss has risen above its lowest value by as much as the first loss was.

The suggestion is the rate of the steepest descent, taken where the smoothed loss has come half-way from its first
level to its lowest: the slope itself is the derivative of a noisy curve and moves far from one draw of batches to the
next. The other usual choice, a tenth of the rate at which the loss is lowest, is where the loss of a pretrained model
has hardly begun to fall: on the shipped example of support intents 5.9e-5, where the half-way point is 2.7e-4 and 3e-4
was found by hand.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.events import Step
from provetune.core.protocols import Metric

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch

    from provetune.core.events import Event
    from provetune.core.protocols import Array, FeatureColumns, Targets, Task
    from provetune.training.settings import TrainSettings

LEAST_STEPS, USUAL_STEPS = 20, 100
HIGHEST_RATE = 10.0
_MEMORY = 0.9
_REACH_SHARE = 0.05
_NOISES_TO_FALL = 2.0


@dataclass(frozen=True)
class RatePoint:
    """One step: the rate it was made with, and the loss of the next batch, which it led to."""

    step: int
    rate: float
    loss: float


@dataclass(frozen=True)
class RateCurve:
    """What a range test found.

    Attributes:
        points: in the order of their rates; a loss that is no number ends them.
        smoothed: mean loss around each point, (P,); near ones weigh more.
        diverged: whether the loss had risen before the highest rate was reached.
        lowest: rate of the lowest smoothed loss.
        suggestion: the rate to train with, half-way down; None where the loss never fell.
    """

    points: tuple[RatePoint, ...]
    smoothed: tuple[float, ...]
    diverged: bool
    lowest: float
    suggestion: float | None


def try_rates(
    model: torch.nn.Module,
    task: Task,
    features: FeatureColumns,
    targets: Targets,
    settings: TrainSettings,
    *,
    steps: int = USUAL_STEPS,
    highest: float = HIGHEST_RATE,
    **given: Any,
) -> Iterator[RatePoint]:
    """Train `model` with rising rates until the loss has diverged; it is of no other use afterwards.

    Args:
        settings: the candidate's own; its rate, schedule and epochs are replaced, and every layer learns.
        steps: about so many steps, from ``highest / 10 ** RANGE_DECADES`` to `highest`.
        given: what `provetune.training.loop.train` is given besides.

    Raises:
        UsageError: as `check_range` says.
    """
    check_range(steps, highest)
    return _try_rates(model, task, features, targets, _rising(settings, features, steps, highest, given["seed"]), given)


def check_range(steps: int, highest: float) -> None:
    """Refuse a test that cannot be made.

    Raises:
        UsageError: too few steps, or no rate that is a positive number.
    """
    if steps < LEAST_STEPS:
        raise UsageError(f"A range test needs {LEAST_STEPS} steps or more. Got {steps} instead.")
    if not (math.isfinite(highest) and highest > 0):
        raise UsageError(f"The highest rate must be a positive number. Got {highest:g} instead.")


def _try_rates(
    model: torch.nn.Module,
    task: Task,
    features: FeatureColumns,
    targets: Targets,
    settings: TrainSettings,
    given: dict[str, Any],
) -> Iterator[RatePoint]:
    from provetune.training.loop import train

    watch = _Watch()
    rate: float | None = None
    with tempfile.TemporaryDirectory() as nothing:
        asked = {**given, "score": _no_score, "primary": _NO_METRIC, "checkpoint": Path(nothing)}
        made = cast("Generator[Event]", train(model, task, features, targets, settings, **asked))
        with closing(made) as events:
            for event in events:
                if not isinstance(event, Step):
                    continue
                if rate is not None:
                    yield RatePoint(event.step - 2, rate, event.loss)
                if watch.has_diverged(event.loss):
                    return
                rate = event.learning_rate


def read_curve(points: Sequence[RatePoint]) -> RateCurve:
    """What the points of a test say.

    Raises:
        UsageError: they are too few: the loss was no number almost from the start.
    """
    watch = _Watch()
    diverged = [watch.has_diverged(point.loss) for point in points]
    whole = [point for point in points if math.isfinite(point.loss)]
    if len(whole) < 3:
        raise UsageError("The loss is no number from the start.", hint="Look at the data, or set precision: fp32.")
    losses = np.array([point.loss for point in whole])
    smoothed = smooth(losses)
    low = int(smoothed.argmin())
    early = slice(0, max(3, len(whole) // 4))
    noise = float(np.std(losses[early] - smoothed[early]))
    level = float(smoothed[early].mean())
    fell = level - smoothed[low] > _NOISES_TO_FALL * noise and low > 0
    # The last point before the lowest that is still in the upper half: a dip of noise before it is not the descent.
    above = np.flatnonzero(smoothed[:low] > (level + smoothed[low]) / 2)
    return RateCurve(
        points=tuple(points),
        smoothed=tuple(float(value) for value in smoothed),
        diverged=any(diverged),
        lowest=whole[low].rate,
        suggestion=float(f"{whole[int(above[-1])].rate:.2g}") if fell and len(above) else None,
    )


def smooth(losses: Array) -> Array:
    """Means around each of P losses, (P,), weights falling linearly to both sides: nothing moves to later rates."""
    reach = max(1, round(_REACH_SHARE * len(losses)))
    weights = np.concatenate([np.arange(1, reach + 2), np.arange(reach, 0, -1)]).astype(float)
    total = np.convolve(losses, weights)[reach:-reach]
    return np.asarray(total / np.convolve(np.ones(len(losses)), weights)[reach:-reach])


class _Watch:
    """Tells from the losses so far whether they have left for good: by a running mean, each loss but once."""

    def __init__(self) -> None:
        self.mean, self.count = 0.0, 0
        self.first, self.lowest = math.nan, math.inf

    def has_diverged(self, loss: float) -> bool:
        if not math.isfinite(loss):
            return True
        self.first = loss if self.count == 0 else self.first
        self.count += 1
        self.mean = _MEMORY * self.mean + (1 - _MEMORY) * loss
        now = self.mean / (1 - _MEMORY**self.count)
        self.lowest = min(self.lowest, now)
        return now > self.lowest + abs(self.first)


def _rising(settings: TrainSettings, features: FeatureColumns, steps: int, highest: float, seed: int) -> TrainSettings:
    from provetune.training.batching import BatchPlan
    from provetune.training.schedule import RANGE_TEST

    rows, tokens, together = settings.batch_rows, settings.batch_tokens, settings.accumulate
    once = BatchPlan(features.lengths, rows=rows, tokens=tokens, epochs=1.0, accumulate=together, seed=seed)
    return replace(
        settings,
        learning_rate=highest,
        schedule=RANGE_TEST,
        epochs=(steps + 1) / once.steps,
        unfreeze="all",
        ema=None,
        evaluations=1,
        patience=None,
        checkpoint_minutes=math.inf,
        checkpoint_steps=None,
    )


_NO_METRIC = Metric("none", "nothing is scored")


def _no_score(model: torch.nn.Module) -> dict[str, float]:
    """Validation rows are none of a range test's business."""
    return {_NO_METRIC.name: 0.0}

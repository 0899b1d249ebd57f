"""The learning-rate range test on curves and a bowl whose answers are known."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from provetune.core.errors import UsageError
from provetune.training.minimisation import Minimisation
from provetune.training.range_test import RatePoint, check_range, read_curve, smooth, try_rates
from provetune.training.settings import TrainSettings

RATES = np.logspace(-6, 1, 100)


def curve_of(losses: Any) -> Any:
    pairs = zip(RATES, losses, strict=False)
    return read_curve([RatePoint(step, float(rate), float(loss)) for step, (rate, loss) in enumerate(pairs)])


def valley(noise: float = 0.0) -> Any:
    """Flat at 2, then down from 1e-4 to 0.5 at 1e-2, then up."""
    exponent = np.log10(RATES)
    down = np.interp(exponent, [-6, -4, -2, -1, 1], [2.0, 2.0, 0.5, 2.0, 9.0])
    return down + np.random.default_rng(0).normal(0, noise, 100)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_suggestion_is_half_way_down(noise: float) -> None:
    """From 2 at 1e-4 to 0.5 at 1e-2 in a line over the logarithm: 1.25 at 1e-3."""
    found = curve_of(valley(noise))
    assert math.log10(found.lowest) == pytest.approx(-2, abs=0.15)
    assert found.suggestion is not None
    assert math.log10(found.suggestion) == pytest.approx(-3, abs=0.15)
    assert found.diverged


def test_a_dip_before_the_descent_is_not_taken_for_it() -> None:
    losses = valley()
    losses[20:24] = 0.9
    found = curve_of(losses)
    assert math.log10(found.suggestion) == pytest.approx(-3, abs=0.15)


def test_nothing_is_suggested_where_the_loss_never_fell() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 100)
    assert curve_of(2 + noise).suggestion is None
    assert curve_of(np.linspace(1, 5, 100)).suggestion is None


def test_a_loss_that_is_no_number_ends_the_curve() -> None:
    losses = valley()
    losses[90:] = math.nan
    found = curve_of(losses)
    assert (len(found.points), len(found.smoothed)) == (100, 90)
    assert found.diverged
    with pytest.raises(UsageError, match="no number from the start"):
        curve_of([1.0, math.nan, math.nan])


def test_smoothing_weighs_neighbours_and_moves_nothing() -> None:
    """Twenty points: a reach of one, weights 1, 2, 1; at the ends 2, 1."""
    losses = np.zeros(20)
    losses[10] = 4.0
    losses[0] = 3.0
    found = smooth(losses)
    assert found[9:12].tolist() == pytest.approx([1.0, 2.0, 1.0])
    assert found[:3].tolist() == pytest.approx([2.0, 0.75, 0.0])


class Bowl:
    """Half of 4 w²: SGD with momentum 0.9 is stable up to a rate of 2 (1 + 0.9) / 4 = 0.95, and diverges above."""

    name = "bowl"

    def collate(self, cells: Any, pad: int) -> dict[str, torch.Tensor]:
        return {"labels": torch.zeros(len(cells))}

    def forward(self, model: torch.nn.Module, batch: Any) -> torch.Tensor:
        return model.weight  # type: ignore[return-value]

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor, targets: Any, weights: Any) -> torch.Tensor:
        return 2 * outputs.pow(2).sum()


def bowl_points(store, targets, **changes: Any) -> list[RatePoint]:
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    settings = TrainSettings(optimiser="sgd", weight_decay=0.0, clip=None, batch_rows=16, epochs=7, ema=0.9, patience=1)
    given = {"minimise": partial(Minimisation, []), "seed": 1, "pad_id": 0}
    return list(try_rates(model, Bowl(), store, targets, settings, **given, **changes))  # type: ignore[arg-type]


def height_after(steps: int, rate: float) -> float:
    """Where 1 has come to on the bowl, momentum written out."""
    weight, velocity = 1.0, 0.0
    for _ in range(steps):
        velocity = 0.9 * velocity + 4 * weight
        weight -= rate * velocity
    return abs(weight)


def test_on_a_bowl_it_ends_where_the_theory_has_it_and_suggests_a_rate_that_learns(store, targets) -> None:
    points = bowl_points(store, targets)
    found = read_curve(points)
    assert found.diverged
    assert 0.95 < points[-1].rate < 0.95 * 2
    assert found.suggestion is not None
    assert height_after(500, found.suggestion) < 1e-3
    assert height_after(500, points[-1].rate) > 1e6


def test_rates_rise_by_equal_ratios_and_a_loss_is_that_after_its_step(store, targets) -> None:
    points = bowl_points(store, targets, highest=1e-3, steps=50)
    assert len(points) == 50
    ratios = [after.rate / before.rate for before, after in pairwise(points)]
    assert ratios == pytest.approx([10 ** (7 / 51)] * 49)
    # The first step of momentum is a plain one: w = 1 − 4 rate.
    assert points[0].loss == pytest.approx(2 * (1 - 4 * points[0].rate) ** 2)


@pytest.mark.parametrize(("steps", "highest"), [(19, 1.0), (100, 0.0), (100, math.inf), (100, math.nan)])
def test_a_test_that_cannot_be_is_refused(steps: int, highest: float) -> None:
    with pytest.raises(UsageError):
        check_range(steps, highest)

"""The inverse power law: recovered where it holds, flat where nothing grows, with an interval that knows chance."""

from __future__ import annotations

import numpy as np
import pytest

from provetune.study.next.learning_curve import CurvePoint, extrapolate, fit_power_law


def point(rows: int, error: float, count: int = 4000, draws: int = 2) -> CurvePoint:
    """Rows of which exactly the share `error` is wrong in every draw."""
    right = np.ones(count)
    right[: round(error * count)] = 0
    return CurvePoint(rows, np.stack([right] * draws))


def test_a_known_law_is_recovered() -> None:
    sizes = np.array([250.0, 500, 750, 1000])
    base, exponent, scale = fit_power_law(sizes, (0.05 + 2.0 * sizes**-0.5)[None])
    np.testing.assert_allclose([base[0], exponent[0], scale[0]], [0.05, 0.5, 2.0], atol=1e-9)


def test_the_fit_keeps_the_asymptote_at_nought_or_above() -> None:
    sizes = np.array([250.0, 500, 750, 1000])
    base, exponent, scale = fit_power_law(sizes, (3.0 * sizes**-1.0 - 0.001)[None])
    assert base[0] >= 0
    assert scale[0] > 0
    assert exponent[0] == pytest.approx(1.0)


def test_the_promised_gain_is_that_of_the_law() -> None:
    law = {rows: 0.02 + 4.0 * rows**-0.5 for rows in (500, 1000, 1500, 2000, 4000)}
    found = extrapolate([point(rows, law[rows]) for rows in (500, 1000, 1500, 2000)], 4000)
    assert found is not None
    assert found.rows == 4000
    # A point is a count of 4,000 rows; the interval has the luck of which rows they are.
    assert found.low < law[2000] - law[4000] < found.high
    assert found.gain == pytest.approx(law[2000] - law[4000], abs=0.01)


def test_a_flat_curve_promises_nothing() -> None:
    found = extrapolate([point(rows, 0.2) for rows in (250, 500, 750, 1000)], 2000)
    assert found is not None
    assert found.gain == pytest.approx(0.0, abs=1e-9)


def test_a_falling_curve_promises_nothing() -> None:
    found = extrapolate([point(rows, 0.2 + rows / 1e5) for rows in (250, 500, 750, 1000)], 2000)
    assert found is not None
    assert found.gain == 0.0


def test_two_sizes_are_no_curve() -> None:
    assert extrapolate([point(500, 0.3), point(1000, 0.2), point(1000, 0.2)], 2000) is None


def test_what_it_cannot_take() -> None:
    points = [point(rows, 0.2) for rows in (250, 500, 1000)]
    with pytest.raises(ValueError, match="more than 1000"):
        extrapolate(points, 1000)
    with pytest.raises(ValueError, match="same validation rows"):
        extrapolate([*points, point(2000, 0.1, count=100)], 4000)

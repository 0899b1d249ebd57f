"""Our ridge regression finds scikit-learn's minimum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge

from provetune.models.ridge import fit_ridge, fit_ridge_chosen


def rows(count: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(count, width)).astype(np.float32)
    slopes = draw.normal(size=(width, 2))
    return features, (features @ slopes + draw.normal(size=(count, 2))) * [30.0, 0.01] + [500.0, -2.0]


def scikit_learns(features: np.ndarray, values: np.ndarray, strength: float) -> np.ndarray:
    means, spreads = values.mean(axis=0), values.std(axis=0)
    fitted = Ridge(alpha=1 / strength, tol=1e-10).fit(features.astype(np.float64), (values - means) / spreads)
    return fitted.predict(features.astype(np.float64)) * spreads + means


@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("shape", [(200, 12), (60, 150)])
def test_it_is_scikit_learns_minimum_in_any_units(shape, form, strength):
    features, values = rows(*shape)
    features[features < 0] = 0
    given = csr_matrix(features) if form == "sparse" else features
    found = fit_ridge(given, values, strength=strength).logits(given)
    wanted = scikit_learns(features, values, strength)
    np.testing.assert_allclose((found - wanted) / values.std(axis=0), 0, atol=2e-2)
    assert np.abs((found - wanted) / values.std(axis=0)).mean() < 5e-3


def test_the_strength_is_the_one_with_the_least_validation_error():
    features, values = rows(80, 60)
    held_out, answers = rows(400, 60, seed=0)
    held_out, answers = held_out[80:], answers[80:]
    errors = {}
    for strength in (0.001, 0.01, 0.1, 1.0, 10.0):
        layer = fit_ridge(features, values, strength=strength)
        errors[strength] = (((layer.logits(held_out) - answers) / values.std(axis=0)) ** 2).mean()
    chosen, layer = fit_ridge_chosen(
        features, values, strength=None, strengths=sorted(errors), default=1.0, validation=(held_out, answers)
    )
    assert errors[chosen] == pytest.approx(min(errors.values()), rel=1e-3)
    assert layer.weight.shape == (2, 60)


def test_nothing_to_choose_by_takes_the_default():
    features, values = rows(30, 4)
    assert fit_ridge_chosen(features, values, strength=None, strengths=(1, 2), default=7.0)[0] == 7.0
    assert fit_ridge_chosen(features, values, strength=3.0, strengths=(1, 2), default=7.0)[0] == 3.0


def test_a_constant_number_is_said_as_it_is():
    features, values = rows(30, 4)
    values[:, 1] = 5.0
    found = fit_ridge(features, values, strength=1.0).logits(features)
    np.testing.assert_allclose(found[:, 1], 5.0, atol=1e-5)


def test_what_does_not_fit_is_refused():
    features, values = rows(10, 3)
    with pytest.raises(ValueError, match=r"values must be \(10, numbers\)"):
        fit_ridge(features, values[:, 0], strength=1.0)
    with pytest.raises(ValueError, match="finite"):
        fit_ridge(features, np.full((10, 1), np.nan), strength=1.0)
    with pytest.raises(ValueError, match="strength must be positive"):
        fit_ridge(features, values, strength=0.0)

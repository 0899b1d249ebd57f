"""Our logistic regression finds scikit-learn's minimum: the same objective, the same probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from provetune.models.logistic import Linear, choose_strength, fit_chosen, fit_logistic, validation_score


def rows(count: int, width: int, labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(labels, width))
    answers = np.concatenate([np.arange(labels), draw.integers(labels, size=count - labels)])
    return (centres[answers] + draw.normal(size=(count, width)) * 1.5).astype(np.float32), answers


def fit_exactly(features: object, labels: np.ndarray, count: int, **options: object) -> Linear:
    return fit_logistic(features, labels, count, tolerance=1e-8, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [2, 4])
@pytest.mark.parametrize("strength", [0.1, 1.0, 30.0])
def test_softmax_equals_scikit_learn(strength: float, labels: int) -> None:
    features, answers = rows(200, 6, labels, seed=1)
    theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=5000).fit(features.astype(np.float64), answers)
    ours = fit_exactly(features, answers, labels, strength=strength)
    np.testing.assert_allclose(
        softmax(ours.logits(features), axis=1), theirs.predict_proba(features.astype(np.float64)), atol=3e-3
    )


def test_sparse_and_dense_agree() -> None:
    from scipy.sparse import csr_matrix

    features, answers = rows(150, 8, 3, seed=2)
    features[features < 0.5] = 0
    dense = fit_exactly(features, answers, 3, strength=2.0)
    sparse = fit_exactly(csr_matrix(features), answers, 3, strength=2.0)
    np.testing.assert_allclose(
        softmax(dense.logits(features), axis=1), softmax(sparse.logits(csr_matrix(features)), axis=1), atol=2e-3
    )


def test_label_weights_equal_scikit_learns_class_weights() -> None:
    features, answers = rows(200, 5, 3, seed=3)
    weights = np.array([1.0, 5.0, 0.5])
    theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000, class_weight=dict(enumerate(weights)))
    theirs.fit(features.astype(np.float64), answers)
    ours = fit_exactly(features, answers, 3, strength=1.0, weights=weights)
    np.testing.assert_allclose(
        softmax(ours.logits(features), axis=1), theirs.predict_proba(features.astype(np.float64)), atol=3e-3
    )


def test_several_labels_are_one_regression_each() -> None:
    features, answers = rows(200, 5, 3, seed=4)
    indicators = np.eye(3)[answers]
    indicators[:, 2] = (features[:, 0] > 0).astype(np.float32)
    ours = expit(fit_exactly(features, indicators, 3, strength=1.0).logits(features))
    for label in range(3):
        theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000)
        theirs.fit(features.astype(np.float64), indicators[:, label])
        np.testing.assert_allclose(ours[:, label], theirs.predict_proba(features.astype(np.float64))[:, 1], atol=3e-3)


@settings(max_examples=10, deadline=None)
@given(
    count=st.integers(5, 60),
    width=st.integers(1, 8),
    labels=st.integers(2, 5),
    strength=st.floats(0.01, 100),
    several=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_gradient_vanishes_at_what_is_found(
    count: int, width: int, labels: int, strength: float, several: bool, seed: int
) -> None:
    features, answers = rows(max(count, labels), width, labels, seed)
    indicators = np.eye(labels)[answers]
    found = fit_exactly(features, indicators if several else answers, labels, strength=strength)
    logits = found.logits(features).astype(np.float64)
    residuals = (expit(logits) if several else softmax(logits, axis=1)) - indicators
    penalty = 2 / strength if labels == 2 and not several else 1 / strength
    gradient = residuals.T @ features + found.weight * penalty
    scale = np.abs(features).sum()
    assert np.abs(gradient).max() <= 2e-3 * scale
    assert np.abs(residuals.sum(axis=0)).max() <= 2e-3 * scale


def test_a_fit_repeats_bit_for_bit() -> None:
    features, answers = rows(300, 20, 6, seed=5)
    first, again = (fit_logistic(features, answers, 6, strength=4.0) for _ in range(2))
    assert np.array_equal(first.weight, again.weight)
    assert np.array_equal(first.bias, again.bias)


def test_one_row_and_no_variance() -> None:
    features = np.ones((2, 3), dtype=np.float32)
    found = fit_logistic(features, np.array([0, 1]), 2, strength=1.0)
    np.testing.assert_allclose(softmax(found.logits(features), axis=1), 0.5, atol=1e-6)


def test_scaling_divides_logits() -> None:
    layer = Linear(np.array([[2.0, 4.0]], dtype=np.float32), np.array([6.0], dtype=np.float32))
    np.testing.assert_allclose(layer.scaled(2.0).logits(np.array([[1.0, 1.0]], dtype=np.float32)), [[6.0]])


def test_choosing_stops_when_it_gets_no_better() -> None:
    tried: list[float] = []

    def fit(strength: float, start: Linear | None) -> Linear:
        tried.append(strength)
        return Linear(np.full((1, 1), strength, dtype=np.float32), np.zeros(1, dtype=np.float32))

    score = {1.0: 0.5, 2.0: 0.7, 4.0: 0.7, 8.0: 0.6, 16.0: 0.9}
    chosen, layer = choose_strength(list(score), fit, lambda found: (score[float(found.weight[0, 0])],))
    assert chosen == 2.0  # a tie goes to the stronger regularisation
    assert float(layer.weight[0, 0]) == 2.0
    assert tried == [1.0, 2.0, 4.0, 8.0]


def test_chosen_on_validation_or_by_default() -> None:
    features, answers = rows(120, 4, 3, seed=6)
    options = {"strengths": (0.001, 1.0), "default": 7.0}
    assert fit_chosen(features, answers, 3, strength=None, **options)[0] == 7.0
    assert fit_chosen(features, answers, 3, strength=3.0, **options)[0] == 3.0
    held_out = rows(120, 4, 3, seed=6)
    chosen, layer = fit_chosen(features, answers, 3, strength=None, validation=held_out, **options)
    assert chosen == 1.0
    sample = features[::2], answers[::2]
    by_half, same = fit_chosen(features, answers, 3, strength=None, validation=held_out, sample=sample, **options)
    assert by_half == 1.0
    # Chosen by half of the rows, fitted to all.
    np.testing.assert_allclose(
        softmax(same.logits(features), axis=1), softmax(layer.logits(features), axis=1), atol=0.02
    )


def test_validation_scores_by_hand() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]], dtype=np.float32))
    accuracy, score = validation_score(logits, np.array([0, 1]))
    assert accuracy == 0.5
    assert score == pytest.approx((np.log(0.5) + np.log(0.2)) / 2)
    (several,) = validation_score(np.zeros((2, 3), dtype=np.float32), np.array([[1, 0, 0], [0, 1, 0]]))
    assert several == pytest.approx(-np.log(2))
    # A label that training does not know: wrong, and left out of the log-loss.
    assert validation_score(logits, np.array([0, -1])) == pytest.approx((0.5, np.log(0.5)))
    assert validation_score(logits, np.array([-1, -1])) == (0.0, 0.0)


def test_wrong_arguments() -> None:
    features = np.ones((3, 2), dtype=np.float32)
    with pytest.raises(ValueError, match=r"labels must be \(3,\) or \(3, 2\). Got \(2, 2\)"):
        fit_logistic(features, np.ones((2, 2)), 2, strength=1.0)
    with pytest.raises(ValueError, match=r"labels must be from 0 to 1\. Got -1 to 1"):
        fit_logistic(features, np.array([0, 1, -1]), 2, strength=1.0)
    with pytest.raises(ValueError, match="strength must be positive"):
        fit_logistic(features, np.ones((3, 2)), 2, strength=0.0)
    with pytest.raises(ValueError, match=r"weights must be \(2,\)"):
        fit_logistic(features, np.ones((3, 2)), 2, strength=1.0, weights=np.ones(3))
    with pytest.raises(ValueError, match="must not be empty"):
        choose_strength([], lambda strength, start: pytest.fail("fitted"), lambda layer: (0.0,))

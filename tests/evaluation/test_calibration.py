"""Temperature and calibration error against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.special import softmax as reference_softmax

from provetune.evaluation.calibration import (
    calibration_error,
    fit_temperature,
    reliability_bins,
    sigmoid,
    softmax,
)
from provetune.statistics.rows import JudgedRows


def test_softmax_and_sigmoid_equal_scipy_and_survive_large_logits():
    logits = np.array([[1.0, -2.0, 900.0], [-900.0, 0.0, 3.0]])
    np.testing.assert_allclose(softmax(logits), reference_softmax(logits, axis=1), atol=1e-15)
    np.testing.assert_allclose(sigmoid(logits), expit(logits), atol=1e-15)


def test_temperature_of_overconfident_logits_is_found_back():
    random = np.random.default_rng(0)
    true = random.normal(size=(4000, 5)) * 2
    labels = np.array([random.choice(5, p=row) for row in softmax(true)])
    assert fit_temperature(true * 3.0, labels) == pytest.approx(3.0, rel=0.05)


def test_temperature_of_several_labels_is_found_back():
    random = np.random.default_rng(1)
    true = random.normal(size=(3000, 4)) * 2
    labels = random.random(true.shape) < sigmoid(true)
    assert fit_temperature(true / 2.0, labels) == pytest.approx(0.5, rel=0.05)


def test_two_rows_by_hand():
    # One of two right at logits ±a: the best probability is 1/2 … so the temperature grows to its limit.
    assert fit_temperature(np.array([[2.0, 0.0], [2.0, 0.0]]), np.array([0, 1])) == pytest.approx(20, rel=1e-3)
    # Three of four right at a gap of 2: p = 3/4, so 2 / T = log 3.
    logits = np.tile([2.0, 0.0], (4, 1))
    assert fit_temperature(logits, np.array([0, 0, 0, 1])) == pytest.approx(2 / np.log(3), rel=1e-4)


def test_rows_with_unknown_labels_are_left_out_and_none_gives_one():
    logits = np.tile([2.0, 0.0], (5, 1))
    assert fit_temperature(logits, np.array([0, 0, 0, 1, -1])) == pytest.approx(2 / np.log(3), rel=1e-4)
    assert fit_temperature(logits, np.full(5, 7)) == 1.0


def test_calibration_error_by_hand():
    # Confidences .95 (right), .95 (wrong), .60 (right): bins 15 and 9 of 15.
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.40, 0.60]])
    labels = np.array([0, 1, 1])
    wanted = 2 / 3 * abs(0.95 - 0.5) + 1 / 3 * abs(0.60 - 1.0)
    assert calibration_error(labels, probabilities) == pytest.approx(wanted)


def test_bins_are_closed_on_the_right():
    probabilities = np.array([[2 / 3, 1 / 3], [1.0, 0.0]])
    bins = reliability_bins(JudgedRows(np.array([0, 0]), np.array([0, 0]), probabilities, ("a", "b")))
    assert [(entry["from"], entry["to"], entry["rows"]) for entry in bins] == [
        (pytest.approx(9 / 15), pytest.approx(10 / 15), 1),
        (pytest.approx(14 / 15), 1.0, 1),
    ]
    assert bins[1]["accuracy"] == 1.0

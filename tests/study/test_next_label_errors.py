"""Doubtful labels: planted errors are found, clean labels are left in peace."""

from __future__ import annotations

import numpy as np

from provetune.study.next.label_errors import doubtful_rows, wrong_share
from provetune.study.next.probes import FOLDS, make_folds


def made(wrong: int, count: int = 300, classes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of which the first `wrong` are another than the model is sure of; the model is right about all."""
    random = np.random.default_rng(1)
    true = np.arange(count) % classes
    sure = random.uniform(0.7, 0.99, count)
    probabilities = np.repeat(((1 - sure) / (classes - 1))[:, None], classes, axis=1)
    probabilities[np.arange(count), true] = sure
    order = random.permutation(count)
    given = true.copy()
    given[order[:wrong]] = (true[order[:wrong]] + 1) % classes
    return given, probabilities, np.sort(order[:wrong])


def test_planted_errors_are_named_and_nothing_else() -> None:
    labels, probabilities, planted = made(60)
    share, at_least = wrong_share(labels, probabilities)
    # A fifth is wrong whatever the model's confidence: among its 50 surest rows about 10, with chance's 3 × SD.
    assert 0.03 <= at_least < share <= 0.37
    named = doubtful_rows(labels, probabilities, 0.2)
    assert set(named) <= set(planted)
    # The confident joint rounds each pair of labels down.
    assert len(named) >= 0.95 * len(planted)


def test_clean_labels_are_not_doubted() -> None:
    labels, probabilities, _ = made(0)
    assert wrong_share(labels, probabilities) == (0.0, 0.0)
    assert len(doubtful_rows(labels, probabilities, 0.0)) == 0


def test_no_more_rows_are_named_than_the_share_allows() -> None:
    labels, probabilities, _ = made(100)
    assert len(doubtful_rows(labels, probabilities, 0.1)) == 45  # half as many again as 30


def test_a_label_without_rows_is_no_obstacle() -> None:
    labels, probabilities, _ = made(30)
    wider = np.hstack([probabilities * 0.999, np.full((300, 1), 0.001)])
    np.testing.assert_array_equal(doubtful_rows(labels, wider, 0.1), doubtful_rows(labels, probabilities, 0.1))


def test_folds_hold_every_label_alike() -> None:
    labels = np.repeat([0, 1, 2], [50, 25, 7])
    folds = make_folds(labels)
    counts = np.array([[(folds[labels == label] == fold).sum() for fold in range(FOLDS)] for label in range(3)])
    np.testing.assert_array_equal(counts[0], [10] * FOLDS)
    assert counts.max(axis=1).tolist() == [10, 5, 2]
    assert counts.min(axis=1).tolist() == [10, 5, 1]

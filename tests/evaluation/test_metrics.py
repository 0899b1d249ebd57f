"""Scores equal scikit-learn's, for one label a row and for several."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from provetune.evaluation.metrics import classification_scores, confusion, label_reports, most_confused
from provetune.statistics.rows import JudgedRows

NAMES = ("a", "b", "c", "d", "e")


def judged(labels, predictions, probabilities=None, **more):
    return JudgedRows(np.asarray(labels), np.asarray(predictions), probabilities, NAMES, **more)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_single_label_scores_equal_scikit_learn(pairs):
    labels, predictions = (np.array(part) for part in zip(*pairs, strict=True))
    scores = classification_scores(judged(labels, predictions))
    assert scores["accuracy"] == pytest.approx(sk.accuracy_score(labels, predictions))
    for average in ("macro", "micro", "weighted"):
        for part, function in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
            wanted = function(labels, predictions, average=average, zero_division=0)
            assert scores[f"{average}_{part}"] == pytest.approx(wanted, abs=1e-12), f"{average}_{part}"


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=10, max_size=10), min_size=1, max_size=30))
def test_multi_label_scores_equal_scikit_learn(cells):
    table = np.array(cells)
    labels, predictions = table[:, :5], table[:, 5:]
    scores = classification_scores(judged(labels, predictions))
    assert scores["accuracy"] == pytest.approx(sk.accuracy_score(labels, predictions))
    occurring = np.flatnonzero(labels.any(0) | predictions.any(0))
    for average in ("macro", "micro", "weighted"):
        for part, function in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
            if len(occurring) == 0:
                continue
            wanted = function(labels, predictions, labels=occurring, average=average, zero_division=0)
            assert scores[f"{average}_{part}"] == pytest.approx(wanted, abs=1e-12), f"{average}_{part}"


def test_log_loss_equals_scikit_learn_on_kept_probabilities():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(5) * 0.1, 500).astype(np.float32)
    probabilities /= probabilities.sum(1, keepdims=True)
    labels = random.integers(0, 5, 500)
    scores = classification_scores(judged(labels, probabilities.argmax(1), probabilities))
    assert scores["log_loss"] == pytest.approx(sk.log_loss(labels, probabilities, labels=range(5)), rel=1e-5)


def test_multi_label_log_loss_is_the_mean_over_labels():
    random = np.random.default_rng(1)
    probabilities = random.random((200, 5))
    labels = random.random((200, 5)) < probabilities
    scores = classification_scores(judged(labels, probabilities >= 0.5, probabilities))
    wanted = np.mean([sk.log_loss(labels[:, k], probabilities[:, k]) for k in range(5)])
    assert scores["log_loss"] == pytest.approx(wanted, rel=1e-9)


def test_label_reports_equal_scikit_learn():
    random = np.random.default_rng(2)
    labels, predictions = random.integers(0, 5, 300), random.integers(0, 4, 300)
    wanted = sk.precision_recall_fscore_support(labels, predictions, labels=range(5), zero_division=0)
    found = label_reports(judged(labels, predictions))
    np.testing.assert_allclose([[r.precision, r.recall, r.f1, r.support] for r in found], np.stack(wanted, axis=1))
    assert [report.label for report in found] == list(NAMES)


def test_confusion_equals_scikit_learn():
    random = np.random.default_rng(3)
    labels, predictions = random.integers(0, 5, 200), random.integers(0, 5, 200)
    rows = judged(labels, predictions)
    np.testing.assert_array_equal(confusion(rows), sk.confusion_matrix(labels, predictions, labels=range(5)))
    several = judged(random.random((50, 5)) < 0.4, random.random((50, 5)) < 0.4)
    np.testing.assert_array_equal(
        confusion(several), sk.multilabel_confusion_matrix(several.labels, several.predictions)
    )


def test_most_confused_pairs_come_first():
    rows = judged([0, 0, 0, 1, 1, 2], [1, 1, 0, 0, 1, 2])
    assert most_confused(rows) == [
        {"label": "a", "prediction": "b", "count": 2},
        {"label": "b", "prediction": "a", "count": 1},
    ]


def test_scope_scores_by_hand():
    rows = judged([0, 1, 4, 4], [0, 4, 4, 1], out_of_scope=4)
    scores = classification_scores(rows)
    assert scores["in_scope_accuracy"] == 0.5
    assert scores["out_of_scope_recall"] == 0.5


def test_no_rows_have_no_scores():
    assert classification_scores(judged([], [])) == {}

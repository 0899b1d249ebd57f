"""Metrics of abstaining, ranking and ordered classifiers, by hand and by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from provetune.core.errors import UsageError
from provetune.statistics.class_metrics import class_metric, label_confidence, set_confidence, sureness
from provetune.statistics.rows import JudgedRows, bound_for, row_contributions

NAMES = ("a", "b", "oos")
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.1, 0.2, 0.7], [0.45, 0.4, 0.15]])
LABELS = np.array([0, 0, 2, 1])


def rows(**changes) -> JudgedRows:
    best = PROBABILITIES.argmax(axis=1)
    usual = {"labels": LABELS, "predictions": best, "probabilities": PROBABILITIES, "names": NAMES}
    return JudgedRows(**{**usual, **changes})


def ordered(count: int = 120, classes: int = 5) -> JudgedRows:
    random = np.random.default_rng(0)
    gold = random.integers(0, classes, count)
    said = np.clip(gold + random.integers(-1, 2, count), 0, classes - 1)
    return JudgedRows(gold, said, None, tuple("abcde"[:classes]), ordered=True)


def test_confidence_leaves_the_out_of_scope_label_out():
    confidence, best = label_confidence(PROBABILITIES, out_of_scope=2)
    assert confidence == pytest.approx([0.7, 0.5, 0.2 - 1, 0.45])
    assert best.tolist() == [0, 1, 1, 0]
    confidence, wrong = sureness(rows(out_of_scope=2))
    assert wrong.tolist() == [False, True, True, True]  # the out-of-scope row has no right answer
    assert sureness(rows())[1].tolist() == [False, True, False, True]


def test_confidence_in_a_set_is_the_product():
    found = set_confidence(np.array([[0.9, 0.2]]), np.array([[True, False]]))
    assert found == pytest.approx([0.9 * 0.8])
    several = JudgedRows(np.array([[True, False]]), np.array([[True, True]]), np.array([[0.9, 0.6]]), ("x", "y"))
    confidence, wrong = sureness(several)
    assert (confidence, wrong) == (pytest.approx([0.54]), [True])


def test_coverage_and_selective_accuracy():
    answered = np.array([True, True, False, False])
    given = rows(answered=answered)
    assert class_metric("coverage", given).value() == 0.5
    assert class_metric("selective_accuracy", given).value() == 0.5  # one of two answered is right
    value, contributions, used = row_contributions("selective_accuracy", given)
    assert (value, contributions.mean(), len(used)) == (0.5, 0.5, 4)
    with pytest.raises(UsageError, match="may abstain"):
        class_metric("coverage", rows())
    with pytest.raises(UsageError, match="No row here is what 'selective_accuracy'"):
        bound_for("selective_accuracy", rows(answered=np.zeros(4, dtype=bool)), 0.95)


def test_area_under_risk_and_coverage():
    # Surest first: .7 right, .5 wrong, .45 wrong, .2 wrong.
    assert class_metric("aurc", rows(out_of_scope=2)).value() == pytest.approx((0 + 1 / 2 + 2 / 3 + 3 / 4) / 4)


def test_auc_of_a_label_is_scikit_learns():
    assert bound_for("auc", rows(), 0.95, label="a").value == roc_auc_score(LABELS == 0, PROBABILITIES[:, 0])
    two = JudgedRows(
        np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([[0.6, 0.4], [0.7, 0.3], [0.2, 0.8]]), ("n", "y")
    )
    assert class_metric("auc", two).value() == roc_auc_score([0, 1, 1], [0.4, 0.3, 0.8])
    with pytest.raises(UsageError, match="'auc' needs a label"):
        class_metric("auc", rows())
    with pytest.raises(UsageError, match="does not know the label 'new'"):
        class_metric("auc", rows(names=(*NAMES, "new")), 3)
    with pytest.raises(UsageError, match="needs probabilities"):
        class_metric("auc", rows(probabilities=None), 0)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_quadratic_kappa_is_scikit_learns(classes):
    given = ordered(classes=classes)
    wanted = cohen_kappa_score(given.labels, given.predictions, weights="quadratic")
    assert class_metric("quadratic_kappa", given).value() == pytest.approx(wanted, abs=1e-12)


def test_steps_between_ordered_labels():
    given = ordered()
    apart = np.abs(given.labels - given.predictions)
    assert class_metric("mae", given).value() == apart.mean()
    assert class_metric("within_one", given).value() == 1.0
    assert class_metric("spearman", given).value() > 0.8
    with pytest.raises(UsageError, match="labels that have an order"):
        class_metric("mae", rows())


def test_kappa_of_one_label_alone_is_one():
    same = JudgedRows(np.zeros(3, dtype=int), np.zeros(3, dtype=int), None, ("a", "b"), ordered=True)
    assert class_metric("quadratic_kappa", same).value() == 1.0


@pytest.mark.parametrize("name", ["quadratic_kappa", "mae", "spearman"])
def test_contributions_average_to_the_value(name):
    value, contributions, _ = row_contributions(name, ordered())
    assert contributions.mean() == pytest.approx(value, abs=1e-9)


def test_kappas_contributions_agree_with_leaving_rows_out():
    one = class_metric("quadratic_kappa", ordered())
    count = len(one)
    left = np.array([one.keep(np.arange(count) != row).value() for row in range(count)])
    pseudo = count * one.value() - (count - 1) * left
    assert np.corrcoef(one.contributions(), pseudo)[0, 1] > 0.99

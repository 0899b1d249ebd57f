"""Rows-only bounds: means by hand, label scores against leave-one-out and numerical gradients."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist, stdev

import numpy as np
import pytest

from provetune.core.errors import UsageError
from provetune.statistics.judged import bound_of
from provetune.statistics.label_counts import LabelCounts, averaged, count_labels, counted_metrics, sensitivity
from provetune.statistics.measured_rows import MeanOf, MeasuredRows
from provetune.statistics.rows import JudgedRows, bound_for, row_contributions


def make_rows(count: int = 400, classes: int = 4, seed: int = 0, right: float = 0.8) -> JudgedRows:
    random = np.random.default_rng(seed)
    labels = random.choice(classes, count, p=np.arange(1, classes + 1) / sum(range(1, classes + 1)))
    predictions = np.where(random.random(count) < right, labels, random.integers(0, classes, count))
    probabilities = random.dirichlet(np.ones(classes), count)
    names = tuple("abcdefgh"[:classes])
    return JudgedRows(labels, predictions, probabilities, names)


def several_rows(count: int = 300, seed: int = 3) -> JudgedRows:
    random = np.random.default_rng(seed)
    labels = random.random((count, 3)) < (0.3, 0.5, 0.6)
    predictions = np.where(random.random((count, 3)) < 0.85, labels, ~labels)
    return JudgedRows(labels, predictions, random.random((count, 3)), ("x", "y", "z"))


def theta(rows: JudgedRows, metric: str, label: int | None) -> float:
    if rows.labels.ndim == 2:
        both = rows.labels & rows.predictions
        counts = LabelCounts(both.sum(0) * 1.0, rows.predictions.sum(0) * 1.0, rows.labels.sum(0) * 1.0)
    else:
        counts = count_labels(rows.labels, rows.predictions, len(rows.names))
    return sensitivity(counts, metric, label).value


def without(rows: JudgedRows, i: int) -> JudgedRows:
    keep = np.arange(len(rows)) != i
    return JudgedRows(rows.labels[keep], rows.predictions[keep], rows.probabilities[keep], rows.names)


def test_accuracy_is_a_mean_with_a_normal_bound():
    rows = JudgedRows(np.array([0] * 8 + [1] * 2), np.zeros(10, dtype=int), None, ("a", "b"))
    bound = bound_for("accuracy", rows, 0.95)
    error = stdev([1.0] * 8 + [0.0] * 2) / sqrt(10)
    assert bound.value == 0.8
    assert bound.standard_error == pytest.approx(error, rel=1e-12)
    assert bound.lower == pytest.approx(0.8 - 1.6448536269514722 * error, rel=1e-12)
    assert bound.upper == pytest.approx(0.8 + 1.6448536269514722 * error, rel=1e-12)
    assert bound.units == 10
    assert bound.notes  # ten rows are few


def test_log_loss_bound_rests_on_each_rows_loss():
    rows = make_rows()
    losses = -np.log(rows.probabilities[np.arange(len(rows)), rows.labels])
    bound = bound_for("log_loss", rows, 0.9)
    assert bound.value == pytest.approx(losses.mean(), rel=1e-9)
    assert bound.standard_error == pytest.approx(losses.std(ddof=1) / 20, rel=1e-9)


def test_macro_f1_contributions_have_the_published_form():
    rows = make_rows()
    value, contributions, _ = row_contributions("macro_f1", rows)
    gold, said = np.bincount(rows.labels), np.bincount(rows.predictions)
    total = gold + said
    f1 = 2 * np.bincount(rows.labels[rows.labels == rows.predictions], minlength=4) / total
    hit = rows.labels == rows.predictions
    by_hand = value + len(rows) / 4 * (
        2 * hit / total[rows.labels]
        - f1[rows.labels] / total[rows.labels]
        - f1[rows.predictions] / total[rows.predictions]
    )
    np.testing.assert_allclose(contributions, by_hand, rtol=1e-10)
    assert value == pytest.approx(f1.mean())


CASES = [(metric, None) for metric in counted_metrics() if "_" in metric] + [
    (metric, 1) for metric in ("precision", "recall", "f1")
]


@pytest.mark.parametrize("rows", [make_rows(), several_rows()], ids=["single", "several"])
@pytest.mark.parametrize(("metric", "label"), CASES)
def test_contributions_average_to_the_score_and_match_leave_one_out(rows, metric, label):
    value, contributions, used = row_contributions(metric, rows, label)
    assert value == pytest.approx(theta(rows, metric, label), rel=1e-12)
    assert contributions.mean() == pytest.approx(value, abs=1e-10)
    count = len(rows)
    pseudo = [count * value - (count - 1) * theta(without(rows, i), metric, label) for i in range(count)]
    assert np.std(contributions, ddof=1) == pytest.approx(np.std(pseudo, ddof=1), rel=0.04)
    if np.std(pseudo) > 0:
        assert np.corrcoef(contributions, pseudo)[0, 1] > 0.999
    assert len(used) == count


@pytest.mark.parametrize(("metric", "label"), CASES)
def test_gradients_equal_numerical_derivatives(metric, label):
    counts = LabelCounts(np.array([5.0, 7, 3]), np.array([8.0, 9, 6]), np.array([6.0, 11, 6]))
    found = sensitivity(counts, metric, label)
    for field, slopes in (("hits", found.by_hits), ("predicted", found.by_predicted), ("gold", found.by_gold)):
        for k in range(3):
            values = []
            for step in (1e-5, -1e-5):
                parts = {name: getattr(counts, name).copy() for name in ("hits", "predicted", "gold")}
                parts[field][k] += step
                values.append(sensitivity(LabelCounts(**parts), metric, label).value)
            assert slopes[k] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-7)


def test_a_label_with_one_row_does_not_explode():
    labels = np.array([0] * 60 + [1] * 39 + [2])
    predictions = labels.copy()
    predictions[:5] = 1
    rows = JudgedRows(labels, predictions, None, ("a", "b", "c"))
    bound = bound_for("macro_f1", rows, 0.95)
    assert bound.standard_error < 0.03
    assert "c (1)" in bound.notes[0]


def test_labels_that_never_occur_are_left_out_of_the_average():
    counts = LabelCounts(np.array([2.0, 0, 1]), np.array([3.0, 0, 1]), np.array([2.0, 0, 2]))
    assert averaged(counts, "macro", "f1") == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_groups_of_equal_rows_widen_the_bound_by_the_square_root_of_their_size():
    single = make_rows(count=100)
    many = JudgedRows(
        np.repeat(single.labels, 4),
        np.repeat(single.predictions, 4),
        np.repeat(single.probabilities, 4, axis=0),
        single.names,
        groups=np.repeat(np.arange(100), 4),
    )
    for metric in ("accuracy", "log_loss", "macro_f1", "ece"):
        alone, grouped = bound_for(metric, single, 0.95), bound_for(metric, many, 0.95)
        assert grouped.value == pytest.approx(alone.value, rel=1e-9)
        assert grouped.standard_error == pytest.approx(alone.standard_error, rel=1e-9)
        assert grouped.units == 100


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_few_groups_of_many_rows_are_called_groups(metric):
    rows = make_rows(400)
    five = JudgedRows(rows.labels, rows.predictions, rows.probabilities, rows.names, groups=np.arange(400) % 5)

    assert bound_for(metric, rows, 0.95).notes == ()
    found = bound_for(metric, five, 0.95)
    assert found.units == 5
    assert found.notes == ("only 5 groups of rows: the bound is rough",)


def test_few_rows_are_called_rows_whatever_their_groups():
    rows = make_rows(12)
    two = JudgedRows(rows.labels, rows.predictions, rows.probabilities, rows.names, groups=np.arange(12) % 2)

    assert bound_for("accuracy", two, 0.95).notes == ("only 12 rows: the bound is rough",)


def test_numbers_in_few_groups_say_so_too():
    values = np.linspace(0, 1, 100)
    groups = np.arange(100) % 7
    measured = MeasuredRows({"exact": MeanOf(values)}, groups=groups)

    assert bound_of("exact", measured, 0.95).notes == ("only 7 groups of rows: the bound is rough",)
    assert bound_of("exact", MeasuredRows({"exact": MeanOf(values)}), 0.95).notes == ()
    assert bound_of("exact", measured.keep(np.arange(100) < 4), 0.95).notes == ("only 4 rows: the bound is rough",)


def test_calibration_bound_is_the_same_every_time_and_near_a_direct_resampling():
    from provetune.statistics.probability_scores import calibration_error

    rows = make_rows(count=500)
    bound = bound_for("ece", rows, 0.95)
    assert bound == bound_for("ece", rows, 0.95)
    random = np.random.default_rng(1)
    draws = []
    for _ in range(400):
        drawn = random.integers(0, 500, 500)
        draws.append(calibration_error(rows.labels[drawn], rows.probabilities[drawn]))
    assert bound.standard_error == pytest.approx(np.std(draws), rel=0.15)
    assert bound.value == pytest.approx(calibration_error(rows.labels, rows.probabilities))


def test_scope_scores_use_only_their_rows():
    labels, predictions = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0])
    rows = JudgedRows(labels, predictions, None, ("a", "b", "oos"), out_of_scope=2)
    assert bound_for("in_scope_accuracy", rows, 0.95).value == pytest.approx(2 / 3)
    assert bound_for("out_of_scope_recall", rows, 0.95).value == pytest.approx(2 / 3)
    assert bound_for("out_of_scope_recall", rows, 0.95).units == 3


@pytest.mark.parametrize(
    ("metric", "label", "said"),
    [
        ("f1", None, "needs a label"),
        ("f1", "q", "no label 'q'"),
        ("makro_f1", None, "Did you mean 'macro_f1'"),
        ("accuracy", "a", "no value per label"),
        ("in_scope_accuracy", None, "out_of_scope"),
    ],
)
def test_impossible_questions_say_why(metric, label, said):
    with pytest.raises(UsageError, match=said):
        bound_for(metric, make_rows(), 0.95, label=label)


def test_coverage_of_the_macro_f1_bound_is_what_it_promises():
    """Lower bounds from 400 draws lie under the true score about 95 % of the time."""
    large = make_rows(count=200_000, seed=9)
    truth = bound_for("macro_f1", large, 0.95).value
    below = [bound_for("macro_f1", make_rows(count=400, seed=100 + k), 0.95).lower < truth for k in range(400)]
    assert 0.92 <= np.mean(below) <= 0.98


def test_reach_is_the_normal_quantile():
    bound = bound_for("micro_f1", make_rows(), 0.99)
    assert (bound.value - bound.lower) / bound.standard_error == pytest.approx(NormalDist().inv_cdf(0.99))

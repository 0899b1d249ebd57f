"""Contributions over runs; macro-F1 and entity F1 against brute-force resampling; calibration error on drawn rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from provetune.core.errors import UsageError
from provetune.statistics.contributions import micro_f1_contributions, run_contributions
from provetune.statistics.crossed import estimate, estimate_resampled
from provetune.statistics.probability_scores import calibration_error
from provetune.statistics.resampling import draw_scores
from provetune.statistics.rows import JudgedRows

NAMES = ("a", "b", "c")


def runs(seeds: int, rows: int, seed: int, right: float = 0.8) -> list[JudgedRows]:
    random = np.random.default_rng(seed)
    labels = np.random.default_rng(99).choice(3, rows, p=(0.5, 0.3, 0.2))
    wrong = (labels + random.integers(1, 3, rows)) % 3
    ease = random.random(rows)
    made = []
    for _ in range(seeds):
        hit = ease + random.normal(0, 0.3, rows) < right
        predictions = np.where(hit, labels, wrong)
        made.append(JudgedRows(labels, predictions, random.dirichlet((2, 1, 1), rows), NAMES))
    return made


def macro_f1(counts: np.ndarray, rows: JudgedRows) -> np.ndarray:
    """Macro-F1 of resampled rows from how often each row was drawn, (B, n), by the definition."""
    scores = []
    for label in range(3):
        gold, said = rows.labels == label, rows.predictions == label
        scores.append(2 * (counts @ (gold & said)) / (counts @ gold + counts @ said))
    return np.mean(scores, axis=0)


def brute_force(left: list[JudgedRows], right: list[JudgedRows], draws: int) -> float:
    """Standard error over test rows of the difference of mean macro-F1, by resampling rows alone."""
    n = len(left[0])
    random = np.random.default_rng(0)
    moved = []
    for _ in range(draws // 10_000):
        counts = random.multinomial(n, np.full(n, 1 / n), 10_000).astype(float)
        moved.append(
            np.mean([macro_f1(counts, one) for one in left], axis=0)
            - np.mean([macro_f1(counts, one) for one in right], axis=0)
        )
    return float(np.concatenate(moved).std())


def test_the_mean_of_contributions_is_the_reported_score():
    left = runs(4, 150, seed=1)
    values, used = run_contributions("macro_f1", left)
    assert values.shape == (4, 150)
    assert list(used) == list(range(150))
    for one, rows in zip(values, left, strict=True):
        assert one.mean() == pytest.approx(f1_score(rows.labels, rows.predictions, average="macro"))


@pytest.mark.parametrize("seed", [1, 7])
def test_the_interval_of_macro_f1_agrees_with_brute_force_to_three_digits(seed):
    # One run a candidate: then rows are all there is, and resampling them is the whole truth.
    left, right = runs(1, 400, seed), runs(1, 400, seed + 1, right=0.7)
    found = estimate(run_contributions("macro_f1", left)[0], run_contributions("macro_f1", right)[0])
    error = brute_force(left, right, 100_000)
    low, high = found.interval(0.95)
    assert low == pytest.approx(found.effect - 1.959964 * error, abs=1e-3)
    assert high == pytest.approx(found.effect + 1.959964 * error, abs=1e-3)


def test_the_rows_share_of_crossed_seeds_agrees_with_brute_force():
    # Rows resampled under fixed runs see T and each run's residual together.
    left, right = runs(3, 400, seed=3), runs(3, 400, seed=4, right=0.7)
    found = estimate(run_contributions("macro_f1", left)[0], run_contributions("macro_f1", right)[0])
    assert found.right is not None
    fixed_runs = found.rows_variance + (found.left.residual + found.right.residual) / (3 * found.rows)
    assert fixed_runs**0.5 == pytest.approx(brute_force(left, right, 50_000), abs=5e-4)


def test_entity_f1_is_the_score_of_the_sums_and_its_influence_the_brute_force():
    random = np.random.default_rng(6)
    gold = random.poisson(1.5, 300)
    hits = random.binomial(gold, 0.8)
    predicted = hits + random.binomial(2, 0.2, 300)
    values = micro_f1_contributions(hits, predicted, gold)
    assert values.mean() == pytest.approx(2 * hits.sum() / (predicted.sum() + gold.sum()))
    counts = random.multinomial(300, np.full(300, 1 / 300), 50_000)
    drawn = 2 * (counts @ hits) / (counts @ (predicted + gold))
    assert estimate(values[None]).variance ** 0.5 == pytest.approx(drawn.std(), abs=5e-4)
    stacked = micro_f1_contributions(np.stack([hits, hits * 0]), np.stack([predicted, predicted]), gold)
    np.testing.assert_allclose(stacked[0], values)
    np.testing.assert_array_equal(micro_f1_contributions(np.zeros(4), np.zeros(4), np.zeros(4)), np.zeros(4))


def test_calibration_error_of_runs_and_its_draws():
    left = runs(3, 200, seed=2)
    scores, draws = draw_scores("ece", left, resamples=400, seed=5)
    for score, rows in zip(scores, left, strict=True):
        assert rows.probabilities is not None
        assert score == pytest.approx(calibration_error(rows.labels, rows.probabilities))
    # A draw is the calibration error of the rows drawn: the first one again, by the same random numbers.
    first = np.random.default_rng(5).integers(0, 200, (400, 200))[0]
    for number, rows in enumerate(left):
        assert rows.probabilities is not None
        assert draws[0, number] == pytest.approx(calibration_error(rows.labels[first], rows.probabilities[first]))


def test_candidates_share_their_draws():
    one, same = runs(2, 100, seed=2), runs(2, 100, seed=2)
    left, right = draw_scores("ece", one, 50), draw_scores("ece", same, 50)
    np.testing.assert_array_equal(left[1], right[1])
    found = estimate_resampled(*left, *right, rows=100)
    assert (found.effect, found.rows_variance) == (0, 0)


def test_groups_are_drawn_whole():
    rows = runs(1, 120, seed=1)[0]
    doubled = JudgedRows(
        np.repeat(rows.labels, 2),
        np.repeat(rows.predictions, 2),
        None if rows.probabilities is None else np.repeat(rows.probabilities, 2, axis=0),
        NAMES,
        groups=np.repeat(np.arange(120), 2),
    )
    once, twice = draw_scores("ece", [rows], 300), draw_scores("ece", [doubled], 300)
    np.testing.assert_allclose(twice[0], once[0])
    np.testing.assert_allclose(twice[1], once[1])


def test_wrong_use_is_refused():
    one = runs(1, 50, seed=1)
    other = JudgedRows(one[0].labels[::-1].copy(), one[0].predictions, one[0].probabilities, NAMES)
    blind = JudgedRows(one[0].labels, one[0].predictions, None, NAMES)
    for call, message in (
        (lambda: run_contributions("accuracy", []), "at least one run"),
        (lambda: run_contributions("accuracy", [*one, other]), "same rows"),
        (lambda: draw_scores("accuracy", one), "resampling"),
        (lambda: draw_scores("ece", []), "at least one run"),
        (lambda: draw_scores("ece", [*one, other]), "same rows"),
        (lambda: draw_scores("ece", [blind]), "probabilities"),
        (lambda: draw_scores("ece", one, 1), "resamples"),
    ):
        with pytest.raises(UsageError, match=message):
            call()

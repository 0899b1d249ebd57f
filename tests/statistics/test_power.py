"""Power before a study and what settles it after: the published table, closed forms, simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from provetune.core.errors import UsageError
from provetune.statistics.crossed import cross, estimate
from provetune.statistics.mixture import mixed_quantile
from provetune.statistics.power import detectable, detectable_after, power_after, power_of
from provetune.statistics.settling import settle, settle_equal

# Smallest effects in points at 80 % power with five seeds, for seed SDs of 0.5, 1 and 1.5 points.
SMALLEST = {500: (2.4, 2.8, 3.4), 1000: (1.8, 2.3, 3.0), 2000: (1.4, 2.1, 2.8), 5000: (1.1, 1.9, 2.7)}


@pytest.mark.parametrize("rows", SMALLEST)
def test_the_published_table(rows):
    found = [100 * detectable(sd, rows=rows) for sd in (0.005, 0.01, 0.015)]
    assert found == pytest.approx(SMALLEST[rows], abs=0.1)


def test_an_equal_candidate_is_seldom_shown_not_worse():
    # `lora >= full - 0.01`, seed SD 1, 2,000 rows: 32 %.
    assert power_of(0.01, 0.01, rows=2000) == pytest.approx(0.32, abs=0.03)


def test_without_chance_it_is_the_textbooks_formula():
    found = detectable(row_sd=0.2, rows=1600, alpha=0.025, power=0.9, varying=0)
    assert found == pytest.approx((stats.t.ppf(0.975, 1599) + stats.norm.ppf(0.9)) * 0.2 / 40)


@given(st.floats(0.001, 0.03), st.integers(3, 20), st.integers(200, 9000), st.floats(0.55, 0.98))
@settings(deadline=None)
def test_power_inverts_what_is_detectable(seed_sd, seeds, rows, power):
    smallest = detectable(seed_sd, seeds=seeds, rows=rows, power=power)
    assert power_of(smallest, seed_sd, seeds=seeds, rows=rows) == pytest.approx(power)
    assert detectable(seed_sd, seeds=seeds + 1, rows=rows, power=power) < smallest
    assert detectable(seed_sd, seeds=seeds, rows=rows + 100, power=power) < smallest


def test_power_agrees_with_simulated_studies():
    random = np.random.default_rng(0)
    studies, k, n = 4000, 5, 400

    def candidate(mean: float) -> np.ndarray:
        seeds, rows = random.normal(0, 0.01, (studies, k, 1)), random.normal(0, 0.1, (studies, 1, n))
        return mean + seeds + rows + random.normal(0, 0.15, (studies, k, n))

    found = cross(candidate(0.92), candidate(0.90))
    error = np.sqrt(found.seeds_variance + found.rows_variance)
    reach = mixed_quantile(0.95, found.seeds_variance, found.rows_variance, found.freedom) * error
    promised = power_of(0.02, 0.01, 0.1 * 2**0.5, k, n)
    assert (found.effect > reach).mean() == pytest.approx(promised, abs=0.02)


def pilot(effect: float, seed_sd: float, row_sd: float, seeds: int = 5, rows: int = 500) -> object:
    random = np.random.default_rng(4)

    def candidate(mean: float) -> np.ndarray:
        luck = random.normal(0, 1, seeds)
        luck = (luck - luck.mean()) / luck.std(ddof=1) * seed_sd
        ease = random.normal(0, 1, rows)
        ease = (ease - ease.mean()) / ease.std(ddof=1) * row_sd
        return mean + luck[:, None] + ease[None, :]

    return estimate(candidate(0.9 + effect), candidate(0.9))


def test_a_pilot_replaces_the_priors():
    found = pilot(0.01, 0.01, 0.2)
    row_sd = (found.rows_variance * 500) ** 0.5
    assert detectable_after(found, 7, 900, 0.05) == pytest.approx(
        detectable(0.01, row_sd, 7, 900, residual_sd=0.0), rel=1e-6
    )
    assert power_after(found, detectable_after(found, 7, 900, 0.05), 7, 900, 0.05) == pytest.approx(0.8)


def test_where_seeds_are_all_the_trouble_only_seeds_help():
    found = pilot(0.01, 0.015, 0.0)
    needs = settle(found, 0.0, "above", 0.05, 0.0)
    assert needs.rows is None
    assert needs.seeds is not None
    assert needs.both == (needs.seeds, 500)
    # Checked by the formula: Welch with 2(k − 1) degrees of freedom.
    for seeds, enough in ((needs.seeds, True), (needs.seeds - 1, False)):
        reach = (stats.t.ppf(0.95, 2 * (seeds - 1)) + stats.norm.ppf(0.8)) * 0.015 * (2 / seeds) ** 0.5
        assert bool(reach <= 0.01) is enough


def test_where_rows_are_all_the_trouble_only_rows_help():
    found = pilot(0.01, 0.0, 0.2)
    needs = settle(found, 0.0, "above", 0.05, 0.0)
    assert needs.seeds is None
    by_hand = found.rows_variance * 500 * ((stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) / found.effect) ** 2
    assert needs.rows == pytest.approx(by_hand, abs=3)
    assert "rows" in needs.note


def test_often_only_both_will_do():
    found = pilot(0.004, 0.006, 0.15)
    needs = settle(found, 0.0, "above", 0.05, 0.0)
    assert (needs.seeds, needs.rows) == (None, None)
    assert needs.both is not None
    seeds, rows = needs.both
    assert detectable_after(found, seeds, rows, 0.05) <= 0.004 + 1e-9
    assert detectable_after(found, seeds, rows - 2, 0.05) > 0.004
    assert "alone would not" in needs.note


def test_sometimes_nothing_would():
    assert "nothing within reach" in settle(pilot(1e-5, 0.01, 0.2), 0.0, "above", 0.05, 0.0).note
    same = estimate(np.ones((3, 40)), np.ones((3, 40)))
    assert "edge of the claim" in settle(same, 0.0, "above", 0.05, 0.0).note
    assert "only more rows can tell" in settle(same, 0.0, "above", 0.05, 0.01).note
    assert "single row" in settle(estimate(np.ones((3, 1))), 0.0, "above", 0.05, 0.01).note


def test_a_study_that_could_have_shown_what_matters_needs_no_more():
    found = pilot(0.001, 0.002, 0.1, rows=4000)
    needs = settle(found, 0.0, "above", 0.05, 0.05)
    assert (needs.seeds, needs.rows, needs.both) == (None, None, None)
    assert "could have shown" in needs.note


def test_a_distance_that_does_not_matter_is_told_as_such():
    found = pilot(0.01, 0.002, 0.2)
    on_it = settle(found, 0.01, "above", 0.05, 0.01).note
    assert on_it.startswith("It lies on the edge; were it 0.01 away, the smallest that matters, ")
    assert "It lies 0.003 from the edge; were it 0.01 away" in settle(found, 0.007, "above", 0.05, 0.01).note
    assert "At a distance of 0.01 from the edge" in settle(found, 0.0, "above", 0.05, 0.001).note


def test_the_distance_counts_on_either_side():
    found = pilot(0.01, 0.01, 0.1)
    above, below = settle(found, 0.02, "above", 0.05, 0.0), settle(found, 0.0, "below", 0.05, 0.0)
    assert above.seeds == below.seeds


def test_equality_needs_both_sides():
    found = pilot(0.0, 0.01, 0.1)
    inside = settle_equal(found, 0.0, 0.01, 0.05, 0.0)
    one_sided = settle(found, 0.01, "below", 0.05, 0.0)
    assert inside.both is not None
    assert one_sided.both is not None
    assert inside.both[0] * inside.both[1] > one_sided.both[0] * one_sided.both[1]
    outside = settle_equal(pilot(0.02, 0.01, 0.1), 0.0, 0.01, 0.05, 0.0)
    assert outside.both is not None


def test_numbers_out_of_range_are_refused():
    found = pilot(0.01, 0.01, 0.1)
    for call in (
        lambda: settle(found, 0.0, "sideways", 0.05, 0.0),
        lambda: settle(found, 0.0, "above", 0.9, 0.0),
        lambda: settle(found, 0.0, "above", 0.05, -1.0),
        lambda: settle(found, 0.0, "above", 0.05, 0.0, power=0.2),
        lambda: detectable(-0.01),
        lambda: detectable(varying=3),
        lambda: detectable(seeds=0),
        lambda: detectable(alpha=0.6),
        lambda: power_of(0.01, rows=0),
        lambda: detectable(power=1.0),
    ):
        with pytest.raises(UsageError):
            call()

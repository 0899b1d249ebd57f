"""The calibration benchmark in little: the verdict's own rule holds its error rate, the known wrong ones do not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from provetune.statistics.label_counts import count_labels, sensitivity
from provetune.statistics.rows import JudgedRows, row_contributions

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SLACK = 3.5


@pytest.fixture(scope="module", autouse=True)
def _benchmarks():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def cells(_benchmarks):
    import verdict_grid

    accuracy = verdict_grid.Grid(1200, ("accuracy",), (0.005, 0.01), (0.0, 0.02), (3, 5), (200, 2000))
    others = verdict_grid.Grid(500, ("macro_f1", "entity_f1"), (0.01,), (0.0,), (3, 5), (200, 1000))
    columns = {
        verdict_grid.name_of(grid, *column): verdict_grid.simulate_column(grid, *column)
        for grid in (accuracy, others)
        for column in verdict_grid.columns(grid)
    }
    return verdict_grid.flatten(columns)


def test_false_support_and_coverage_hold_on_the_grid(cells):
    import verdict_demands

    found = verdict_demands.grid_holds(cells, "crossed", SLACK)
    assert found["cells"] == 24
    assert found["met"], found


def test_power_is_there(cells):
    import verdict_demands

    found = verdict_demands.power_holds(cells, SLACK)
    assert set(found["power"]) == {"sd 0.5", "sd 1"}
    assert found["met"], found


def test_the_harness_flags_rows_only_and_seeds_only(cells):
    import verdict_demands

    found = verdict_demands.harness_flags(cells, SLACK)
    assert found["met"], found
    assert found["rules"]["rows_only"]["worst"] > 0.15
    assert found["rules"]["seed_t"]["worst"] > 0.08


def test_stress_families_and_looks_hold():
    import verdict_demands
    import verdict_families
    import verdict_grid

    small = verdict_grid.Grid(400, rows=(500,), seeds=(3, 5))
    pairs = {name: pair for name, pair in verdict_grid.stress_pairs().items() if "accuracy" in name}
    stress = [cell for name, (metric, pair) in pairs.items() for cell in _pair(name, small, metric, pair)]
    assert verdict_demands.stress_holds(stress, SLACK)["met"], stress
    made = {name: make() for name, make in verdict_families.cells(120, quick=True).items()}
    found = verdict_demands.families_hold(made, SLACK)
    assert all(part["met"] for part in found.values()), found
    # What must not be done is seen to fail: no correction, no accounting, a look after every seed.
    six = made["holm/six against one baseline, all equal/5 seeds/1000 rows/sd 1"]
    assert six["uncorrected"] / six["studies"] > 0.08
    reused = made["reuse/5 seeds/500 rows/sd 0.25"]
    assert reused["unaccounted"][-1] > reused["halved"][-1]


def _pair(name, grid, metric, pair):
    import verdict_grid

    return verdict_grid.simulate_pair(name, grid, metric, pair)


def test_truth_is_what_endless_rows_would_say():
    import verdict_grid
    import verdict_worlds

    random = np.random.default_rng(3)
    for metric, world in verdict_worlds.WORLDS.items():
        one = verdict_worlds.procedure(metric, verdict_grid.baseline(metric), 0.01)
        runs = verdict_worlds.skills(random, one, 100, 8)
        values = world.contributions(world.draw(random, 100, 3000, [runs]), 0, 8, 3000).mean(axis=2)
        assert values.mean() == pytest.approx(verdict_worlds.expected(world, one), abs=0.0015), metric
        spread = np.sqrt(values.var(axis=1, ddof=1).mean() - 0.15**2 / 3000)
        assert spread == pytest.approx(0.01, rel=0.12), metric


def test_many_studies_of_macro_f1_are_the_products_own():
    import verdict_worlds

    random = np.random.default_rng(5)
    world = verdict_worlds.WORLDS["macro_f1"]
    one = verdict_worlds.procedure("macro_f1", 0.88, 0.01)
    drawn = world.draw(random, 2, 150, [verdict_worlds.skills(random, one, 2, 3)])
    values = world.contributions(drawn, 0, 3, 120)
    labels, tempting = (drawn.rows[name][1, :120].astype(int) for name in ("labels", "tempting"))
    said = np.where(drawn.runs[0]["hits"][1, 2, :120], labels, tempting)
    expected = row_contributions("macro_f1", JudgedRows(labels, said, None, tuple("abcd")))[1]
    np.testing.assert_allclose(values[1, 2], expected, rtol=2e-4)
    assert values[1, 2].mean() == pytest.approx(sensitivity(count_labels(labels, said, 4), "macro_f1").value, rel=1e-5)


def test_many_real_studies_are_the_products_own():
    import verdict_pools

    random = np.random.default_rng(2)
    labels = random.integers(0, 5, (2, 90))
    said = np.where(random.random((2, 3, 90)) < 0.7, labels[:, None], random.integers(0, 5, (2, 3, 90)))
    values = verdict_pools.contributions("macro_f1", labels, said, 6)
    expected = row_contributions("macro_f1", JudgedRows(labels[1], said[1, 2], None, tuple("abcdef")))[1]
    np.testing.assert_allclose(values[1, 2], expected, rtol=1e-4, atol=1e-5)
    right = verdict_pools.contributions("accuracy", labels, said, 6)
    np.testing.assert_array_equal(right[0, 1], labels[0] == said[0, 1])

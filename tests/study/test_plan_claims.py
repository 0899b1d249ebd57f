"""What claims can show: the published table, closed forms, and needs that do what they promise."""

from __future__ import annotations

from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from scipy import stats

from provetune.core.protocols import Targets
from provetune.problem.claims import parse_claim
from provetune.problem.syntax import Candidate, CandidateData, Columns, Data, Problem, StudySection
from provetune.statistics.power import PRIOR_RESIDUAL_SD, PRIOR_ROW_SD
from provetune.study.plan_claims import ClaimPlanner, aimed_at
from provetune.study.plan_pilot import Pilot
from provetune.study.plan_rows import ExpectedRows
from provetune.study.plan_words import say_often, say_open, say_underpowered
from provetune.tasks import TASKS

NORMAL = NormalDist()
# Smallest effects in points at 80 % power with five seeds and a seed SD of 1 point.
SMALLEST = {500: 2.8, 1000: 2.3, 2000: 2.1, 5000: 1.9}
CANDIDATES = {
    "words": Candidate(method="tfidf"),
    "head": Candidate(method="head"),
    "half": Candidate(method="tfidf", data=CandidateData(share=0.5)),
    "full": Candidate(method="full"),
    "lora": Candidate(method="lora"),
}
LABELS = ("a",) * 90 + ("b",) * 10


def planner(test_rows: int = 2000, *, alpha: float = 0.05, group: str | None = None, **study: Any) -> ClaimPlanner:
    """A study of a hundred known rows, a tenth of them labelled b, every second one by mail, ten customers."""
    known = pa.table(
        {
            "row_id": [str(number) for number in range(100)],
            "label": LABELS,
            "raw.channel": ["mail", "chat"] * 50,
            "raw.customer": [f"c{number % 10}" for number in range(100)],
        }
    )
    empty = known.slice(0, 0)
    test = pa.table({name: pa.nulls(test_rows) for name in known.column_names})
    resolved: Any = SimpleNamespace(
        problem=Problem(
            name="letters",
            candidates=CANDIDATES,
            data=Data(columns=Columns(group=group)),
            study=StudySection(**study),
        ),
        splits=SimpleNamespace(train=known, validation=empty, test=test),
        targets=Targets("single_label", ("a", "b"), (90, 10)),
        task=TASKS.get("classification"),
        metric="accuracy",
    )
    expected = ExpectedRows(resolved)
    return ClaimPlanner(resolved, expected, Pilot(resolved, expected, {}, {}), alpha, {"full": 60.0, "lora": 30.0})


def plan(claim: str, test_rows: int = 2000, **options: Any) -> dict[str, Any]:
    return planner(test_rows, **options).plan(parse_claim(claim))


@pytest.mark.parametrize("rows", SMALLEST)
def test_detectable_is_what_the_published_table_says(rows: int) -> None:
    entry = plan("lora > full", rows)
    assert 100 * entry["detectable"] == pytest.approx(SMALLEST[rows], abs=0.15)
    assert (entry["basis"], entry["seed_sd"], entry["rows"], entry["seeds"]) == ("prior", 0.01, rows, 5)


def test_not_worse_is_seldom_supported_even_when_equal() -> None:
    entry = plan("lora >= full - 0.01")
    assert entry["power_if_equal"] == pytest.approx(0.32, abs=0.03)
    assert entry["underpowered"] is True
    assert "prior" in entry["words"]
    assert "1 point" in entry["words"]


def test_a_gain_is_called_weak_only_where_somebody_said_how_large_it_should_be() -> None:
    nobody, somebody = plan("lora > full + 0.02", 500), plan("lora > full + 0.02", 500, smallest_effect=0.01)
    assert (nobody["aim_from"], nobody["underpowered"]) == ("default", None)
    assert (somebody["aim_from"], somebody["underpowered"]) == ("smallest effect", True)
    # What it would take is told of both.
    assert nobody["needs"] == somebody["needs"] is not None
    said = say_open(nobody)
    assert f"supported four times in five from a difference of {0.02 + nobody['detectable']:+.3g} upwards" in said
    assert "A difference of +0.03 is shown" in said
    assert "study.smallest_effect" in say_underpowered(somebody)


def test_what_nothing_could_show_is_weak_whoever_asks() -> None:
    # Above 0.99 there is no room for what two hundred rows tell apart.
    high = plan("words >= 0.99", 200)
    assert (high["aim_from"], high["underpowered"]) == ("default", True)
    assert plan("words >= 0.9", 2000)["underpowered"] is None
    assert plan("head > words", 20, seeds=1)["underpowered"] is True


def test_what_hardly_ever_happens_is_said_in_words() -> None:
    entry = plan("head ~ words ± 0.01", 300)
    assert entry["underpowered"] is True
    assert "supported hardly ever even if both sides are equal" in say_underpowered(entry)
    assert f"± {entry['detectable']:.2g} is the narrowest margin" in entry["words"]
    assert say_often(0.004) == "hardly ever"
    assert say_often(0.006) == "under 1 % of the time"


def test_more_claims_make_each_harder() -> None:
    alone, among = plan("lora > full"), plan("lora > full", alpha=0.05 / 10)
    assert among["detectable"] > alone["detectable"]


def test_candidates_without_chance_leave_the_textbooks_formula() -> None:
    # Each single run keeps its own residual in every row.
    spread = (PRIOR_ROW_SD**2 + 2 * PRIOR_RESIDUAL_SD**2) ** 0.5
    error = spread / 2000**0.5
    entry = plan("head > words", seeds=1)
    reach = stats.t(1999).ppf(0.95)
    assert entry["detectable"] == pytest.approx((reach + NORMAL.inv_cdf(0.8)) * error)
    assert entry["power_if_equal"] == pytest.approx(0.05, abs=1e-4)
    equal = plan("head ~ words ± 0.02", seeds=1)
    assert equal["power_if_equal"] == pytest.approx(2 * NORMAL.cdf(0.02 / error - reach) - 1)
    assert equal["detectable"] == pytest.approx((reach + NORMAL.inv_cdf(0.9)) * error)


def test_a_level_has_the_variance_of_a_share() -> None:
    entry = plan("words >= 0.9", 1000)
    reach = stats.t(999).ppf(0.95)
    assert entry["detectable"] == pytest.approx((reach + NORMAL.inv_cdf(0.8)) * 0.3 / 1000**0.5)
    assert entry["power_if_equal"] is None


def test_a_share_of_the_rows_brings_chance() -> None:
    assert plan("half > words", seeds=2)["detectable"] is None
    assert plan("half > words", seeds=5)["seed_sd"] == 0.01


@pytest.mark.parametrize(
    ("claim", "group", "rows"),
    [
        ("lora > full [accuracy @ channel=mail]", None, 1000),
        ("lora > full [recall:b]", None, 200),
        ("lora > full [recall:b @ channel=mail]", None, 100),
        ("lora > full", "customer", 200),
    ],
)
def test_rows_are_those_that_the_claim_is_about(claim: str, group: str | None, rows: int) -> None:
    entry = plan(claim, 2000, group=group)
    assert entry["rows"] == rows
    # So many independent rows, all of them concerned, make the same plan.
    assert entry["detectable"] == pytest.approx(plan("lora > full", rows)["detectable"])


def test_a_mean_over_unequal_labels_is_as_sure_as_one_over_fewer_rows() -> None:
    # Balanced, F1 of each label rests on half the rows; here 4 / (1/0.9 + 1/0.1) of them count.
    fewer = round(2000 * 4 / (1 / 0.9 + 1 / 0.1))
    entry = plan("lora > full [macro_f1]")
    assert entry["rows"] == 2000
    assert entry["detectable"] == pytest.approx(plan("lora > full", fewer)["detectable"])


@pytest.mark.parametrize("claim", ["lora >= full - 0.02", "lora ~ full ± 0.03", "lora < full - 0.01", "full >= 0.85"])
def test_what_is_needed_is_enough_and_one_less_is_not(claim: str) -> None:
    entry = plan(claim, 600, smallest_effect=0.02)
    needs, aim = entry["needs"], aimed_at(parse_claim(claim), 0.02)
    ways = {
        (needs["seeds"], 600): (needs["seeds"] or 0) - 1,
        (5, needs["rows"]): None,
        tuple(needs["both"]): None,
    }
    assert any(None not in way for way in ways)
    for (seeds, rows), fewer in ways.items():
        if seeds is None or rows is None:
            continue
        assert plan(claim, rows, seeds=seeds, smallest_effect=0.02)["detectable"] <= aim
        if fewer is not None:
            assert plan(claim, rows, seeds=fewer, smallest_effect=0.02)["detectable"] > aim


def test_the_price_is_training_time_and_labels() -> None:
    entry = plan("lora >= full - 0.02", 2000)
    seeds, rows = entry["needs"]["seeds"], entry["needs"]["rows"]
    assert entry["price"]["seeds"] == {"seconds": 90.0 * (seeds - 5)}
    assert rows is None or entry["price"]["rows"] == {"rows": rows - 2000}
    both = entry["needs"]["both"]
    assert entry["price"]["both"] == {"seconds": 90.0 * (both[0] - 5), "rows": max(0, both[1] - 2000)}


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_decide_nothing(seeds: int) -> None:
    entry = plan("lora >= full - 0.05", 5000, seeds=seeds)
    assert (entry["detectable"], entry["power_if_equal"], entry["underpowered"]) == (None, 0.0, True)
    assert entry["needs"] == {"seeds": 3, "rows": None, "both": None}
    assert "at least 3 seeds" in entry["words"]


def test_a_tiny_test_is_no_false_certainty() -> None:
    entry = plan("head > words", 20, seeds=1, smallest_effect=0.2)
    # Hoeffding's bound alone, for differences between -1 and 1, is farther away than anything that can be.
    assert entry["detectable"] > 2 * (NORMAL.inv_cdf(0.95) / 2 / 20) ** 0.5
    assert entry["power_at_smallest_effect"] < 0.01
    # Thirty rows are the fewest that are judged by their own scatter, which would have found a fifth with twenty.
    assert entry["needs"] == {"seeds": None, "rows": 30, "both": None}
    assert plan("head > words", 30, seeds=1, smallest_effect=0.2)["needs"] is None
    assert plan("head > words", 20, seeds=1)["needs"]["rows"] > 1000
    assert "Only 20 rows to test on" in entry["words"]


def test_figures_of_the_machine_and_unknown_metrics() -> None:
    system = plan("words < full [latency_p95_ms]")
    assert (system["basis"], system["detectable"], system["rows"]) == (None, None, None)
    assert "20 blocks" in system["words"]
    calibration = plan("lora <= full + 0.01 [ece]")
    assert (calibration["basis"], calibration["underpowered"]) == (None, None)
    assert "Nothing can be assumed" in calibration["words"]


def test_an_empty_slice_is_said() -> None:
    entry = plan("lora > full [accuracy @ channel=fax]")
    assert (entry["rows"], entry["detectable"]) == (0, None)
    assert "No training or validation row" in entry["words"]


def test_where_a_claim_aims() -> None:
    assert aimed_at(parse_claim("a >= b - 0.02"), 0.01) == pytest.approx(0.02)
    assert aimed_at(parse_claim("a <= b + 0.02"), 0.01) == pytest.approx(0.02)
    assert aimed_at(parse_claim("a > b + 0.02"), 0.01) == pytest.approx(0.01)
    assert aimed_at(parse_claim("a > b"), 0.01, seen=0.05) == pytest.approx(0.05)
    # It would be refuted there.
    assert aimed_at(parse_claim("a < b"), 0.01, seen=0.05) == pytest.approx(0.05)
    assert aimed_at(parse_claim("a >= 0.9"), 0.01, seen=0.94) == pytest.approx(0.04)
    assert aimed_at(parse_claim("a ~ b ± 0.03"), 0.01, seen=0.05) == pytest.approx(0.03)

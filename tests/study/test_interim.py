"""Looks before the last seed: when, at which level, and that a first decision stands."""

from __future__ import annotations

from typing import Any

import pytest

from provetune.problem.syntax import StudySection
from provetune.study.interim import Decisions, Stage, plan_stages


def entry(verdict: str, **more: Any) -> dict[str, Any]:
    return {"claim": "a > b", "verdict": verdict, "needs": {"seeds": 8}, "notes": [], **more}


def test_one_look_unless_asked_for_more() -> None:
    assert plan_stages(StudySection(seeds=10), 2) == [Stage(10)]
    assert plan_stages(StudySection(seeds=10, stop_early=True), 0) == [Stage(10)]
    assert Stage(10).alpha(0.05, StudySection(seeds=10)) == 0.05


def test_looks_at_three_five_and_ten_share_the_level() -> None:
    study = StudySection(seeds=10, stop_early=True)
    stages = plan_stages(study, 1)
    assert stages == [Stage(3, 0, False), Stage(5, 3, False), Stage(10, 5, True)]
    assert [stage.alpha(0.05, study) for stage in stages] == pytest.approx([0.01, 0.015, 0.025])
    # At the second look at the same test rows there is half to share.
    assert [stage.alpha(0.025, study) for stage in stages] == pytest.approx([0.005, 0.0075, 0.0125])


def test_few_seeds_have_few_looks() -> None:
    five = StudySection(seeds=5, stop_early=True)
    assert [stage.seeds for stage in plan_stages(five, 1)] == [3, 5]
    assert sum(stage.alpha(0.05, five) for stage in plan_stages(five, 1)) == pytest.approx(0.05)
    assert plan_stages(StudySection(seeds=3, stop_early=True), 1) == [Stage(3, 0, True)]


def test_a_first_decision_stands() -> None:
    decisions = Decisions(3)
    assert decisions.open() == [0, 1, 2]
    first = decisions.take([entry("supported", look=1), entry("inconclusive"), entry("inconclusive", needs=None)])
    assert [one["number"] for one in first] == [0, 1, 2]
    # What more seeds cannot help with is not open.
    assert decisions.open() == [1]
    second = decisions.take([entry("refuted"), entry("refuted"), entry("inconclusive", needs=None)])
    assert [(one["number"], one["verdict"]) for one in second] == [(1, "refuted"), (2, "inconclusive")]
    assert [one["verdict"] for one in decisions.final()] == ["supported", "refuted", "inconclusive"]
    assert decisions.open() == []


def test_a_claim_out_of_reach_stays_open_in_words_alone() -> None:
    decisions = Decisions(1)
    decisions.take([entry("inconclusive")])
    decisions.give_up(0)
    assert decisions.open() == []
    assert decisions.final()[0]["verdict"] == "inconclusive"
    assert "out of reach" in decisions.final()[0]["notes"][0]

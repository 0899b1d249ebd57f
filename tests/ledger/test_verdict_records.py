"""Verdicts are kept once a look, acceptance while it stays the same, and a problem's history tells all in order."""

from __future__ import annotations

import math
from typing import Any

import pytest
from frozen_study import entry

from provetune.core.errors import UsageError
from provetune.ledger.records import Ledger

ROWS = "b" * 64
ANSWER: dict[str, Any] = {
    "claim": "full > words",
    "verdict": "supported",
    "effect": 0.031,
    "bound": 0.0125,
    "interval": [0.01, 0.052],
    "p": 0.002,
    "p_holm": 0.004,
    "alpha": 0.05,
    "look": 1,
    "left": {"seeds": [0.9, 0.92, 0.91]},
    "right": {"seeds": [0.88]},
    "notes": [],
}


def test_a_verdict_comes_back_with_everything_that_was_said(ledger: Ledger) -> None:
    key = ledger.register_study(entry()).key
    level = {**ANSWER, "claim": "lora >= 0.9", "verdict": "inconclusive", "right": None}
    kept = ledger.record_verdicts(key, [ANSWER, level])
    assert kept == ledger.verdicts(key)
    first, second = kept
    assert (first["number"], first["claim"], first["verdict"], first["look"], first["seeds"]) == (
        0,
        "full > words",
        "supported",
        1,
        3,
    )
    assert (first["low"], first["high"], first["effect"], first["p"], first["p_holm"], first["alpha"]) == (
        0.01,
        0.052,
        0.031,
        0.002,
        0.004,
        0.05,
    )
    assert first["details"] == ANSWER
    assert (second["number"], second["verdict"], second["seeds"]) == (1, "inconclusive", 3)


def test_judging_the_same_look_again_stores_nothing(ledger: Ledger) -> None:
    key = ledger.register_study(entry()).key
    first = ledger.record_verdicts(key, [ANSWER])
    assert ledger.record_verdicts(key, [{**ANSWER, "effect": 0.5}]) == first
    assert ledger.verdicts(key) == first


def test_more_seeds_another_look_and_another_attempt_are_other_verdicts(ledger: Ledger) -> None:
    key = ledger.register_study(entry()).key
    fresh = ledger.register_study(entry(), fresh=True).key
    ledger.record_verdicts(key, [{**ANSWER, "verdict": "inconclusive"}])
    ledger.record_verdicts(key, [{**ANSWER, "left": {"seeds": [0.9] * 5}}])
    ledger.record_verdicts(key, [{**ANSWER, "look": 2}])
    ledger.record_verdicts(fresh, [ANSWER])
    assert [(each["verdict"], each["look"], each["seeds"]) for each in ledger.verdicts(key)] == [
        ("inconclusive", 1, 3),
        ("supported", 1, 5),
        ("supported", 2, 3),
    ]
    assert len(ledger.verdicts(fresh)) == 1


def test_numbers_that_are_none_are_kept_as_null(ledger: Ledger) -> None:
    key = ledger.register_study(entry()).key
    odd = {**ANSWER, "interval": [-math.inf, math.nan], "p": None, "needs": {"rows": math.inf}}
    (kept,) = ledger.record_verdicts(key, [odd])
    assert (kept["low"], kept["high"], kept["p"]) == (None, None, None)
    assert kept["details"]["interval"] == [None, None]
    assert kept["details"]["needs"] == {"rows": None}


@pytest.mark.parametrize("wrong", [{"verdict": "proven"}, {"verdict": None}, {"look": 0}, {"look": None}])
def test_a_wrong_verdict_is_refused_whole(ledger: Ledger, wrong: dict[str, Any]) -> None:
    key = ledger.register_study(entry()).key
    with pytest.raises(UsageError, match="must be"):
        ledger.record_verdicts(key, [ANSWER, {**ANSWER, **wrong}])
    assert ledger.verdicts(key) == []


def test_acceptance_that_stays_the_same_is_stored_once(ledger: Ledger) -> None:
    key = ledger.register_study(entry()).key
    level = {"metric": "accuracy", "required": ">= 0.9", "value": 0.91, "bound": 0.89, "met": None}
    other = {**level, "metric": "ece", "required": "<= 0.1", "value": 0.05, "met": True}
    ledger.record_acceptance(key, "trials/full-0/bundle", [level, other])
    ledger.record_acceptance(key, "trials/full-0/bundle", [level, other])
    ledger.record_acceptance(key, "trials/full-0/bundle", [{**level, "met": True}, other])
    ledger.record_acceptance(key, "trials/full-1/bundle", [level])
    told = [(each["bundle"], each["metric"], each["met"]) for each in ledger.acceptance(key)]
    assert told == [
        ("trials/full-0/bundle", "accuracy", None),
        ("trials/full-0/bundle", "ece", True),
        ("trials/full-0/bundle", "accuracy", True),
        ("trials/full-1/bundle", "accuracy", None),
    ]


def test_judging_again_keeps_the_number_that_was_paid(ledger: Ledger) -> None:
    ledger.record_look(ROWS, "first", judged="one")
    ledger.record_look(ROWS, "second", judged="two")
    again = ledger.record_look(ROWS, "first, taken up again", judged="one")
    assert (again.charged, again.number) == (False, 1)
    assert ledger.record_look(ROWS, "columns").number == 2
    assert ledger.record_look(ROWS, "third", judged="three").number == 3


def test_claims_before_are_those_registered_before_the_first_charged_look(ledger: Ledger) -> None:
    assert ledger.claims_before(ROWS) == set()
    key = ledger.register_study(entry(claims=("full > words",))).key
    ledger.record_look(ROWS, "check")
    ledger.register_study(entry(study_id="second", claims=("lora >= 0.9",)))
    assert ledger.claims_before(ROWS) == {"full > words", "lora >= 0.9"}
    ledger.record_look(ROWS, "judge", study_key=key, judged="one")
    ledger.register_study(entry(study_id="third", claims=("full > words", "full > words + 0.01")))
    ledger.register_study(entry(study_id="elsewhere", test_hash="e" * 64, claims=("a > b",)))
    assert ledger.claims_before(ROWS) == {"full > words", "lora >= 0.9"}
    assert ledger.claims_before("e" * 64) == {"a > b"}


def test_a_problems_history_spans_its_studies_and_whoever_looked_at_its_rows(ledger: Ledger) -> None:
    first = ledger.register_study(entry(problem={"accept": {"accuracy": ">= 0.9"}}))
    ledger.record_look(ROWS, "outcomes of full-0", study_key=first.key, judged="one")
    ledger.record_verdicts(first.key, [ANSWER])
    level = {"metric": "accuracy", "required": ">= 0.9", "value": 0.91, "bound": 0.89, "met": None}
    ledger.record_acceptance(first.key, "trials/full-0/bundle", [level])
    other = ledger.register_study(entry(study_id="other-1", name="other"))
    ledger.record_look(ROWS, "outcomes of theirs", study_key=other.key, judged="two")
    ledger.record_look("f" * 64, "outcomes elsewhere", study_key=other.key, judged="two")
    ledger.register_study(entry(study_id="intents-2", claims=("full > words + 0.01",)))
    told = ledger.problem_history("intents")
    assert [(item["what"], item["study"]) for item in told] == [
        ("hypotheses", "intents-0a1b2c3d"),
        ("look", "intents-0a1b2c3d"),
        ("verdict", "intents-0a1b2c3d"),
        ("acceptance", "intents-0a1b2c3d"),
        ("look", "other-1"),
        ("hypotheses", "intents-2"),
    ]
    frozen = told[0]
    assert frozen["claims"] == ["full > words", "lora >= full - 0.01"]
    assert frozen["seeds"] == {"full": [7, 8], "words": [2**62 + 1]}
    assert frozen["accept"] == {"accuracy": ">= 0.9"}
    assert frozen["splits"]["test"] == {"rows": 20, "hash": ROWS}
    assert (frozen["looks_before"], told[-1]["looks_before"]) == (0, 2)
    assert told[4]["problem"] == "other"
    everything = ledger.problem_history()
    assert len(everything) == 8
    assert [item["at"] for item in everything] == sorted(item["at"] for item in everything)
    assert ledger.problem_history("unheard of") == []

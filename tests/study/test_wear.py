"""How worn test rows are, and the history of a problem with what each look cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from provetune.core.errors import UsageError
from provetune.ledger.entries import Look, PlannedRun, SplitEntry, StudyEntry
from provetune.ledger.records import Ledger
from provetune.study.history import claim_key, history_document, known_claims
from provetune.study.wear import measure_wear, say_wear

ROWS = "b" * 64


def looks(charged: int, free: int = 0) -> list[Look]:
    made = [Look(ROWS, "judge", f"{n}", True, n, "2025-01-01") for n in range(1, charged + 1)]
    return made + [Look(ROWS, "columns", None, False, charged, "2025-01-01")] * free


def entry(study_id: str, claims: tuple[str, ...], **changes: Any) -> StudyEntry:
    base: dict[str, Any] = {
        "study_id": study_id,
        "workspace": "w",
        "name": "intents",
        "task": "classification",
        "metric": "accuracy",
        "confidence": 0.95,
        "problem": {"accept": {"accuracy": ">= 0.9"}},
        "splits": {"train": SplitEntry(80, "a" * 64), "test": SplitEntry(400, ROWS)},
        "claims": claims,
        "runs": (PlannedRun("full", 0, 7),),
        "data_hash": "d" * 64,
        "test_hash": ROWS,
        "code_hash": "c" * 64,
        "code_version": "0.1.0",
        "packages": {},
        "machine": {},
    }
    return StudyEntry(**{**base, **changes})


def test_each_look_halves_what_is_left() -> None:
    wear = measure_wear(looks(3, free=4), rows=400, alpha=0.04)
    assert (wear.looks, wear.worn_out) == (3, False)
    assert wear.spent == pytest.approx(0.04 + 0.02 + 0.01)
    assert wear.next_alpha == pytest.approx(0.005)
    assert "judged 3 times; the next claims get α 0.005" in wear.words


def test_rows_that_nobody_looked_at_are_whole() -> None:
    wear = measure_wear(looks(0, free=2), rows=400, alpha=0.05)
    assert (wear.looks, wear.spent, wear.next_alpha, wear.equal_rows) == (0, 0.0, 0.05, 400)
    assert "sealed" in wear.words


def test_after_five_looks_fresh_rows_are_asked_for() -> None:
    assert not measure_wear(looks(4), rows=400, alpha=0.05).worn_out
    wear = measure_wear(looks(6), rows=400, alpha=0.05)
    assert wear.worn_out
    assert wear.restoring_rows == 400
    # The difference found four times in five: (z + z.8) σ/√n, for all rows at the seventh look and for fresh ones.
    at_seventh = (stats.norm.isf(0.05 / 64) + stats.norm.ppf(0.8)) / 400**0.5
    fresh = (stats.norm.isf(0.05) + stats.norm.ppf(0.8)) / wear.equal_rows**0.5
    assert fresh <= at_seventh < (stats.norm.isf(0.05) + stats.norm.ppf(0.8)) / (wear.equal_rows - 1) ** 0.5
    assert f"400 fresh labelled rows restore the test, and {wear.equal_rows} alone" in wear.words


def test_wear_is_told_once_rows_are_worn_out() -> None:
    assert say_wear(4, 400, 0.05) is None
    assert say_wear(5, 400, 0.05) == measure_wear(looks(5), rows=400, alpha=0.05).words


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="alpha"):
        measure_wear(looks(1), rows=400, alpha=0.0)


def test_claims_are_known_by_what_they_test(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.register_study(entry("one", ("full>=words+0.02", "words < full [accuracy]", "an older grammar")))
        known = known_claims(ledger, ROWS, "accuracy")
    assert known == {
        claim_key(text, "accuracy") for text in ("full > words + 0.02", "full > words", "an older grammar")
    }
    assert claim_key("full > words + 0.03", "accuracy") not in known


def test_history_says_what_each_look_cost_and_which_claims_came_late(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        first = ledger.register_study(entry("one", ("full > words",))).key
        ledger.record_look(ROWS, "outcomes of full-0", study_key=first, judged="one")
        ledger.record_look(ROWS, "outcomes of words-0", study_key=first, judged="one")
        second = ledger.register_study(entry("two", ("full >= words", "full > words + 0.01"), confidence=0.9)).key
        ledger.record_look(ROWS, "outcomes of full-0", study_key=second, judged="two")
        ledger.record_look(ROWS, "by hand", judged="three")
        document = history_document(ledger, "intents")
    frozen = [item for item in document["history"] if item["what"] == "hypotheses"]
    assert [item["added_after_look"] for item in frozen] == [[], ["full > words + 0.01"]]
    told = [item for item in document["history"] if item["what"] == "look"]
    assert [item["alpha"] for item in told] == pytest.approx([0.05, 0.0, 0.05, 0.0125])
    assert [item["alpha_spent"] for item in told] == pytest.approx([0.05, 0.05, 0.1, 0.1125])
    (test,) = document["tests"]
    assert (test["test_hash"], test["rows"], test["looks"], test["free"]) == (ROWS, 400, 3, 1)

"""What the ledger keeps: frozen studies, forward-moving trials, counted looks."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from frozen_study import entry

from provetune.core.errors import CorruptError, EnvironmentFault, UsageError
from provetune.ledger.entries import PlannedRun
from provetune.ledger.records import Ledger


def test_a_registered_study_comes_back_whole_and_runs_are_ordered(ledger: Ledger) -> None:
    record = ledger.register_study(entry())
    expected = entry(runs=(PlannedRun("full", 0, 7), PlannedRun("full", 1, 8), PlannedRun("words", 0, 2**62 + 1)))
    assert record.entry == expected
    assert record.attempt == 1
    assert ledger.find_study("intents-0a1b2c3d") == record
    assert ledger.find_study("intents-0a1b2c3d", "elsewhere") is None


def test_registering_again_returns_what_was_frozen_first(ledger: Ledger) -> None:
    first = ledger.register_study(entry())
    again = ledger.register_study(entry(machine={"threads_per_trial": 2}))
    assert again == first
    assert again.entry.machine["threads_per_trial"] == 1


def test_fresh_and_another_workspace_begin_their_own_record(ledger: Ledger) -> None:
    ledger.register_study(entry())
    fresh = ledger.register_study(entry(), fresh=True)
    other = ledger.register_study(entry(workspace="w2"))
    assert (fresh.attempt, other.attempt) == (2, 1)
    assert ledger.find_study("intents-0a1b2c3d", "w1") == fresh
    assert [record.attempt for record in ledger.studies()] == [1, 2, 1]


def test_trials_move_from_planned_to_finished_or_failed(ledger: Ledger) -> None:
    key = ledger.register_study(entry()).key
    assert {trial.status for trial in ledger.trials(key)} == {"planned"}
    ledger.start_trial(key, "full", 0, folder="trials/full-0")
    resumed = ledger.start_trial(key, "full", 0, folder="trials/full-0")
    assert (resumed.status, resumed.starts, resumed.seed) == ("running", 2, 7)
    done = ledger.finish_trial(key, "full", 0, scores={"accuracy": 0.5, "ece": float("nan")}, seconds=1.5)
    assert (done.status, done.scores, done.seconds) == ("finished", {"accuracy": 0.5, "ece": None}, 1.5)
    failed = ledger.fail_trial(key, "full", 1, error="diverged")
    assert (failed.status, failed.error) == ("failed", "diverged")
    with pytest.raises(UsageError, match="did not plan run 9 of 'full'"):
        ledger.start_trial(key, "full", 9)


def test_a_look_is_charged_once_for_each_thing_judged(ledger: Ledger) -> None:
    rows = "b" * 64
    looks = [
        ledger.record_look(rows, "check"),
        ledger.record_look(rows, "judge", judged="one"),
        ledger.record_look(rows, "judge", judged="one"),
        ledger.record_look(rows, "judge", judged="two"),
        ledger.record_look("e" * 64, "judge", judged="one"),
    ]
    assert [(look.charged, look.number) for look in looks] == [
        (False, 0),
        (True, 1),
        (False, 1),
        (True, 2),
        (True, 1),
    ]
    assert ledger.looks(rows) == looks[:4]


def test_history_tells_everything_in_order(ledger: Ledger) -> None:
    key = ledger.register_study(entry()).key
    ledger.start_trial(key, "full", 0)
    ledger.finish_trial(key, "full", 0, scores={}, seconds=1)
    ledger.record_look("b" * 64, "judge", study_key=key, judged="one")
    judgement = {"metric": "accuracy", "required": ">= 0.9", "value": 0.91, "bound": 0.89, "met": None}
    ledger.record_acceptance(key, "trials/full-0/bundle", [judgement])
    ledger.change_machine(key, {"threads_per_trial": 2}, "moved to another machine")
    told = ledger.history(key)
    assert [item["what"] for item in told] == ["registered", "started", "finished", "look", "acceptance", "note"]
    assert told[-1]["details"]["before"]["threads_per_trial"] == 1
    assert [{name: kept[name] for name in judgement} for kept in ledger.acceptance(key)] == [judgement]


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    key = ledger.register_study(entry()).key
    with pytest.raises(EnvironmentFault):
        ledger.note("odd", "no such study", study_key=key + 99)
    assert [item["what"] for item in ledger.history(key)] == ["registered"]


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_text("this is not a database, it is a letter " * 50)
    with pytest.raises(CorruptError, match=r"ledger\.sqlite: The ledger is damaged"):
        Ledger(path)


def test_a_wrong_url_is_explained() -> None:
    with pytest.raises(UsageError, match="is not a database URL"):
        Ledger("nonsense://nowhere")


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(EnvironmentFault, match="newer version"):
        Ledger(path)

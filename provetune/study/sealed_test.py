"""The sealed test: the one place that reads test rows, and writes to the ledger each time it does.

Bundles predict the rows in workers; what they said is kept per trial as ``test.parquet``, and everything that
is judged afterwards is judged from there. Showing stored results again is no new look.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import CorruptError
from provetune.core.files import write_json
from provetune.ledger.records import Ledger
from provetune.study.splits_store import TEST_FILE, load_split, map_table, split_summary
from provetune.study.trial import BUNDLE, TEST, fix_arithmetic
from provetune.study.trial_rows import as_seen, in_round
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.inference.predictor import Predictor
    from provetune.study.worker import Work

LATENCY = "latency.json"
PIECES = "test.pieces"
PIECE_ROWS = 1024
"""Rows of one piece. Where a cut falls decides which texts share a batch, so it hangs on no machine."""


@dataclass(frozen=True)
class Seal:
    """What a look at the test rows is written down with.

    Attributes:
        ledger_url: the ledger that counts looks.
        study_key: the study's number in it, if it is registered.
        judged: hash of what is judged, see `judged_hash`. Looks of one hash are charged once, together.
    """

    ledger_url: str
    study_key: int | None
    judged: str

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def read_test_rows(study_folder: Path, ledger: Ledger, purpose: str, seal: Seal) -> pa.Table:
    """The test rows of a study. The look is in the ledger before the first row is read.

    Nothing else in the package opens this file. `provetune check` and the splitting itself see test texts and
    labels in the files that the rows came from, never predictions; that is no look.

    Args:
        purpose: what the rows are read for; shown with the count of looks.
    """
    folder = Path(study_folder)
    test_hash = split_summary(folder)["test"]["hash"]
    ledger.record_look(test_hash, purpose, study_key=seal.study_key, judged=seal.judged)
    return map_table(folder / TEST_FILE)


def judged_hash(facts: Mapping[str, Any]) -> str:
    """Hash of what is judged: claims, acceptance, candidates, seeds, rows. Equal facts are one look."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=True, default=str).encode()).hexdigest()


def judge_job(spec: Mapping[str, Any]) -> Work:
    """A worker's job: a trial's bundle predicts the test rows; outcomes go to its ``test.parquet``.

    Args:
        spec: ``trial`` (a `TrialSpec`), ``seal`` (a `Seal`) and ``threads``; with ``start`` only the piece of
            `PIECE_ROWS` rows from there on, for `join_pieces`.
    """
    from provetune.evaluation.outcomes import write_outcomes

    trial = TrialSpec.from_json({**spec["trial"], "threads": spec["threads"]})
    start = spec.get("start")
    target = trial.place / TEST if start is None else _piece_file(trial.place, start)
    if target.exists():
        return {}
    fix_arithmetic(trial)
    yield {"event": "judging"}
    predictor = (_open_checked if start is None else _open_once)(trial.place / BUNDLE, trial.device)
    seal = Seal(**spec["seal"])
    with Ledger(seal.ledger_url) as ledger:
        rows = read_test_rows(Path(trial.study_folder), ledger, f"outcomes of {trial.id}", seal)
    # Of a round of cross-validation, the rows held out from it.
    rows = as_seen(trial, in_round(trial, rows, "test") if start is None else rows.slice(start, PIECE_ROWS))
    outcomes = predictor.task.outcomes(rows, predictor.answers(rows), predictor.targets)
    write_outcomes(target, outcomes)
    return {"rows": rows.num_rows}


def join_pieces(place: Path, count: int) -> None:
    """Put the pieces of a trial's test outcomes together, in the order of the rows.

    Args:
        place: the trial's folder.
        count: test rows there are.

    Raises:
        CorruptError: pieces are missing.
    """
    import pyarrow as pa

    from provetune.evaluation.outcomes import read_outcomes, write_outcomes

    pieces = [_piece_file(place, start) for start in range(0, count, PIECE_ROWS)]
    if missing := next((path for path in pieces if not path.exists()), None):
        raise CorruptError("A piece of the test outcomes is missing.", where=str(missing), hint="Run it again.")
    write_outcomes(place / TEST, pa.concat_tables([read_outcomes(path) for path in pieces]))
    shutil.rmtree(place / PIECES, ignore_errors=True)


def latency_job(spec: Mapping[str, Any]) -> Work:
    """A worker's job: how long a bundle takes for one text, measured on validation texts alone on the machine."""
    from provetune.inference.latency import measure_latency
    from provetune.inference.predictor import load
    from provetune.study.paired_latency import input_texts

    trial = TrialSpec.from_json({**spec["trial"], "threads": spec["threads"]})
    fix_arithmetic(trial)
    yield {"event": "measuring"}
    predictor = load(trial.place / BUNDLE, device=trial.device)
    validation = load_split(Path(trial.study_folder), "validation")
    texts = input_texts(validation, paired=predictor.columns.paired)
    measured = measure_latency(lambda text: predictor.predict([text]), texts, engine=predictor.engine)
    write_json(trial.place / LATENCY, measured)
    return measured


def _piece_file(place: Path, start: int) -> Path:
    return place / PIECES / f"{start}.parquet"


def _open_checked(bundle: Path, device: str) -> Predictor:
    """A bundle that no longer says what it said when it was written must not reach the sealed rows."""
    from provetune.inference.predictor import load

    return load(bundle, device=device, verify="golden")


@lru_cache(maxsize=1)
def _open_once(bundle: Path, device: str) -> Predictor:
    """For the pieces of one bundle, which come one after another."""
    return _open_checked(bundle, device)

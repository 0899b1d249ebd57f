"""Claims of whole studies: judged once at the opening, charged by looks, the same after a kill at any point."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from provetune.core.files import read_json
from provetune.core.protocols import Targets, TrialRecord
from provetune.ledger.records import Ledger
from provetune.models.bundle import open_bundle
from provetune.problem.claims import parse_claim
from provetune.problem.reading import read_problem
from provetune.statistics.rows import JudgedRows
from provetune.study.failed_runs import FailedCheck
from provetune.study.interim import Stage
from provetune.study.resolved import read_resolved
from provetune.study.run import Study, run
from provetune.study.splits_store import split_summary
from provetune.study.study_claims import StudyClaims
from provetune.study.verdict import CandidateRows, judge_claims
from provetune.study.workspace import open_workspace
from provetune.tasks import TASKS

pytestmark = pytest.mark.slow
WORDS = {
    "billing": ("invoice", "charged", "refund", "payment"),
    "delivery": ("parcel", "late", "courier", "box"),
    "login": ("password", "locked", "code", "account"),
}
FILLER = ("my", "please", "again", "today", "the", "is", "about", "yesterday", "why", "not", "now")
CANDIDATES: dict[str, Any] = {
    "words": {"method": "tfidf"},
    "half": {"method": "tfidf", "data": {"share": 0.5}},
    "tiny": {"method": "tfidf", "data": {"share": 0.02}},
}
CLAIMS = ["words > tiny + 0.02", "half >= words - 0.05", "tiny > words", "words >= 0.6 [recall:login @ channel=mail]"]


def write_rows(path: Path, count: int = 600) -> None:
    draw = random.Random(3)
    lines = ["message,intent,channel,customer"]
    for number in range(count):
        label = list(WORDS)[number % 3]
        told = label if draw.random() < 0.8 else draw.choice(list(WORDS))
        said = [*draw.choices(FILLER, k=3), draw.choice(WORDS[told]), *draw.choices(FILLER, k=2), str(number)]
        lines.append(f"{' '.join(said)},{label},{'mail' if number % 2 else 'chat'},c{number // 3}")
    path.write_text("\n".join(lines) + "\n")


def write_study(folder: Path, **sections: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "rows.csv").exists():
        write_rows(folder / "rows.csv")
    problem = {
        "name": "support",
        "language": "en",
        "data": {"train": "rows.csv", "columns": {"text": "message", "label": "intent"}},
        "candidates": CANDIDATES,
        "claims": CLAIMS,
        "study": {"seeds": 3, "parallel": 1},
        **sections,
    }
    path = folder / "problem.yaml"
    path.write_text(yaml.safe_dump(problem, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Study]:
    problem = write_study(tmp_path_factory.mktemp("claims"))
    return problem, run(problem)


def figures(claims: list[dict[str, Any]]) -> list[Any]:
    return [(one["claim"], one["verdict"], one["effect"], one["interval"], one["p_holm"]) for one in claims]


def test_every_claim_has_its_verdict_and_evidence(finished: tuple[Path, Study]) -> None:
    _, study = finished
    assert [(one["claim"], one["verdict"]) for one in study.claims] == [
        (CLAIMS[0], "supported"),
        (CLAIMS[1], "supported"),
        (CLAIMS[2], "refuted"),
        (CLAIMS[3], study.claims[3]["verdict"]),
    ]
    first = study.claims[0]
    scores = study.candidates
    assert first["left"]["seeds"] == scores["words"]["metrics"]["accuracy"]["seeds"][:1]
    assert first["right"]["seeds"] == pytest.approx(scores["tiny"]["metrics"]["accuracy"]["seeds"])
    assert first["estimand"] == "procedure"
    assert not first["added_after_look"]
    assert any("draws its own 2% of the training rows" in note for note in first["notes"])
    assert study.document["alpha"] == {"confidence": 0.95, "look": 1, "alpha": 0.05, "spent": 0.05}


def test_verdicts_come_from_the_stored_outcomes(finished: tuple[Path, Study]) -> None:
    from provetune.evaluation.outcomes import read_outcomes

    _, study = finished
    names = ("billing", "delivery", "login")
    candidates = {}
    for name, count in (("words", 1), ("tiny", 3), ("half", 3)):
        tables = [read_outcomes(study.folder / f"trials/{name}-{k}/test.parquet") for k in range(count)]
        numbers = [
            [[names.index(value) for value in table[column].to_pylist()] for column in ("label", "prediction")]
            for table in tables
        ]
        runs = tuple(JudgedRows(np.array(gold), np.array(said), None, names) for gold, said in numbers)
        candidates[name] = CandidateRows(runs, deterministic=name == "words")
    kinds = {"accuracy": "sums"}
    again = judge_claims(
        [parse_claim(claim) for claim in CLAIMS[:3]], candidates, metric="accuracy", kinds=kinds, alpha=0.05
    )
    for one, other in zip(study.claims[:3], again, strict=True):
        assert (one["effect"], one["p"]) == (pytest.approx(other["effect"]), pytest.approx(other["p"]))
        assert one["interval"] == pytest.approx(other["interval"])


def test_bundle_and_ledger_keep_the_verdict(finished: tuple[Path, Study]) -> None:
    problem, study = finished
    bundle = open_bundle(study.best)
    assert bundle.record["verdict"] == study.claims
    assert study.claims[0]["words"].split(" (")[0] in (Path(study.best) / "README.md").read_text()
    place = open_workspace(problem, create=False)
    with Ledger(place.ledger_url) as ledger:
        record = ledger.find_study(study.id, place.identity)
        assert record is not None
        stored = ledger.verdicts(record.key)
        # A third of the validation rows have the most frequent label.
        assert record.entry.problem["failed_check"]["level"] == pytest.approx(1 / 3, abs=0.02)
        assert study.document["failed_check"] == record.entry.problem["failed_check"]
    assert [(row["claim"], row["verdict"], row["look"]) for row in stored] == [
        (one["claim"], one["verdict"], 1) for one in study.claims
    ]


def test_kill_at_any_point_of_the_judging_changes_nothing(tmp_path: Path, finished: tuple[Path, Study]) -> None:
    problem = write_study(tmp_path)
    moments = [("judge", "running", 1), ("judge", "done", 2), ("judge", "done", 5)]
    for job, state, count in moments:
        seen = 0

        def stop(event: dict[str, Any], job: str = job, state: str = state, count: int = count) -> None:
            nonlocal seen
            seen += event["event"] == "job" and event["job"] == job and event["state"] == state
            if seen == count:
                raise RuntimeError("stopped by the test")

        with pytest.raises(RuntimeError, match="stopped by the test"):
            run(problem, listener=stop)
    study = run(problem)
    assert figures(study.claims) == figures(finished[1].claims)
    with Ledger(open_workspace(problem, create=False).ledger_url) as ledger:
        looks = ledger.looks(split_summary(study.folder)["test"]["hash"])
    assert sum(look.charged for look in looks) == 1


def test_a_second_look_has_half_the_level_and_marks_what_was_added(tmp_path: Path) -> None:
    first = run(write_study(tmp_path, claims=CLAIMS[:1]))
    second = run(write_study(tmp_path, claims=[*CLAIMS[:1], "half > tiny"]))
    again = run(write_study(tmp_path, claims=CLAIMS[:1]))
    assert [one["alpha"] for one in (*first.claims, *second.claims)] == [0.05, 0.025, 0.025]
    assert [one["added_after_look"] for one in (*first.claims, *second.claims)] == [False, False, True]
    assert second.document["alpha"] == {"confidence": 0.95, "look": 2, "alpha": 0.025, "spent": pytest.approx(0.075)}
    assert again.document == first.document


def test_worn_out_rows_are_said_before_training_and_in_the_document(tmp_path: Path) -> None:
    words = {"words": CANDIDATES["words"]}
    problem = write_study(tmp_path, candidates=words, claims=[], study={"seeds": 1, "parallel": 1})
    first = run(problem)
    rows = split_summary(first.folder)["test"]
    with Ledger(open_workspace(problem, create=False).ledger_url) as ledger:
        for number in range(4):
            ledger.record_look(rows["hash"], "another study", judged=f"{number}" * 64)
    notes: list[str] = []

    def hear(event: dict[str, Any]) -> None:
        if event["event"] == "note":
            notes.append(event["message"])

    later = run(
        write_study(tmp_path, candidates=words, claims=["words > 0.1"], study={"seeds": 1, "parallel": 1}),
        listener=hear,
    )
    told = [note for note in notes if "worn out" in note]
    assert len(told) == 1
    assert f"{rows['rows']} test rows were judged 5 times; the next claims get α 0.0016" in told[0]
    assert f"{rows['rows']} fresh labelled rows restore the test" in told[0]
    assert later.claims[0]["alpha"] == pytest.approx(0.05 / 32)
    assert any("judged 6 times" in note for note in later.document["notes"])


def test_groups_widen_the_interval(tmp_path: Path, finished: tuple[Path, Study]) -> None:
    columns = {"text": "message", "label": "intent", "group": "channel"}
    data = {"train": "rows.csv", "columns": columns, "split": {"seed": 13}}
    problem = write_study(tmp_path, data=data, claims=["words > 0.1"], candidates={"words": {"method": "tfidf"}})
    content = (tmp_path / "rows.csv").read_text().splitlines()
    lines = [content[0], *(f"{line.rsplit(',', 2)[0]},g{number // 12},c" for number, line in enumerate(content[1:]))]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    study = run(problem)
    assert study.claims[0]["verdict"] in ("supported", "inconclusive")
    # Ten groups or so are few: that is said, and a bound for few units is used.
    assert any("groups of rows" in note for note in study.claims[0]["notes"])


# -- stopping early -------------------------------------------------------------------------------------------


def trained(study: Study) -> dict[str, int]:
    return {name: len(entry["metrics"]["accuracy"]["seeds"]) for name, entry in study.candidates.items()}


def test_decided_claims_need_no_more_seeds(tmp_path: Path) -> None:
    early = {"seeds": 5, "parallel": 1, "stop_early": True}
    study = run(write_study(tmp_path, claims=["words > tiny + 0.02", "half > words - 0.002"], study=early))
    first, second = study.claims
    assert (first["verdict"], first["alpha"]) == ("supported", pytest.approx(0.01))
    assert len(first["right"]["seeds"]) == 3
    # Only the candidates of the open claim went on, and of those only one that chance has a part in.
    assert trained(study) == {"words": 3, "half": 5, "tiny": 3}
    assert (second["alpha"], len(second["left"]["seeds"])) == (pytest.approx(0.04), 5)
    assert study.document["looks"] == 1


def test_validation_alone_puts_claims_out_of_reach(
    finished: tuple[Path, Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, study = finished
    resolved = read_resolved(study.folder)
    shown: Any = SimpleNamespace(
        problem=read_problem(study.folder / "problem.yaml").problem,
        task=TASKS.get("classification"),
        targets=Targets.from_json(resolved["targets"]),
        metric="accuracy",
    )

    def ended(name: str) -> list[TrialRecord]:
        results = [read_json(study.folder / f"trials/{name}-{k}/result.json") for k in range(3)]
        return [TrialRecord(name, k, k, f"trials/{name}-{k}", each["scores"]) for k, each in enumerate(results)]

    book: Any = SimpleNamespace(finished=ended, failures=lambda name: {})
    judging = StudyClaims(shown, study.folder, book, FailedCheck("accuracy", 1 / 3))
    # What looks well on validation is left alone; "tiny > words" is hopeless at a level of 0.05.
    assert judging.out_of_reach([0, 1, 3], Stage(3)) == []
    monkeypatch.setattr("provetune.study.study_claims.FUTILITY_ALPHA", 0.05)
    assert judging.out_of_reach([2], Stage(3)) == [2]
    assert judging.out_of_reach([], Stage(3)) == []


def test_all_decided_stops_at_the_first_look_and_a_kill_changes_nothing(tmp_path: Path) -> None:
    early = {"seeds": 5, "parallel": 1, "stop_early": True}
    sections: dict[str, Any] = {"claims": ["words > tiny + 0.02", "half > words - 0.002"], "study": early}
    whole = run(write_study(tmp_path / "whole", **sections))
    problem = write_study(tmp_path / "cut", **sections)

    def stop_at(text: str) -> Callable[[dict[str, Any]], None]:
        def stop(event: dict[str, Any]) -> None:
            if event.get("id") == text and event["event"] == "job" and event["state"] == "running":
                raise RuntimeError("stopped by the test")

        return stop

    for job in ("half-1:test", "half-3", "half-4:test"):
        with pytest.raises(RuntimeError, match="stopped by the test"):
            run(problem, listener=stop_at(job))
    cut = run(problem)
    assert figures(cut.claims) == figures(whole.claims)
    assert cut.document["best"]["candidate"] == whole.document["best"]["candidate"]
    assert trained(cut) == trained(whole)
    decided = run(write_study(tmp_path / "whole", claims=["words > tiny + 0.02"], study=early))
    assert trained(decided) == {"words": 3, "half": 3, "tiny": 3}


def test_what_failed_before_the_opening_stays_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = write_study(tmp_path, claims=["half > 0.1"])

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "job" and event["job"] == "judge" and event["state"] == "done":
            raise RuntimeError("stopped by the test")

    with pytest.raises(RuntimeError, match="stopped by the test"):
        run(problem, listener=stop)
    folder = next(path for path in (tmp_path / ".provetune/studies").iterdir() if path.is_dir())
    # As if the last run of `half` had failed before the test was opened.
    for file in (folder / "trials/half-2").glob("*.*"):
        file.unlink()
    place = open_workspace(problem, create=False)
    with Ledger(place.ledger_url) as ledger:
        record = ledger.find_study(folder.name, place.identity)
        assert record is not None
        ledger.fail_trial(record.key, "half", 2, error="out of memory")
    study = run(problem)
    assert not (folder / "trials/half-2/result.json").exists()
    claim = study.claims[0]
    assert claim["verdict"] == "inconclusive"
    assert "'half' has 2" in claim["words"]
    assert any("1 of 3 runs of 'half' failed (run 2: it did not end: out of memory)" in note for note in claim["notes"])
    assert study.candidates["half"]["failed"] == [{"k": 2, "message": "it did not end: out of memory"}]
    assert read_json(folder / "study.json")["claims"] == study.claims

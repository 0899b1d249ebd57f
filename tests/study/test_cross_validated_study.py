"""Cross-validation: every row held out once, claims judged no more surely than is right, one bundle of all folds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from provetune.core.errors import DataError, Interrupted, ProblemFileError
from provetune.core.files import read_json
from provetune.core.seeds import derive, run_seed
from provetune.data.folds import Folds
from provetune.evaluation.outcomes import probability_matrix, read_outcomes
from provetune.inference.predictor import load
from provetune.ledger.records import Ledger
from provetune.models.bundle import open_bundle
from provetune.problem.reading import read_problem
from provetune.study.checking import check_problem
from provetune.study.plan import plan_study
from provetune.study.problem_checks import baseline_of, problem_checks
from provetune.study.resolve import resolve
from provetune.study.run import Study, run
from provetune.study.splits_store import load_split, split_summary

WriteProblem = Callable[..., Path]
FOLDS = 3
DATA = {"train": "messages.csv", "columns": {"text": "message", "label": "intent"}, "split": {"folds": FOLDS}}
CANDIDATES: dict[str, Any] = {
    "words": {"method": "tfidf"},
    "head": {"method": "head"},
    "full": {
        "method": "full",
        "epochs": 12,
        "learning_rate": 3e-3,
        "batch_rows": 8,
        "precision": "fp32",
        "evaluations": 1,
    },
}
CLAIMS = ["full > words + 0.02", "words >= 0.5", "words > full [recall:login@channel=mail]", "words ~ full ± 0.9"]
ACCEPT = {"accuracy": ">= 0.1", "latency_p50_ms": "<= 100000"}


def write(write_problem: WriteProblem, folder: Path, **sections: Any) -> Path:
    study = {"seeds": 3, "parallel": 1, "keep": "all"}
    return write_problem(folder, **{"data": DATA, "candidates": CANDIDATES, "study": study, **sections})


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> Study:
    return run(write(write_problem, tmp_path_factory.mktemp("folds"), claims=CLAIMS, accept=ACCEPT))


def trial(done: Study, name: str, fold: int | None = None) -> Path:
    return done.folder / "trials" / name / ("" if fold is None else f"more/fold-{fold}")


def test_every_row_is_answered_once_by_a_model_that_has_not_seen_it(done: Study) -> None:
    rows = load_split(done.folder, "train")
    for k in range(3):
        codes = Folds(FOLDS, 13).of_run(k).draw(rows)
        said = read_outcomes(trial(done, f"words-{k}") / "test.parquet")
        assert said["row_id"].to_pylist() == rows["row_id"].to_pylist()
        for fold in range(FOLDS):
            own = read_outcomes(trial(done, f"words-{k}", fold) / "test.parquet")
            assert own["row_id"].to_pylist() == [
                row for row, code in zip(rows["row_id"].to_pylist(), codes, strict=True) if code == fold
            ]
            validated = read_outcomes(trial(done, f"words-{k}", fold) / "validation.parquet")
            after = (fold + 1) % FOLDS
            assert set(validated["row_id"].to_pylist()) == {
                row for row, code in zip(rows["row_id"].to_pylist(), codes, strict=True) if code == after
            }


def test_every_model_has_a_seed_and_rows_of_its_own(done: Study) -> None:
    results = [read_json(trial(done, f"full-{k}", fold) / "result.json") for k in range(3) for fold in range(FOLDS)]
    assert len({each["seed"] for each in results}) == 3 * FOLDS
    assert results[1]["seed"] == derive(run_seed(13, "full", 0), "fold", "1")
    taught = {each["details"]["training_rows"] for each in results}
    assert taught == {120 * (FOLDS - 2) // FOLDS}
    record = read_json(trial(done, "full-0", 1) / "bundle/provetune.json")
    assert sum(record["targets"]["counts"]) == 40


def test_claims_name_what_their_intervals_are(done: Study) -> None:
    claims = {one["claim"]: one for one in done.document["claims"]}
    assert list(claims) == CLAIMS
    for one in claims.values():
        assert one["verdict"] in ("supported", "refuted", "inconclusive")
        assert any("training rows overlap" in note and "2 degrees" in note for note in one["notes"])
        assert one["needs"] is None
    assert len(claims[CLAIMS[0]]["left"]["seeds"]) == 3
    # One run of a candidate without chance does not stand for all: each run has folds of its own.
    assert len(claims[CLAIMS[1]]["left"]["seeds"]) == 3


def test_no_level_about_rows_is_decided_and_those_of_the_machine_are(done: Study) -> None:
    rows, machine = done.accept
    assert (rows["met"], rows["bound"]) == (None, None)
    assert rows["value"] > 0.1
    assert "no row is left" in rows["notes"][-1]
    assert machine["met"] is True


def test_the_look_is_in_the_ledger_once_however_many_folds(done: Study) -> None:
    book = Ledger(f"sqlite:///{Path(done.workspace) / 'ledger.sqlite'}")
    looks = book.looks(split_summary(done.folder)["test"]["hash"])
    assert sum(look.charged for look in looks) == 1
    assert {f"outcomes of full-2.fold-{fold}" for fold in range(FOLDS)} <= {look.purpose for look in looks}


def test_the_bundle_is_the_mean_of_the_folds_models(done: Study) -> None:
    bundle = trial(done, "full-1") / "bundle"
    texts = ["my parcel is late", "the password code"]
    alone = [load(trial(done, "full-1", fold) / "bundle").probabilities(texts) for fold in range(FOLDS)]
    predictor = load(bundle, verify="golden")
    np.testing.assert_allclose(predictor.probabilities(texts), np.mean(alone, axis=0), atol=1e-6)
    assert open_bundle(bundle).kind == "ensemble"
    card = (Path(done.best) / "README.md").read_text()
    assert f"the mean of {FOLDS} models" in card
    assert "On the held-out rows:" in card


def test_scores_are_those_of_all_rows_together(done: Study) -> None:
    said = read_outcomes(trial(done, "full-0") / "test.parquet")
    right = np.mean([a == b for a, b in zip(said["label"].to_pylist(), said["prediction"].to_pylist(), strict=True)])
    assert done.candidates["full"]["metrics"]["accuracy"]["seeds"][0] == pytest.approx(right)
    assert probability_matrix(said, 3).shape == (120, 3)


def test_what_reads_a_study_reads_a_cross_validated_one(done: Study) -> None:
    from provetune.study.report import report_document

    for shown in (False, True):
        document = report_document(done.folder, open_test=shown)
        assert document["rows"] == {"train": 120, "validation": 120, "test": 120}
        assert len(document["claims"]) == len(CLAIMS)


FIT = {"words": {"method": "tfidf"}}


def test_cut_off_anywhere_it_ends_the_same(
    tmp_path: Path, write_problem: WriteProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {"candidates": FIT, "study": {"seeds": 2, "parallel": 1, "keep": "all"}, "claims": ["words >= 0.2"]}
    whole = run(write(write_problem, tmp_path / "whole", **quick))
    path = write(write_problem, tmp_path / "cut", **quick)
    for after in (3, 4, 2):
        seen = 0

        def stop(event: dict[str, Any], most: int = after) -> None:
            nonlocal seen
            seen += event["event"] == "job" and event["state"] == "done"
            if seen >= most:
                raise Interrupted("cut off")

        with pytest.raises(Interrupted):
            run(path, listener=stop)
    again = run(path)
    for name in ("words-0", "words-1"):
        one, other = (read_outcomes(trial(each, name) / "test.parquet") for each in (whole, again))
        assert one.equals(other)
        first, second = (read_json(trial(each, name) / "result.json")["scores"] for each in (whole, again))
        assert first == second
    shown = [
        [{k: v for k, v in one.items() if k != "words"} for one in each.document["claims"]] for each in (whole, again)
    ]
    assert shown[0] == shown[1]


def test_groups_are_kept_and_subsets_drawn_from_what_teaches(tmp_path: Path, write_problem: WriteProblem) -> None:
    path = write(write_problem, tmp_path, candidates=FIT, study={"seeds": 1, "parallel": 1, "keep": "all"})
    lines = (tmp_path / "messages.csv").read_text().splitlines()
    grouped = [f"{lines[0]},customer", *(f"{line},c{number // 6}" for number, line in enumerate(lines[1:]))]
    (tmp_path / "messages.csv").write_text("\n".join(grouped) + "\n")
    done = run(path, overrides=["data.split.group=customer", "data.subset={per_label: 4}"])
    rows = load_split(done.folder, "train")
    customers = dict(zip(rows["row_id"].to_pylist(), rows["raw.customer"].to_pylist(), strict=True))
    seen: dict[str, int] = {}
    for fold in range(FOLDS):
        held_out = read_outcomes(trial(done, "words-0", fold) / "test.parquet")["row_id"].to_pylist()
        assert all(seen.setdefault(customers[row], fold) == fold for row in held_out)
        assert read_json(trial(done, "words-0", fold) / "result.json")["details"]["training_rows"] == 12


def test_a_task_without_means_keeps_the_model_of_the_median_fold(tmp_path: Path, write_problem: WriteProblem) -> None:
    lines = [
        f"Anna O\n{name} {'B-PLACE' if number % 2 else 'O'}\n" for number, name in enumerate(["Rome", "soon"] * 12)
    ]
    lines = [f"word{number} O\n{each}" for number, each in enumerate(lines)]
    (tmp_path / "rows.conll").write_text("\n".join(lines))
    path = write(
        write_problem,
        tmp_path,
        task="tagging",
        data={"train": "rows.conll", "split": {"folds": 3}},
        candidates={"words": {"method": "most_frequent_tag"}},
        study={"seeds": 1, "parallel": 1, "keep": "all"},
    )
    text = path.read_text().splitlines()
    path.write_text("\n".join(line for line in text if "backbone:" not in line) + "\n")
    done = run(path)
    assert "of the fold with the median validation score" in (Path(done.best) / "README.md").read_text()
    assert open_bundle(Path(done.best)).kind != "ensemble"
    kept = read_json(trial(done, "words-0") / "result.json")["details"]["folds"]
    assert len(kept) == 1
    assert read_outcomes(trial(done, "words-0") / "test.parquet").num_rows == 24


REFUSED = [
    ("data.test=other.csv", "data.test", "nothing for folds to hold out"),
    ("data.validation=other.csv", "data.validation", "every row validates once"),
    ("data.split.test=0.3", "data.split.test", "no share is set aside"),
    ("data.split.validation=0.3", "data.split.validation", "no share is set aside"),
    ("data.split.time=sent", "data.split.time", "cannot test on the latest"),
    ("data.split.folds=2", "data.split.folds", "from 3 to 10"),
    ("study.stop_early=true", "study.stop_early", "not calibrated for folds"),
    ("candidates.words.search=auto", "candidates.words.search", "rows that folds hold out"),
    ("task=retrieval", "data.split.folds", "judges all rows together"),
]


@pytest.mark.parametrize(("override", "place", "said"), REFUSED)
def test_what_makes_no_sense_beside_folds_is_refused_in_a_line(
    override: str, place: str, said: str, tmp_path: Path, write_problem: WriteProblem
) -> None:
    path = write(write_problem, tmp_path)
    with pytest.raises(ProblemFileError) as refused:
        read_problem(path, overrides=[override], checks=problem_checks(), baseline_of=baseline_of)
    assert said in str(refused.value)


def test_faults_have_lines_and_ensembles_are_none(tmp_path: Path, write_problem: WriteProblem) -> None:
    path = write(write_problem, tmp_path)
    text = path.read_text().replace(f"    folds: {FOLDS}\n", f"    folds: {FOLDS}\n    test: 0.2\n")
    text = text.replace("candidates:\n", "candidates:\n  two:\n    method: ensemble\n    members: [words, head]\n")
    path.write_text(text)
    with pytest.raises(ProblemFileError) as refused:
        read_problem(path, checks=problem_checks(), baseline_of=baseline_of)
    lines = text.splitlines()
    assert f"problem.yaml:{lines.index('    test: 0.2') + 1}: Every row is held out once" in str(refused.value)
    assert f"problem.yaml:{lines.index('    method: ensemble') + 1}: With folds, every candidate" in str(refused.value)


def test_too_few_rows_are_refused_with_the_line_of_folds(tmp_path: Path, write_problem: WriteProblem) -> None:
    path = write(write_problem, tmp_path, candidates=FIT)
    with (tmp_path / "messages.csv").open("a") as file:
        file.writelines(f"a rare matter {number},rare,mail\n" for number in range(2))
    read = read_problem(path, checks=problem_checks(), baseline_of=baseline_of)
    with pytest.raises(DataError) as refused:
        resolve(read)
    line = path.read_text().splitlines().index(f"    folds: {FOLDS}") + 1
    assert str(refused.value).startswith(f"{path}:{line}") or f":{line}" in str(refused.value)
    assert "The label 'rare' has 2 different texts, too few to be in each of 3 folds." in str(refused.value)
    with pytest.raises(DataError) as checked:
        check_problem(path)
    assert str(checked.value) == str(refused.value)


def test_check_and_plan_know_folds(tmp_path: Path, write_problem: WriteProblem) -> None:
    path = write(write_problem, tmp_path, candidates=FIT, claims=["words >= 0.5"])
    checked = check_problem(path)
    assert not checked["blocking"]
    assert checked["splits"] == {"train": 40, "validation": 40, "test": 40}
    assert any("into 3 folds" in note for note in checked["notes"])
    planned = plan_study(path, measure=False)
    assert planned["rows"] == {"train": 120, "validation": 120, "test": 120}
    apart = plan_study(path, measure=False, overrides=["data.split={test: 0.9, validation: 0.05}"])
    assert planned["claims"][0]["detectable"] > apart["claims"][0]["detectable"]


def test_the_file_as_resolved_reads_back_and_says_nothing_that_does_not_count(done: Study) -> None:
    again = read_problem(done.folder / "problem.yaml", checks=problem_checks(), baseline_of=baseline_of)
    split = again.problem.data.split.model_dump(mode="json")
    assert split == {"stratify": True, "group": None, "seed": 13, "folds": FOLDS}

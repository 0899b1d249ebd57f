"""Methods for little data as candidates like any other: claims about them, their bundles, what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from provetune.core.errors import UsageError
from provetune.core.files import read_json, sha256_file
from provetune.evaluation.outcomes import probability_matrix, read_outcomes
from provetune.inference.predictor import load
from provetune.models.bundle import open_bundle
from provetune.problem.reading import read_problem
from provetune.study.problem_checks import baseline_of, problem_checks
from provetune.study.repeated import is_deterministic
from provetune.study.resolve import resolve
from provetune.study.run import Study, run
from provetune.study.splits_store import load_split, map_table
from provetune.study.trial import run_trial
from provetune.study.trial_plan import make_specs
from provetune.study.trial_rows import learned_from, seen_rows
from provetune.study.workspace import Workspace

WriteProblem = Callable[..., Path]
CANDIDATES: dict[str, Any] = {
    "full": {"method": "full", "epochs": 20, "learning_rate": 3e-3, "batch_rows": 8, "precision": "fp32"},
    "setfit": {"method": "setfit", "learning_rate": 1e-3, "pairs_per_row": 4, "precision": "fp32"},
    "nearest": {"method": "prototype", "precision": "fp32"},
    "named": {"method": "zero_shot", "precision": "fp32", "label_descriptions": {"login": "a lost password"}},
}
CLAIMS = ["setfit > full + 0.05", "setfit >= nearest - 0.6"]
FEW = {"train": "messages.csv", "columns": {"text": "message", "label": "intent"}, "subset": {"per_label": 8}}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> Study:
    study = {"seeds": 3, "parallel": 1, "keep": "all"}
    folder = tmp_path_factory.mktemp("few")
    return run(write_problem(folder, candidates=CANDIDATES, claims=CLAIMS, data=FEW, study=study), listener=None)


def trial(done: Study, name: str) -> Path:
    return done.folder / "trials" / name


def test_claims_about_them_are_answered(done: Study) -> None:
    claims = done.document["claims"]
    assert [one["claim"] for one in claims] == CLAIMS
    assert all(one["verdict"] in ("supported", "refuted", "inconclusive") for one in claims)
    assert [claims[1][side]["name"] for side in ("left", "right")] == ["setfit", "nearest"]
    assert len(claims[1]["left"]["seeds"]) == 3
    assert any("8 rows a label of the training rows" in note for note in claims[1]["notes"])


def test_few_rows_are_learned_from_and_other_ones_by_each_seed(done: Study) -> None:
    for name, wanted in {"words": 24, "full": 24, "setfit": 24, "nearest": 24, "named": 0}.items():
        details = read_json(trial(done, f"{name}-0") / "result.json")["details"]
        assert details["training_rows"] == wanted
    assert read_json(trial(done, "setfit-0") / "result.json")["details"]["pairs"] == 4 * 24
    assert read_json(trial(done, "named-1") / "result.json")["details"]["same_as"] == "named-0"
    notes = " ".join(done.document["notes"])
    assert "'setfit' learns from 24 of 84 training rows (8 a label), drawn anew for each seed" in notes
    assert "'named' learns" not in notes


@pytest.mark.parametrize("name", ["setfit", "nearest", "named"])
def test_bundles_answer_as_they_were_judged(done: Study, name: str) -> None:
    bundle = trial(done, f"{name}-0") / "bundle"
    assert open_bundle(bundle).kind == "frozen_encoder"
    texts = map_table(done.folder / "splits/test.arrow")["text"].to_pylist()
    kept = probability_matrix(read_outcomes(trial(done, f"{name}-0") / "test.parquet"), 3)
    predictor = load(bundle)
    np.testing.assert_allclose(predictor.probabilities(texts), kept, atol=1e-5)
    golden = open_bundle(bundle).golden
    golden.check(predictor.probabilities(list(golden.inputs)).tolist(), where=str(bundle))


def test_the_encoder_of_setfit_is_tuned_and_that_of_prototype_is_not(done: Study, tiny_backbone: Path) -> None:
    plain = sha256_file(tiny_backbone / "model.safetensors")
    encoders = {name: trial(done, f"{name}-0") / "bundle/encoder/model.safetensors" for name in ("setfit", "nearest")}
    assert sha256_file(encoders["setfit"]) != plain
    from safetensors.torch import load_file

    before = load_file(tiny_backbone / "model.safetensors")
    after = load_file(encoders["nearest"])
    assert all(torch.equal(before[name], after[name]) for name in before)


def specs_of(problem: Path, folder: Path) -> dict[str, Any]:
    resolved = resolve(read_problem(problem, checks=problem_checks(), baseline_of=baseline_of), device="cpu")
    from provetune.study.splits_store import save_splits

    workspace = Workspace(folder, resolved.study_id, "")
    save_splits(workspace.study_folder(resolved.study_id), resolved.splits)
    return {spec.id: spec for spec in make_specs(resolved, workspace, 1)}


def test_interrupted_setfit_ends_with_the_same_bits(tmp_path: Path, write_problem: WriteProblem) -> None:
    study = {"seeds": 1, "checkpoint_steps": 2}
    problem = write_problem(tmp_path / "p", candidates={"setfit": CANDIDATES["setfit"]}, data=FEW, study=study)
    spec = specs_of(problem, tmp_path / "w")["setfit-0"]
    whole = replace(spec, folder=str(tmp_path / "whole"), cache=str(tmp_path / "c1"))
    broken = replace(spec, folder=str(tmp_path / "broken"), cache=str(tmp_path / "c2"))
    list(run_trial(whole))
    work = run_trial(broken)
    for event in work:
        if event["event"] == "step" and event["step"] == 3:
            break
    work.close()
    assert (broken.place / "checkpoint").exists()
    list(run_trial(broken))
    for file in ("bundle/encoder/model.safetensors", "bundle/head.safetensors"):
        assert sha256_file(broken.place / file) == sha256_file(whole.place / file)
    seeds = [replace(spec, seed=seed) for seed in (1, 2)]
    drawn = [learned_from(each, seen_rows(each, "train")) for each in seeds]
    assert all(rows is not None and len(rows) == 24 for rows in drawn)
    assert not np.array_equal(*drawn)


def test_runs_on_subsets_differ() -> None:
    assert not is_deterministic({"method": "prototype", "data": {"subset": {"per_label": 8}}})
    assert is_deterministic({"method": "prototype"})


def refused(problem: Path) -> str:
    with pytest.raises(UsageError) as error:
        resolve(read_problem(problem, checks=problem_checks(), baseline_of=baseline_of), device="cpu")
    return f"{error.value}"


@pytest.mark.parametrize(
    ("candidate", "data", "line"),
    [
        ({"method": "setfit"}, {"subset": {"per_label": 1}}, "no label has two training rows"),
        ({"method": "setfit", "objective": "dpo"}, {}, "setfit minimises a loss of its own"),
        ({"method": "zero_shot", "label_descriptions": {"logins": "x"}}, {}, "'logins', which is no label"),
        ({"method": "zero_shot", "entailment": "nowhere"}, {}, "nowhere"),
        ({"method": "verbaliser"}, {}, "has no head that says words"),
    ],
)
def test_what_cannot_work_gets_one_line_before_any_work(
    candidate: dict[str, Any], data: dict[str, Any], line: str, tmp_path: Path, write_problem: WriteProblem
) -> None:
    sections = {**FEW, **data} if data else {key: FEW[key] for key in ("train", "columns")}
    said = refused(write_problem(tmp_path, candidates={"one": candidate}, data=sections))
    assert line in said
    assert "\n" not in said.strip()


def test_candidates_own_data_comes_before_the_problems(tmp_path: Path, write_problem: WriteProblem) -> None:
    candidates = {
        "all": {"method": "tfidf", "data": {"share": 1.0}},
        "two": {"method": "tfidf", "data": {"subset": {"per_label": 2}, "deduplicate": True}},
        "rest": {"method": "tfidf", "data": {"deduplicate": True}},
        "many": {"method": "tfidf", "data": {"subset": {"per_label": 500}}},
    }
    problem = write_problem(tmp_path, candidates=candidates, data=FEW)
    resolved = resolve(read_problem(problem, checks=problem_checks(), baseline_of=baseline_of), device="cpu")
    found = {name: candidate.data for name, candidate in resolved.problem.candidates.items()}
    assert found["all"] is not None
    assert not found["all"].draws
    assert found["two"] is not None
    assert found["two"].subset is not None
    assert found["two"].subset.per_label == 2
    assert found["rest"] is not None
    assert found["rest"].subset is not None
    assert found["rest"].deduplicate
    notes = " ".join(resolved.notes)
    assert "Labels with fewer than 500 training rows give 'many' all they have: 'billing' (28)" in notes


def test_numbers_have_no_subset(tmp_path: Path, write_problem: WriteProblem) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}}, data=FEW)
    lines = ["message,intent", *(f"text {number},{number / 7}" for number in range(60))]
    (tmp_path / "messages.csv").write_text("\n".join(lines) + "\n")
    document = yaml.safe_load(problem.read_text())
    problem.write_text(yaml.safe_dump({**document, "task": "regression"}, sort_keys=False))
    assert "labels of the task 'regression' are no classes" in refused(problem)


def test_an_entailment_bundle_and_a_language_model_are_asked(
    tmp_path: Path, write_problem: WriteProblem, tiny_backbone: Path
) -> None:
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    from provetune.models.loading import load_model, load_tokenizer

    pairs, words = tmp_path / "pairs", tmp_path / "words"
    head = {"id2label": {0: "no", 1: "entailment"}, "num_labels": 2}
    load_model(tiny_backbone, "AutoModelForSequenceClassification", head, 7).save_pretrained(pairs)
    load_tokenizer(tiny_backbone).save_pretrained(pairs)
    BertForMaskedLM(BertConfig.from_pretrained(tiny_backbone)).save_pretrained(words)
    AutoTokenizer.from_pretrained(tiny_backbone).save_pretrained(words)
    candidates = {
        "entailed": {"method": "zero_shot", "entailment": "pairs", "precision": "fp32"},
        "asked": {"method": "verbaliser", "backbone": "words", "precision": "fp32"},
    }
    study = {"seeds": 1, "parallel": 1, "keep": "all"}
    problem = write_problem(tmp_path, candidates={**candidates}, study=study)
    # What names its model itself needs no backbone.
    document = yaml.safe_load(problem.read_text())
    document["candidates"]["entailed"].pop("backbone", None)
    problem.write_text(yaml.safe_dump(document, sort_keys=False))
    found = run(problem, listener=None)
    for name, kind in (("entailed", "entailment"), ("asked", "verbaliser")):
        bundle = found.folder / "trials" / f"{name}-0" / "bundle"
        assert open_bundle(bundle).kind == kind
        texts = load_split(found.folder, "validation")["text"].to_pylist()
        kept = probability_matrix(read_outcomes(found.folder / "trials" / f"{name}-0" / "validation.parquet"), 3)
        np.testing.assert_allclose(load(bundle).probabilities(texts), kept, atol=1e-4)

"""Ensembles and soups as candidates: claims about them, what they are made of, their bundles, what they refuse."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from provetune.core.errors import Interrupted, ProblemFileError, UsageError
from provetune.core.files import read_json, sha256_file
from provetune.core.seeds import derive, run_seed
from provetune.evaluation.outcomes import probability_matrix, read_outcomes
from provetune.inference.predictor import load
from provetune.models.bundle import open_bundle
from provetune.problem.reading import read_problem
from provetune.study.problem_checks import baseline_of, problem_checks
from provetune.study.resolve import resolve
from provetune.study.run import Study, run
from provetune.study.splits_store import load_split, map_table

WriteProblem = Callable[..., Path]
FULL = {"method": "full", "epochs": 12, "learning_rate": 3e-3, "batch_rows": 8, "precision": "fp32", "evaluations": 1}
CANDIDATES: dict[str, Any] = {
    "both": {"method": "ensemble", "members": ["full", "words"]},
    "full": FULL,
    "words": {"method": "tfidf"},
    "three": {"method": "ensemble", "members": ["full"], "runs": 3},
    "mix": {"method": "soup", "members": ["full"], "runs": 3},
    "best_mix": {"method": "soup", "members": ["full"], "runs": 3, "greedy": True},
}
CLAIMS = ["three > full", "both >= words - 0.5", "best_mix >= mix - 0.5"]
MADE_OF = ["full-0", "full-0.1", "full-0.2"]


def write(write_problem: WriteProblem, folder: Path, **sections: Any) -> Path:
    """The tiny problem; what is made of others gets no backbone."""
    path = write_problem(folder, **sections)
    text = path.read_text().splitlines()
    kept, inside = [], False
    for line in text:
        if line.startswith("  ") and not line.startswith("   "):
            inside = False
        inside = inside or "method: ensemble" in line or "method: soup" in line
        if not (inside and line.strip().startswith("backbone:")):
            kept.append(line)
    path.write_text("\n".join(kept) + "\n")
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> Study:
    study = {"seeds": 3, "parallel": 1, "keep": "all"}
    folder = tmp_path_factory.mktemp("combined")
    return run(write(write_problem, folder, candidates=CANDIDATES, claims=CLAIMS, study=study))


def trial(done: Study, name: str) -> Path:
    run, _, number = name.partition(".")
    return done.folder / "trials" / run / (f"more/{number}" if number else "")


def result(done: Study, name: str) -> dict[str, Any]:
    found: dict[str, Any] = read_json(trial(done, name) / "result.json")
    return found


def test_claims_about_them_are_answered(done: Study) -> None:
    claims = done.document["claims"]
    assert [one["claim"] for one in claims] == CLAIMS
    assert all(one["verdict"] in ("supported", "refuted", "inconclusive") for one in claims)
    assert len(claims[0]["left"]["seeds"]) == 3


def test_each_run_is_made_of_models_that_no_other_run_has(done: Study) -> None:
    seeds = [result(done, name)["seed"] for k in range(3) for name in (f"full-{k}", f"full-{k}.1", f"full-{k}.2")]
    assert len(set(seeds)) == 9
    assert seeds[3] == run_seed(13, "full", 1)
    assert seeds[4:6] == [derive(seeds[3], "more", "1"), derive(seeds[3], "more", "2")]
    assert result(done, "three-0")["details"]["members"] == MADE_OF
    assert result(done, "both-2")["details"]["members"] == ["full-2", "words-2"]
    weights = {sha256_file(trial(done, name) / "bundle/model.safetensors") for name in MADE_OF}
    assert len(weights) == 3


@pytest.mark.parametrize(("name", "members"), [("three-0", MADE_OF), ("both-1", ["full-1", "words-1"])])
def test_an_ensemble_says_the_mean_of_probabilities(done: Study, name: str, members: list[str]) -> None:
    """Its own temperature aside, which changes no order: log p / T, normalised."""
    validation = load_split(done.folder, "validation")
    alone = [load(trial(done, member) / "bundle").probabilities(validation) for member in members]
    mean = sum(alone) / len(alone)
    temperature = result(done, name)["temperature"]
    sharpened = mean ** (1 / temperature)
    expected = sharpened / sharpened.sum(axis=1, keepdims=True)
    kept = probability_matrix(read_outcomes(trial(done, name) / "validation.parquet"), 3)
    np.testing.assert_allclose(kept, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["three-0", "both-0", "mix-0", "best_mix-0"])
def test_bundles_answer_as_they_were_judged(done: Study, name: str) -> None:
    bundle = trial(done, name) / "bundle"
    texts = map_table(done.folder / "splits/test.arrow")["text"].to_pylist()
    kept = probability_matrix(read_outcomes(trial(done, name) / "test.parquet"), 3)
    predictor = load(bundle, verify="golden")
    np.testing.assert_allclose(predictor.probabilities(texts), kept, atol=1e-5)
    assert open_bundle(bundle).kind == ("transformers" if "mix" in name else "ensemble")
    if name == "three-0":
        assert predictor.engine.startswith("mean of 3 models")
        assert predictor.predict("parcel late")[0]["label"] in ("billing", "delivery", "login")


def test_an_ensemble_s_bundle_needs_nothing_else(done: Study, tmp_path: Path) -> None:
    bundle = trial(done, "both-0") / "bundle"
    said = load(bundle).probabilities(["parcel late"])
    shutil.copytree(bundle, tmp_path / "moved")
    np.testing.assert_array_equal(load(tmp_path / "moved").probabilities(["parcel late"]), said)


def unfolded(done: Study, name: str) -> dict[str, torch.Tensor]:
    """A model's weights before its temperature was folded into the head."""
    weights = load_file(trial(done, name) / "bundle/model.safetensors")
    temperature = result(done, name)["temperature"]
    return {key: value * temperature if key.startswith("classifier.") else value for key, value in weights.items()}


@pytest.mark.parametrize("name", ["mix-0", "best_mix-0"])
def test_a_soup_has_the_mean_of_its_models_weights(done: Study, name: str) -> None:
    kept = result(done, name)["details"]["kept"]
    parts = [unfolded(done, each) for each in kept]
    soup = unfolded(done, name)
    assert soup.keys() == parts[0].keys()
    for key, value in soup.items():
        torch.testing.assert_close(value, torch.stack([part[key] for part in parts]).mean(0), rtol=1e-4, atol=1e-6)


def test_a_uniform_soup_keeps_all_and_a_greedy_one_begins_with_the_best(done: Study) -> None:
    assert result(done, "mix-0")["details"]["kept"] == MADE_OF
    metric = done.document["metric"]
    for k in range(3):
        kept = result(done, f"best_mix-{k}")["details"]["kept"]
        scores = {name: result(done, name)["scores"][metric] for name in (f"full-{k}", f"full-{k}.1", f"full-{k}.2")}
        assert kept[0] == max(scores, key=lambda name: scores[name])
        assert [scores[name] for name in kept] == sorted((scores[name] for name in kept), reverse=True)
        assert result(done, f"best_mix-{k}")["scores"][metric] >= scores[kept[0]] - 1e-9


def test_cut_off_it_goes_on_and_ends_with_the_same_bits(
    done: Study, tmp_path: Path, write_problem: WriteProblem
) -> None:
    """What had ended stays as it is, models of ensembles too."""
    study = {"seeds": 3, "parallel": 1, "keep": "all"}
    problem = write(write_problem, tmp_path, candidates=CANDIDATES, claims=CLAIMS, study=study)
    stopped = []

    def listener(event: dict[str, Any]) -> None:
        if event["event"] == "job" and event["id"] == "full-0.2" and event["state"] == "done":
            stopped.append(event["id"])
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run(problem, listener=listener)
    assert stopped
    ended = next((tmp_path / ".provetune/studies").glob("support-*")) / "trials/full-0/more/2/result.json"
    before = ended.stat().st_mtime_ns
    again = run(problem)
    assert ended.stat().st_mtime_ns == before
    assert again.claims == done.claims
    for name in ("three-0", "mix-1", "best_mix-2", "both-2"):
        for file in ("validation.parquet", "test.parquet"):
            assert sha256_file(trial(again, name) / file) == sha256_file(trial(done, name) / file)


def test_only_the_best_bundle_is_kept_and_it_is_whole(tmp_path: Path, write_problem: WriteProblem) -> None:
    candidates = {
        "words": {"method": "tfidf"},
        "full": {**FULL, "epochs": 1},
        "three": {"method": "ensemble", "members": ["full"], "runs": 2},
    }
    study = run(
        write(write_problem, tmp_path, candidates=candidates, study={"seeds": 1, "parallel": 1}),
    )
    bundles = [path.parent for path in study.folder.glob("trials/**/provetune.json")]
    assert [path for path in bundles if "members" not in path.parts] == [Path(study.best)]
    load(study.best, verify="golden")


WORDS = {"method": "tfidf"}


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ({"method": "ensemble", "members": ["ful", "words"]}, r"There is no candidate 'ful'.*Did you mean 'full'"),
        ({"method": "ensemble", "members": ["full"]}, "would be made of one model; it takes two"),
        ({"method": "ensemble"}, "would be made of no model"),
        ({"method": "ensemble", "members": ["full", "full"]}, "'full' is named twice"),
        ({"method": "ensemble", "members": ["full", "it"]}, "'it' would be made of itself"),
        ({"method": "ensemble", "members": ["full", "it2"]}, "'it' would be made of itself"),
        ({"method": "soup", "members": ["full", "words"]}, r"'words' \(tfidf\) has no weights that could be averaged"),
        ({"method": "soup", "members": ["full", "pre"]}, r"'pre' \(prefix\) has no weights"),
        ({"method": "ensemble", "members": ["full", "pair"], "runs": 2}, "'pair' is itself made of others"),
        ({"method": "ensemble", "members": ["full", "words"], "epochs": 3}, "does not use 'epochs'"),
        ({"method": "ensemble", "members": ["full", "words"], "data": {"share": 0.5}}, "does not use 'data'"),
        ({"method": "ensemble", "members": ["full", "words"], "runs": 0}, "'runs' must be"),
    ],
)
def test_what_cannot_be_combined_is_one_line(
    tmp_path: Path, write_problem: WriteProblem, candidate: dict[str, Any], said: str
) -> None:
    candidates = {
        "words": WORDS,
        "full": FULL,
        "pre": {"method": "prefix"},
        "pair": {"method": "ensemble", "members": ["full", "words"]},
        "it": candidate,
        "it2": {"method": "ensemble", "members": ["words", "it" if "it2" in candidate.get("members", ()) else "full"]},
    }
    problem = write(write_problem, tmp_path, candidates=candidates)
    with pytest.raises(ProblemFileError) as caught:
        read_problem(problem, checks=problem_checks(), baseline_of=baseline_of)
    assert re.search(said, str(caught.value), re.DOTALL)


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        (
            {"words": WORDS, "it": {"method": "ensemble", "members": ["words"], "runs": 3}},
            "All runs of 'words' are equal",
        ),
        (
            {
                "words": WORDS,
                "masked": {"method": "tfidf", "data": {"mask": ["email"]}},
                "it": {"method": "ensemble", "members": ["words", "masked"]},
            },
            "'masked' masks texts that other members see",
        ),
        (
            {
                "full": FULL,
                "short": {**FULL, "max_length": 16},
                "it": {"method": "soup", "members": ["full", "short"]},
            },
            "differ in max_length",
        ),
    ],
)
def test_what_shows_once_all_is_settled_is_one_line(
    tmp_path: Path, write_problem: WriteProblem, candidates: dict[str, Any], said: str
) -> None:
    problem = write(write_problem, tmp_path, candidates=candidates)
    file = read_problem(problem, checks=problem_checks(), baseline_of=baseline_of)
    with pytest.raises(UsageError, match=said) as caught:
        resolve(file, device="cpu")
    assert str(caught.value.where).startswith("problem.yaml:")

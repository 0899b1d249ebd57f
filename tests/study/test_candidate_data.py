"""Candidates with data of their own, in a whole study: what they learn from, what they see, what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from provetune.core.files import read_json, sha256_file
from provetune.evaluation.outcomes import probability_matrix, read_outcomes
from provetune.inference.predictor import load
from provetune.models.bundle import open_bundle
from provetune.study import frozen_features
from provetune.study.fitted import fit_at_once
from provetune.study.repeated import is_deterministic
from provetune.study.resolved import read_resolved
from provetune.study.run import Study, run
from provetune.study.splits_store import load_split, map_table
from provetune.study.trial import run_trial
from provetune.study.trial_rows import learned_from, seen_rows
from provetune.study.trial_spec import TrialSpec

WriteProblem = Callable[..., Path]
QUICK = {"method": "full", "epochs": 1, "batch_rows": 8, "precision": "fp32"}
CANDIDATES: dict[str, Any] = {
    "all": {"method": "tfidf"},
    "half": {"method": "tfidf", "data": {"share": 0.5}},
    "quiet": {"method": "tfidf", "data": {"mask": ["email"]}},
    "clean": {"method": "head", "precision": "fp32", "data": {"share": 0.5, "deduplicate": True}},
    "hushed": {"method": "head", "precision": "fp32", "data": {"mask": ["email"]}},
    "part": {**QUICK, "data": {"share": 0.5, "mask": ["email"]}},
}
CLAIMS = ["half >= all - 0.3", "quiet ~ all ± 0.3"]


def write_rows(path: Path) -> None:
    """Messages with addresses; every fourth is written twice, once louder."""
    words = {"billing": "invoice refund charged", "delivery": "parcel courier late", "login": "password code locked"}
    lines = ["message,intent"]
    for number in range(96):
        label = list(words)[number % 3]
        text = f"{words[label].split()[number // 3 % 3]} trouble {number} write to p{number}@mail.example"
        lines.append(f"{text},{label}")
        if number % 4 == 0:
            lines.append(f"{text.upper()},{label}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass
class Done:
    """A study run once for all tests that only look at it."""

    study: Study
    events: list[dict[str, Any]]

    @property
    def folder(self) -> Path:
        return self.study.folder

    def trial(self, name: str) -> Path:
        return self.folder / "trials" / name

    def details(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = read_json(self.trial(name) / "result.json")["details"]
        return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> Done:
    folder = tmp_path_factory.mktemp("variants")
    study = {"seeds": 2, "parallel": 1, "keep": "all"}
    problem = write_problem(folder, candidates=CANDIDATES, claims=CLAIMS, study=study)
    write_rows(folder / "messages.csv")
    events: list[dict[str, Any]] = []
    return Done(run(problem, listener=events.append), events)


def test_claims_about_data_are_answered(done: Done) -> None:
    assert [one["claim"] for one in done.study.document["claims"]] == CLAIMS
    assert list(done.study.candidates) == list(CANDIDATES)


def test_every_candidate_is_judged_on_the_same_rows(done: Done) -> None:
    for split in ("validation", "test"):
        judged = [read_outcomes(done.trial(f"{name}-{k}") / f"{split}.parquet") for name in CANDIDATES for k in (0, 1)]
        assert all(one.select(["row_id", "label"]).equals(judged[0].select(["row_id", "label"])) for one in judged)


def test_training_rows_are_those_asked_for(done: Done) -> None:
    train = load_split(done.folder, "train")
    texts = [" ".join(text.lower().split()) for text in train["text"].to_pylist()]
    labels = train["label"].to_pylist()
    assert done.details("all-0")["training_rows"] == done.details("quiet-0")["training_rows"] == len(texts)
    quotas = [int(labels.count(label) * 0.5 + 0.5) for label in set(labels)]
    assert done.details("half-0")["training_rows"] == done.details("part-1")["training_rows"] == sum(quotas)
    left = [label for _, label in set(zip(texts, labels, strict=True))]
    assert len(left) < len(texts)
    assert done.details("clean-0")["training_rows"] == sum(int(left.count(one) * 0.5 + 0.5) for one in set(left))


def test_runs_on_a_share_differ_and_runs_on_all_rows_are_one(done: Done) -> None:
    def said(name: str) -> pa.Table:
        return read_outcomes(done.trial(name) / "test.parquet")

    assert said("all-0").equals(said("all-1"))
    assert not said("half-0").equals(said("half-1"))
    assert done.details("all-1")["same_as"] == "all-0"
    assert "same_as" not in done.details("half-1")
    judged = {event["id"] for event in done.events if event["event"] == "job" and event["id"].endswith(":test")}
    assert {"half-0:test", "half-1:test", "all-0:test"} <= judged
    assert "all-1:test" not in judged


def test_deterministic_means_all_rows() -> None:
    assert is_deterministic({"method": "tfidf"})
    assert is_deterministic({"method": "tfidf", "data": {"share": 1.0, "deduplicate": True, "mask": ["email"]}})
    assert not is_deterministic({"method": "tfidf", "data": {"share": 0.99}})
    assert not is_deterministic({"method": "full"})


@pytest.mark.parametrize("name", ["quiet-0", "hushed-0", "part-0"])
def test_masked_bundle_answers_raw_and_masked_texts_alike(done: Done, name: str) -> None:
    predictor = load(done.trial(name) / "bundle")
    raw = ["refund to p5@mail.example please", "PARCEL LATE, write other.person@post.example", "no address here"]
    masked = ["refund to <EMAIL> please", "PARCEL LATE, write <EMAIL>", "no address here"]
    np.testing.assert_array_equal(predictor.probabilities(raw), predictor.probabilities(masked))
    assert open_bundle(done.trial(name) / "bundle").record["candidate"]["data"]["mask"] == ["email"]
    # A candidate that masks nothing does tell them apart.
    plain = load(done.trial("all-0") / "bundle")
    assert not np.array_equal(plain.probabilities(["p5 refund"]), plain.probabilities(["<EMAIL> refund"]))


@pytest.mark.parametrize("name", ["quiet-0", "hushed-0", "part-1", "clean-0"])
def test_test_outcomes_are_what_the_bundle_says_of_the_raw_texts(done: Done, name: str) -> None:
    rows = map_table(done.folder / "splits/test.arrow")
    assert all("@" in text for text in rows["text"].to_pylist())
    kept = probability_matrix(read_outcomes(done.trial(name) / "test.parquet"), 3)
    predictor = load(done.trial(name) / "bundle")
    np.testing.assert_allclose(predictor.probabilities(rows["text"].to_pylist()), kept, atol=1e-6)
    checked = load_split(done.folder, "validation")["text"].to_pylist()
    kept = probability_matrix(read_outcomes(done.trial(name) / "validation.parquet"), 3)
    np.testing.assert_allclose(predictor.probabilities(checked), kept, atol=2e-5)


def test_notes_say_what_is_done_to_the_rows(done: Done) -> None:
    notes = " ".join(read_resolved(done.folder)["notes"])
    rows = load_split(done.folder, "train").num_rows
    # Addresses in capitals are addresses, too.
    assert f"'quiet' masks email: {rows} of {rows} training texts are changed" in notes
    assert f"'half' learns from {done.details('half-0')['training_rows']} of {rows} training rows (share 0.5)" in notes
    assert "'clean' leaves out" in notes
    assert "'all'" not in notes


def spec_of(done: Done, tmp_path: Path, candidate: str, data: dict[str, Any] | None, **changes: Any) -> TrialSpec:
    """The spec of a candidate's first run, with other data, in a folder of its own."""
    resolved = read_resolved(done.folder)
    record = open_bundle(done.trial(f"{candidate}-0") / "bundle").record
    settings = {key: value for key, value in record["candidate"].items() if key not in ("name", "data")}
    if data is not None:
        settings["data"] = data
    spec = TrialSpec(
        study_folder=str(done.folder),
        folder=str(tmp_path / "trial"),
        cache=str(tmp_path / "cache"),
        task="classification",
        candidate=candidate,
        k=0,
        seed=7,
        settings=settings,
        method_settings=resolved["settings"][candidate],
        targets=resolved["targets"],
        backbone=resolved["backbones"][candidate],
        record={"columns": {"text": "message"}},
        study={"checkpoint_minutes": 60.0, "checkpoint_steps": 3},
    )
    return replace(spec, **changes)


def learn(spec: TrialSpec) -> Any:
    work = fit_at_once(spec)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def test_draws_are_nested_for_one_seed_and_new_for_another(done: Done, tmp_path: Path) -> None:
    def rows(share: float, seed: int = 7) -> set[int]:
        spec = spec_of(done, tmp_path, "half", {"share": share}, seed=seed)
        kept = learned_from(spec, seen_rows(spec, "train"))
        assert kept is not None
        return set(kept.tolist())

    quarter, half, most = rows(0.25), rows(0.5), rows(0.75)
    assert quarter < half < most
    assert rows(0.5, seed=8) != half
    assert learned_from(spec_of(done, tmp_path, "half", {"share": 1.0}), pa.table({})) is None
    assert learned_from(spec_of(done, tmp_path, "half", None), pa.table({})) is None


def test_a_share_reads_the_features_of_the_whole(done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learn(spec_of(done, tmp_path, "clean", None))
    made = set((tmp_path / "cache").iterdir())

    def refuse(*_: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(frozen_features, "compute_features", refuse)
    learn(spec_of(done, tmp_path, "clean", {"share": 0.5, "deduplicate": True}, seed=9))
    assert set((tmp_path / "cache").iterdir()) == made
    # Masked texts are other texts.
    with pytest.raises(AssertionError, match="computed again"):
        learn(spec_of(done, tmp_path, "clean", {"mask": ["email"]}))


def test_kept_rows_of_encoded_features_are_those_of_the_rows_alone(done: Done, tmp_path: Path) -> None:
    from provetune.models.loading import load_tokenizer
    from provetune.tasks import TASKS
    from provetune.training.features import encode_split

    spec = spec_of(done, tmp_path, "part", None)
    spec = replace(spec, settings={**spec.settings, "max_length": 12, "long_texts": "windows"})
    assert spec.backbone is not None
    tokenizer, task = load_tokenizer(spec.backbone["path"]), TASKS.get("classification")
    train, kept = load_split(done.folder, "train"), np.array([1, 5, 6, 40])
    whole = encode_split(task, train, tokenizer, spec.encoding, spec.label_names, tmp_path)
    alone = encode_split(task, train.take(kept), tokenizer, spec.encoding, spec.label_names)
    part = whole.keep_rows(kept)
    assert len(part) == len(alone) > len(kept)
    np.testing.assert_array_equal(part.lengths, alone.lengths)
    np.testing.assert_array_equal(part.cut, alone.cut)
    np.testing.assert_array_equal(part.rows, kept[alone.rows])
    numbers = list(range(len(alone)))
    for found, wanted in zip(part.take(numbers), alone.take(numbers), strict=True):
        assert found["input_ids"].tolist() == wanted["input_ids"].tolist()
        assert found["labels"] == wanted["labels"]


def test_interrupted_run_on_a_share_ends_with_the_same_bits(done: Done, tmp_path: Path) -> None:
    whole, broken = (spec_of(done, tmp_path / name, "part", {"share": 0.5}) for name in ("whole", "broken"))
    list(run_trial(whole))
    work = run_trial(broken)
    for event in work:
        if event["event"] == "step" and event["step"] == 4:
            break
    work.close()
    assert (broken.place / "checkpoint").exists()
    list(run_trial(broken))
    weights = "bundle/model.safetensors"
    assert sha256_file(broken.place / weights) == sha256_file(whole.place / weights)


def test_study_document_is_json(done: Done) -> None:
    assert json.loads(json.dumps(done.study.document)) == done.study.document

"""One trial in this process: its files, its going on, its calibration, its golden examples, its shared features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from provetune.core.errors import UsageError
from provetune.core.files import sha256_file
from provetune.core.protocols import EncodeSettings
from provetune.evaluation.outcomes import probability_matrix, read_outcomes
from provetune.models.bundle import open_bundle
from provetune.study import frozen_features
from provetune.study.event_log import read_events
from provetune.study.fitted import label_array
from provetune.study.frozen_features import features_of, piece_jobs
from provetune.study.splits_store import load_split, save_splits
from provetune.study.trial import read_result, run_trial
from provetune.study.trial_spec import TrialSpec
from provetune.tasks import TASKS

CANDIDATES: dict[str, Any] = {
    "words": {"method": "tfidf"},
    "head": {"method": "head", "precision": "fp32"},
    "full": {"method": "full", "epochs": 1, "batch_rows": 8, "learning_rate": 1e-3, "precision": "fp32"},
    "lora": {"method": "lora", "epochs": 1, "batch_rows": 8, "rank": 2, "learning_rate": 1e-2, "precision": "fp32"},
}


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def make_spec(
    tmp_path_factory: pytest.TempPathFactory, write_problem: Callable[..., Path]
) -> Callable[[str, Path], TrialSpec]:
    """Makes the spec of a candidate's first run in a given folder; rows are shared."""
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import problem_checks
    from provetune.study.resolve import resolve

    base = tmp_path_factory.mktemp("trial")
    resolved = resolve(read_problem(write_problem(base, candidates=CANDIDATES), checks=problem_checks()))
    save_splits(base / "study", resolved.splits)

    def make(candidate: str, folder: Path) -> TrialSpec:
        backbone = resolved.backbones[candidate]
        return TrialSpec(
            study_folder=str(base / "study"),
            folder=str(folder / "trial"),
            cache=str(folder / "cache"),
            task="classification",
            candidate=candidate,
            k=0,
            seed=7,
            settings=resolved.problem.candidates[candidate].model_dump(mode="json"),
            method_settings=resolved.settings[candidate].model_dump(mode="json"),
            targets=resolved.targets.to_json(),
            backbone=None if backbone is None else {"path": str(backbone.path), "content_hash": backbone.content_hash},
            record={"columns": {"text": "message"}},
            study={"checkpoint_minutes": 60.0, "checkpoint_steps": 3},
            threads=1,
        )

    return make


def finish(spec: TrialSpec) -> dict[str, Any]:
    work = run_trial(spec)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return dict(end.value)


@pytest.mark.parametrize("candidate", list(CANDIDATES))
def test_trial_leaves_a_bundle_outcomes_and_a_result(
    candidate: str, tmp_path: Path, make_spec: Callable[[str, Path], TrialSpec]
) -> None:
    spec = make_spec(candidate, tmp_path)
    result = finish(spec)
    assert read_result(spec.place) == result
    assert sorted(path.name for path in spec.place.iterdir()) == [
        "bundle",
        "events.jsonl",
        "result.json",
        "validation.parquet",
    ]
    assert read_outcomes(spec.place / "validation.parquet").num_rows == 12
    assert open_bundle(spec.place / "bundle").record["candidate"]["name"] == candidate
    # A trial that has ended is not done again.
    before = sha256_file(spec.place / "events.jsonl")
    assert finish(spec) == result
    assert sha256_file(spec.place / "events.jsonl") == before


@pytest.mark.parametrize("candidate", list(CANDIDATES))
def test_bundle_says_what_validation_outcomes_say(
    candidate: str, tmp_path: Path, make_spec: Callable[[str, Path], TrialSpec]
) -> None:
    """The temperature is part of the weights: whoever loads the bundle gets the calibrated probabilities."""
    from provetune.inference.predictor import load

    spec = make_spec(candidate, tmp_path)
    result = finish(spec)
    rows = load_split(Path(spec.study_folder), "validation")
    predictor = load(spec.place / "bundle")
    kept = probability_matrix(read_outcomes(spec.place / "validation.parquet"), 3)
    assert result["temperature"] != 1.0
    np.testing.assert_allclose(predictor.probabilities(rows), kept, atol=2e-5)
    golden = predictor_golden(spec)
    assert golden.check(predictor.probabilities(list(golden.inputs)), where="golden") < 1e-5


def predictor_golden(spec: TrialSpec) -> Any:
    return open_bundle(spec.place / "bundle").golden


def test_golden_examples_hold_no_row_of_the_user(tmp_path: Path, make_spec: Callable[[str, Path], TrialSpec]) -> None:
    spec = make_spec("words", tmp_path)
    finish(spec)
    inputs = set(predictor_golden(spec).inputs)
    texts = {
        text
        for name in ("train", "validation")
        for text in load_split(Path(spec.study_folder), name).column("text").to_pylist()
    }
    assert {"billing", "delivery", "login"} <= inputs
    assert not inputs & texts


def losses(spec: TrialSpec) -> list[float]:
    return [event["loss"] for event in read_events(spec.place / "events.jsonl") if event["event"] == "step"]


@pytest.mark.parametrize("candidate", ["full", "lora"])
@pytest.mark.parametrize("cut", [2, 5, 9])
def test_interrupted_trial_ends_with_the_same_bits(
    candidate: str, cut: int, tmp_path: Path, make_spec: Callable[[str, Path], TrialSpec]
) -> None:
    whole, broken = make_spec(candidate, tmp_path / "whole"), make_spec(candidate, tmp_path / "broken")
    finish(whole)
    work = run_trial(broken)
    for event in work:
        if event["event"] == "step" and event["step"] == cut:
            break
    work.close()
    assert (broken.place / "checkpoint").exists() == (cut > 3)
    (broken.place / ".bundle.x.part").mkdir()
    finish(broken)
    assert not list(broken.place.glob(".*"))
    weights = "bundle/model.safetensors"
    assert sha256_file(broken.place / weights) == sha256_file(whole.place / weights)
    assert read_outcomes(broken.place / "validation.parquet").equals(read_outcomes(whole.place / "validation.parquet"))
    steps = [
        [e["loss"] for e in read_events(s.place / "events.jsonl") if e["event"] == "step"] for s in (whole, broken)
    ]
    assert steps[0] == steps[1]
    assert len(steps[0]) == 11


def test_seeds_make_different_models(tmp_path: Path, make_spec: Callable[[str, Path], TrialSpec]) -> None:
    first, second = make_spec("full", tmp_path / "a"), replace(make_spec("full", tmp_path / "b"), seed=8)
    finish(first)
    finish(second)
    weights = "bundle/model.safetensors"
    assert sha256_file(first.place / weights) != sha256_file(second.place / weights)


def test_pieces_are_computed_once_and_add_up(
    tmp_path: Path, make_spec: Callable[[str, Path], TrialSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec("head", tmp_path)
    rows = load_split(Path(spec.study_folder), "train")
    whole = features_of(spec, rows)
    assert whole.shape == (84, 32)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1.0, atol=1e-5)
    monkeypatch.setattr(frozen_features, "PIECE_ROWS", 32)
    pieces = features_of(spec, rows)
    np.testing.assert_allclose(pieces, whole, atol=1e-5)
    assert len(list((tmp_path / "cache").glob("frozen-*.safetensors"))) == 1 + 3

    def refuse(*_: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(frozen_features, "compute_features", refuse)
    np.testing.assert_array_equal(features_of(spec, rows), pieces)
    # Another number of threads may give other bits, so it is another file.
    with pytest.raises(AssertionError, match="computed again"):
        features_of(replace(spec, threads=2), rows)


def test_features_are_those_of_transformers(tmp_path: Path, make_spec: Callable[[str, Path], TrialSpec]) -> None:
    from provetune.models.features import frozen_features as frozen_features_of
    from provetune.training.features import encode_split

    spec = make_spec("head", tmp_path)
    rows = load_split(Path(spec.study_folder), "train")
    encoder, tokenizer = frozen_features.encoder_of(spec)
    store = encode_split(TASKS.get("classification"), rows, tokenizer, spec.encoding, None)
    wanted = frozen_features_of(encoder, TASKS.get("classification"), store, tokenizer.pad_token_id)
    np.testing.assert_allclose(features_of(spec, rows), wanted, atol=1e-5)
    half = replace(spec, settings={**spec.settings, "precision": "bf16"})
    rough = features_of(half, rows)
    assert np.abs(rough - wanted).max() > 1e-5
    assert (rough * wanted).sum(axis=1).min() > 0.999


def test_piece_jobs_cover_every_row(make_spec: Callable[[str, Path], TrialSpec], tmp_path: Path) -> None:
    jobs = piece_jobs(make_spec("head", tmp_path), {"train": 2500, "validation": 1024})
    assert [(job["split"], job["start"]) for job in jobs] == [
        ("train", 0),
        ("train", 1024),
        ("train", 2048),
        ("validation", 0),
    ]


def test_label_array_by_hand(make_spec: Callable[[str, Path], TrialSpec], tmp_path: Path) -> None:
    import pyarrow as pa

    targets = make_spec("words", tmp_path).label_names
    table = pa.table({"label": ["login", "billing", "delivery"]})
    assert label_array(TASKS.get("classification"), table, targets).tolist() == [2, 0, 1]
    several = pa.table({"label": pa.array([["login", "billing"], []], pa.list_(pa.string()))})
    several_targets = replace(targets, kind="multi_label")
    found = label_array(TASKS.get("classification"), several, several_targets)
    assert found.tolist() == [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]


def spec_with(**changes: Any) -> TrialSpec:
    base: dict[str, Any] = {
        "study_folder": "s",
        "folder": "f",
        "cache": "c",
        "task": "classification",
        "candidate": "full",
        "k": 1,
        "seed": 3,
        "settings": {"max_length": 64, "long_texts": "windows", "label_weights": "none"},
        "method_settings": {},
        "targets": {"kind": "single_label", "names": ("a", "b"), "counts": (30, 10)},
        "backbone": {"path": "p", "content_hash": "h"},
    }
    return TrialSpec(**{**base, **changes})


def test_spec_survives_json() -> None:
    import json

    spec = spec_with()
    assert TrialSpec.from_json(json.loads(json.dumps({**spec.to_json(), "later": 1}))).to_json() == json.loads(
        json.dumps(spec.to_json())
    )
    assert spec.id == "full-1"


def test_windows_share_at_most_a_quarter() -> None:
    assert spec_with().encoding == EncodeSettings(64, "windows", 16)
    assert spec_with(settings={"max_length": 256, "long_texts": "windows"}).encoding == EncodeSettings(
        256, "windows", 32
    )
    with pytest.raises(UsageError, match="no backbone"):
        _ = spec_with(backbone=None).encoding


def test_balanced_weights_by_hand() -> None:
    # Inverse counts 1/30 and 1/10, scaled to a mean of one: 0.5 and 1.5.
    assert spec_with(settings={"label_weights": "balanced"}).label_weights == pytest.approx([0.5, 1.5])
    assert spec_with(settings={"label_weights": "none"}).label_weights is None
    assert spec_with(settings={"label_weights": "auto"}).label_weights is None
    rare = {"kind": "single_label", "names": ("a", "b"), "counts": (110, 10)}
    assert spec_with(settings={"label_weights": "auto"}, targets=rare).label_weights == pytest.approx([1 / 6, 11 / 6])


def test_weights_of_several_labels_leave_the_most_frequent_one_alone() -> None:
    several = {"kind": "multi_label", "names": ("a", "b", "c"), "counts": (200, 50, 2)}
    assert spec_with(settings={"label_weights": "balanced"}, targets=several).label_weights == [1.0, 4.0, 10.0]


def test_a_step_that_no_row_has_weighs_nothing() -> None:
    steps = {"kind": "ordinal", "names": ("low", "some", "high"), "counts": (30, 0, 10)}
    assert spec_with(settings={"label_weights": "balanced"}, targets=steps).label_weights == pytest.approx(
        [0.5, 0, 1.5]
    )
    assert spec_with(settings={"label_weights": "auto"}, targets=steps).label_weights is None

"""Methods that train a part, through a whole study: bundles that load, adapters that go back on, and bad settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from provetune.core.errors import ProvetuneError
from provetune.core.files import read_json
from provetune.inference.adapters import load_adapter
from provetune.inference.predictor import load
from provetune.study.run import run

WriteProblem = Callable[..., Path]
QUICK: dict[str, Any] = {"epochs": 1, "batch_rows": 16, "precision": "fp32"}
CANDIDATES: dict[str, Any] = {
    "ia3": {"method": "ia3", **QUICK},
    "bitfit": {"method": "bitfit", **QUICK, "precision": "bf16"},
    "top": {"method": "top_layers", "train_layers": 1, **QUICK},
    "ada": {"method": "adalora", "rank": 2, "objective": "fgm", **QUICK},
    "dora": {"method": "lora", "dora": True, "rank": 2, **QUICK, "precision": "bf16"},
    "rs": {"method": "lora", "rslora": True, "rank": 4, **QUICK},
}
TEXTS = ["my parcel is late", "the invoice was charged again", "password locked"]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> dict[str, Any]:
    problem = write_problem(
        tmp_path_factory.mktemp("adapting"),
        candidates=CANDIDATES,
        study={"seeds": 1, "parallel": 1, "keep": "all"},
    )
    candidates: dict[str, Any] = run(problem).document["candidates"]
    return candidates


@pytest.mark.parametrize("name", CANDIDATES)
def test_bundle_and_adapter_alone_answer_alike(name: str, found: dict[str, Any], tiny_backbone: Path) -> None:
    (folder,) = found[name]["bundles"]
    bundle = load(folder, verify="golden")
    alone = load_adapter(Path(folder) / "adapter", tiny_backbone)
    assert alone.targets.names == bundle.targets.names
    np.testing.assert_allclose(alone.probabilities(TEXTS), bundle.probabilities(TEXTS), atol=1e-5)
    assert [row["label"] for row in alone.predict(TEXTS)] == [row["label"] for row in bundle.predict(TEXTS)]


def test_bundles_are_plain_hugging_face_folders(found: dict[str, Any]) -> None:
    from transformers import pipeline

    (folder,) = found["ia3"]["bundles"]
    told = pipeline("text-classification", model=str(folder), top_k=None)(TEXTS)
    bundle = load(folder)
    for row, wanted in zip(told, bundle.predict(TEXTS, proba=True), strict=True):
        assert {each["label"]: each["score"] for each in row} == pytest.approx(wanted["labels"], abs=1e-5)


def test_adalora_ends_within_its_budget(found: dict[str, Any]) -> None:
    (folder,) = found["ada"]["bundles"]
    weights = load_file(Path(folder) / "adapter" / "adapter_model.safetensors")
    values = [value for name, value in weights.items() if "lora_E" in name]
    assert len(values) == 12
    assert {value.shape for value in values} == {(3, 1)}
    assert sum(int((value != 0).sum()) for value in values) == 2 * 12
    settled = read_json(Path(folder) / "provetune.json")["candidate"]
    assert settled["evaluations"] == 1


def test_only_what_should_train_trains(found: dict[str, Any]) -> None:
    files = {name: list((Path(found[name]["bundles"][0]) / "adapter").glob("*.safetensors")) for name in CANDIDATES}
    assert all(len(each) == 1 for each in files.values())
    sizes = {name: each[0].stat().st_size for name, each in files.items()}
    assert sizes["ia3"] < sizes["top"]
    assert sizes["bitfit"] < sizes["top"]


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ({"method": "lora", "rank": 0}, "'rank' must be greater than or equal to 1. Got 0 instead."),
        ({"method": "adalora", "rank": 8, "start_rank": 4}, "start_rank must be above rank, 8. Got 4 instead."),
        ({"method": "adalora", "ema": 0.9}, "would bring them back"),
        ({"method": "top_layers", "train_layers": 9}, "train_layers is 9, and this backbone has 2 layers."),
        ({"method": "top_layers", "train_layers": 0}, "train_layers"),
        ({"method": "bitfit", "rank": 4}, "Unknown key 'rank' for the method 'bitfit'"),
        ({"method": "lora", "targets": ["qery"]}, "qery"),
    ],
)
def test_bad_settings_are_one_line_before_any_work(
    candidate: dict[str, Any], said: str, write_problem: WriteProblem, tmp_path: Path
) -> None:
    problem = write_problem(tmp_path, candidates={"odd": candidate}, study={"seeds": 1})
    with pytest.raises(ProvetuneError) as told:
        run(problem)
    assert said in str(told.value)


def test_a_family_without_the_head_is_refused_in_a_line_that_names_others(
    write_problem: WriteProblem, tmp_path: Path, tiny_backbone: Path
) -> None:
    from family_models import WRITER, family_model

    folder = tmp_path / "marian"
    family_model("marian", WRITER, None, 300).save_pretrained(folder)
    for file in tiny_backbone.glob("tokenizer*"):
        (folder / file.name).write_bytes(file.read_bytes())
    problem = write_problem(tmp_path, candidates={"odd": {"method": "full", "backbone": str(folder)}})
    with pytest.raises(ProvetuneError, match="family 'marian' do not serve the method 'full'") as told:
        run(problem)
    assert "Families that do: bert" in str(told.value.hint)
    assert told.value.where is not None
    assert "problem.yaml" in str(told.value.where)

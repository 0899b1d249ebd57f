"""Methods that cannot be merged, through a whole study: bundles, adapters alone, refusals before any work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from provetune.core.errors import ProvetuneError
from provetune.inference.predictor import load
from provetune.models.bundle import open_bundle
from provetune.study.run import Study, run

WriteProblem = Callable[..., Path]

COMMON: dict[str, Any] = {"epochs": 2, "batch_rows": 8, "precision": "fp32"}
CANDIDATES: dict[str, Any] = {
    "words": {"method": "tfidf"},
    "adapter": {"method": "adapter", "bottleneck": 4, **COMMON},
    "prefix": {"method": "prefix", "prefix_length": 4, "prefix_hidden": 8, **COMMON},
    "prompt": {"method": "prompt", "prompt_length": 4, **COMMON, "precision": "bf16"},
}
APART = ("adapter", "prefix", "prompt")
TEXTS = ["my parcel is late again", "invoice refund please"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> Study:
    problem = write_problem(
        tmp_path_factory.mktemp("apart"),
        candidates=CANDIDATES,
        accept={"latency_p95_ms": "<= 60000"},
        claims=["adapter > words - 0.9"],
        study={"seeds": 1, "parallel": 1, "keep": "all"},
    )
    return run(problem)


def bundle_of(study: Study, candidate: str) -> Path:
    return study.folder / study.document["candidates"][candidate]["bundles"][0]


@pytest.mark.parametrize("candidate", APART)
def test_bundles_answer_as_they_were_judged(study: Study, candidate: str) -> None:
    place = bundle_of(study, candidate)
    bundle = open_bundle(place)
    assert bundle.kind == "adapted"
    assert bundle.record["needs_provetune"] is True
    whole = load(place, verify="golden")
    alone = load(place / "adapter")
    np.testing.assert_array_equal(alone.probabilities(TEXTS), whole.probabilities(TEXTS))
    assert alone.columns == whole.columns


def test_their_latency_is_measured_like_any_other(study: Study) -> None:
    (judged,) = study.document["accept"]
    assert judged["metric"] == "latency_p95_ms"
    assert judged["value"] > 0


def test_a_setting_that_cannot_work_is_refused_with_its_line(tmp_path: Path, write_problem: WriteProblem) -> None:
    import transformers

    folder = tmp_path / "mpnet"
    config = transformers.MPNetConfig(
        vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    transformers.MPNetModel(config).save_pretrained(folder)
    problem = write_problem(tmp_path, candidates={"prefix": {"method": "prefix", **COMMON}})
    tiny = Path(yaml.safe_load(problem.read_text())["candidates"]["prefix"]["backbone"])
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tiny / name).read_bytes())
    problem.write_text(problem.read_text().replace(str(tiny), str(folder)))
    with pytest.raises(ProvetuneError, match="A prefix does not work with backbones of the family 'mpnet'") as refused:
        run(problem)
    assert "problem.yaml" in str(refused.value)
    assert "bert" in str(refused.value.hint)
    assert not list(tmp_path.rglob("events.jsonl"))


def test_width_nought_is_refused_with_its_line(tmp_path: Path, write_problem: WriteProblem) -> None:
    problem = write_problem(tmp_path, candidates={"adapter": {"method": "adapter", "bottleneck": 0, **COMMON}})
    with pytest.raises(ProvetuneError, match=r"problem\.yaml:\d+.*bottleneck"):
        run(problem)


def test_adapters_name_the_backbone_by_its_content(study: Study) -> None:
    origin = json.loads((bundle_of(study, "prompt") / "adapter" / "origin.json").read_text())
    assert len(origin["backbone"]["content_hash"]) == 64
    assert origin["targets"]["names"] == ["billing", "delivery", "login"]
    assert origin["encode"]["max_length"] > 0

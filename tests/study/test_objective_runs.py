"""Objectives through a whole study: composed, with every method that takes them, and refused before any work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from provetune.core.errors import ProvetuneError, UsageError
from provetune.inference.predictor import load
from provetune.models.methods.full import FullSettings
from provetune.problem.syntax import Candidate
from provetune.study.run import run
from provetune.study.support import refuse_unfit_parts
from provetune.tasks import TASKS

WriteProblem = Callable[..., Path]
QUICK: dict[str, Any] = {"epochs": 1, "batch_rows": 16, "precision": "fp32"}


def test_they_compose_with_methods_and_formats(write_problem: WriteProblem, tmp_path: Path) -> None:
    problem = write_problem(
        tmp_path,
        candidates={
            "both": {"method": "lora", "rank": 2, "objective": ["rdrop", "fgm"], "rdrop_weight": 4, **QUICK},
            "many": {
                "method": "full",
                "objective": ["focal", "freelb", "supcon"],
                "freelb_steps": 2,
                "supcon_weight": 0.2,
                "label_weights": "balanced",
                **QUICK,
                "precision": "bf16",
            },
            "mixed": {
                "method": "full",
                "objective": ["label_smoothing", "mixup", "pgd"],
                "pgd_steps": 1,
                "hidden_dropout": 0.2,
                "attention_dropout": 0.05,
                "head_dropout": 0,
                "speedups": False,
                **QUICK,
            },
        },
        study={"seeds": 1, "parallel": 1, "keep": "all"},
    )
    study = run(problem)
    found = study.document["candidates"]
    for name in ("both", "many", "mixed"):
        assert 0 <= found[name]["metrics"]["accuracy"]["mean"] <= 1
    told = load(found["mixed"]["bundles"][0]).predict(["my parcel is late"])
    assert told[0]["label"] in ("billing", "delivery", "login")


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ({"objective": ["fgm", "pgd"]}, "both disturb the embeddings"),
        ({"objective": ["focal", "label_smoothing"]}, "both say what one answer costs"),
        ({"objective": "fgm", "fgm_epsilon": -1}, "greater than or equal to 0"),
        ({"fgm_epsilon": 0.1}, "belongs to the objective fgm"),
        ({"objective": "rdropp"}, "rdrop"),
        ({"method": "head", "objective": "fgm"}, "does not use 'objective'"),
        ({"method": "head", "head_dropout": 0.5}, "does not use 'head_dropout'"),
        ({"hidden_dropout": 1}, "'candidates.full.hidden_dropout' must be"),
    ],
)
def test_what_cannot_be_is_told_in_a_line_before_any_work(
    candidate: dict[str, Any], said: str, write_problem: WriteProblem, tmp_path: Path
) -> None:
    problem = write_problem(tmp_path, candidates={"full": {"method": "full", **candidate}})
    with pytest.raises(ProvetuneError) as caught:
        run(problem)
    told = str(caught.value)
    assert said in told
    assert told.startswith("problem.yaml:1")
    assert "\n" not in told
    assert not list(tmp_path.glob(".provetune/studies/*/trials/*"))


def test_a_dropout_that_the_family_lacks_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "mpnet"}')
    candidate = Candidate.model_validate({"method": "full", "head_dropout": 0.3, "hidden_dropout": 0.2})
    backbone: Any = SimpleNamespace(path=tmp_path)
    task = TASKS.get("classification")
    with pytest.raises(UsageError, match="family 'mpnet' have no head_dropout") as caught:
        refuse_unfit_parts(candidate, FullSettings(), backbone, task, lambda field: f"problem.yaml:{field}")
    assert caught.value.where == "problem.yaml:head_dropout"
    assert caught.value.hint == "They have hidden_dropout and attention_dropout."
    refuse_unfit_parts(candidate, FullSettings(), None, task, str)

"""Training settings from the problem file to the loop: choices, notes, identity, and a study that uses them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import provetune
from provetune.core.files import read_json, write_json
from provetune.models.methods import METHODS
from provetune.problem.syntax import Candidate
from provetune.study.frozen_layers import say_frozen
from provetune.study.resolved import PROBLEM, RESOLVED
from provetune.study.training_choices import training_choices, with_task_defaults
from provetune.tasks import TASKS


def chosen(method: str, **fields: Any) -> dict[str, Any]:
    candidate = Candidate(method=method, **fields)
    return training_choices(candidate, METHODS.get(method), 64, rows=32_000, size=2304)


@pytest.mark.parametrize(("optimiser", "times"), [("adamw", 1), ("adafactor", 1), ("sgd", 100)])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_an_open_rate_is_the_optimiser_s(method: str, optimiser: str, times: float) -> None:
    usual = METHODS.get(method).defaults["learning_rate"]
    assert chosen(method, optimiser=optimiser)["learning_rate"] == pytest.approx(usual * times)
    assert chosen(method, optimiser=optimiser, learning_rate=0.3)["learning_rate"] == 0.3


def test_a_rate_of_the_task_is_the_optimiser_s_too() -> None:
    chat = TASKS.get("chat")
    taken = with_task_defaults(Candidate(method="full", optimiser="sgd"), chat)
    assert taken.learning_rate == pytest.approx(100 * chat.defaults["full"]["learning_rate"])


def test_one_cycle_rises_for_as_long_as_it_falls() -> None:
    assert chosen("full", schedule="one_cycle")["warmup"] == 0.45
    assert chosen("full", schedule="one_cycle", warmup=0.3)["warmup"] == 0.3
    assert chosen("full", schedule="cosine")["warmup"] == METHODS.get("full").defaults["warmup"]


class Folder:
    """All of a backbone that is asked for here."""

    def __init__(self, path: Path, **config: Any) -> None:
        self.path = path
        write_json(path / "config.json", config)


@pytest.mark.parametrize(
    ("config", "epochs", "said"),
    [
        ({"num_hidden_layers": 12}, 3, "'x' unfreezes 2 of 12 layers in its 3 epochs"),
        ({"num_hidden_layers": 2}, 2.5, None),
        ({"encoder_layers": 6, "decoder_layers": 6, "num_hidden_layers": 6}, 4, "3 of 12 layers"),
        ({"num_layers": 4}, 4, "3 of 8 layers"),
        ({}, 1, None),
    ],
)
def test_layers_out_of_reach_are_told(tmp_path: Path, config: dict[str, Any], epochs: float, said: str | None) -> None:
    if config == {"num_layers": 4}:
        config = {**config, "num_decoder_layers": 4}
    backbone: Any = Folder(tmp_path, **config)
    found = say_frozen("x", Candidate(method="full", unfreeze="gradual"), epochs, backbone)
    assert found is None if said is None else said in str(found)
    assert say_frozen("x", Candidate(method="full"), epochs, backbone) is None


def test_what_is_left_at_its_default_is_not_written() -> None:
    names = ("schedule", "optimiser", "layer_decay", "unfreeze", "ema", "gradient_checkpointing")
    assert not set(names) & Candidate(method="full", schedule="linear", ema=None).model_dump().keys()
    others = {"schedule": "cosine", "optimiser": "sgd", "layer_decay": 0.9, "unfreeze": "gradual", "ema": 0.9}
    full = Candidate(method="full", gradient_checkpointing=True, **others).model_dump()
    assert {name: full[name] for name in names} == {**others, "gradient_checkpointing": True}


def test_a_study_of_candidates_that_use_them_all(write_problem: Any, tmp_path: Path) -> None:
    common = {"epochs": 2, "batch_rows": 16, "precision": "fp32"}
    path = write_problem(
        tmp_path / "problem",
        candidates={
            "words": {"method": "tfidf"},
            "slow": {"method": "full", "optimiser": "sgd", "schedule": "one_cycle", "layer_decay": 0.8, **common},
            "late": {"method": "lora", "unfreeze": "gradual", "gradient_checkpointing": True, "ema": 0.9, **common},
            "lean": {"method": "full", "optimiser": "adafactor", "schedule": "polynomial", "accumulate": 2, **common},
        },
        study={"seeds": 1, "parallel": 1},
    )
    study = provetune.run(path)
    assert set(study.candidates) == {"words", "slow", "late", "lean"}
    # Two epochs of a tiny random model may well learn nothing, which a study tells; none may break.
    errors = [run["message"] for each in study.candidates.values() for run in each["failed"]]
    assert not [message for message in errors if "no better than" not in message]
    written = yaml.safe_load((study.folder / PROBLEM).read_text())["candidates"]
    assert written["slow"]["learning_rate"] == pytest.approx(0.02)
    assert written["slow"]["warmup"] == 0.45
    assert written["late"]["unfreeze"] == "gradual"
    assert "schedule" not in written["late"]
    notes = read_json(study.folder / RESOLVED)["notes"]
    assert any("'late' unfreezes 1 of 2 layers" in note for note in notes)


@pytest.mark.parametrize(
    ("field", "value"),
    [("layer_decay", 1.5), ("ema", 1.0), ("schedule", "linaer"), ("unfreeze", "slowly"), ("optimiser", "lion")],
)
def test_bad_settings_are_refused_with_their_place(write_problem: Any, tmp_path: Path, field: str, value: Any) -> None:
    from provetune.core.errors import ProvetuneError

    path = write_problem(tmp_path / "problem", candidates={"full": {"method": "full", field: value}})
    with pytest.raises(ProvetuneError, match=field):
        provetune.run(path)


def test_a_method_without_steps_refuses_them(write_problem: Any, tmp_path: Path) -> None:
    from provetune.core.errors import ProvetuneError

    path = write_problem(tmp_path / "problem", candidates={"words": {"method": "tfidf", "schedule": "cosine"}})
    with pytest.raises(ProvetuneError, match="does not use 'schedule'"):
        provetune.run(path)

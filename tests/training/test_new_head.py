"""A new language-model head learns alone first: the encoder stays as it is, and what is cut off goes on as ever."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import provetune as pt
from provetune.core.errors import UsageError
from provetune.models import own
from provetune.models.backbones import describe, find_backbone
from provetune.models.loading import load_tokenizer
from provetune.training.pretraining.kinds import KINDS
from provetune.training.pretraining.settings import PretrainSettings, settle
from provetune.training.pretraining.stages import HEAD_RATE, Stages

TEXTS = [f"my {('parcel', 'invoice', 'refund')[n % 3]} number {n} is {('late', 'wrong')[n % 2]}" for n in range(64)]
# Four passes of four steps, the first of them for the head.
GIVEN: dict[str, Any] = {
    "epochs": 4,
    "head_warmup": 0.25,
    "learning_rate": 1e-3,
    "batch_rows": 16,
    "held_out": 0.05,
    "evaluations": 1,
}
RUN: dict[str, Any] = {**GIVEN, "precision": "fp32", "language": "en", "checkpoint_minutes": 0}


@pytest.fixture(autouse=True)
def own_cache(tiny_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tiny cache, so that what is made here is nobody else's."""
    cache = tmp_path / "cache"
    shutil.copytree(tiny_cache, cache)
    shutil.rmtree(cache / "own", ignore_errors=True)
    monkeypatch.setenv("PROVETUNE_CACHE", str(cache))
    return cache


def stages(folder: Path, backbone: Path, hear: Callable[[Any], None], **changes: Any) -> Stages:
    """Both stages on a backbone in a folder; the score is one that nothing draws for."""
    settings = settle({**GIVEN, **changes}, {}, 64)
    source = describe(backbone, name="tiny", source="folder")
    kind = KINDS.get("mlm").begin(source, load_tokenizer(backbone), settings, "en", "cpu")
    folder.mkdir(exist_ok=True)

    def score(model: Any) -> dict[str, float]:
        return {"loss": float(sum(value.detach().abs().sum() for value in model.cls.parameters()))}

    return Stages(kind, kind.cut(TEXTS), settings, ("cpu", "fp32"), folder, 0, score, 5.0, hear)


def copied(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def test_the_encoder_stays_to_the_bit_while_the_head_learns(tmp_path: Path, tiny_backbone: Path) -> None:
    heard: list[Any] = []
    run = stages(tmp_path / "work", tiny_backbone, heard.append)
    model = run.kind.model
    start = copied(model)
    done = run.learn_head()
    assert done is not None
    now = copied(model)
    moved = {name for name in start if not torch.equal(start[name], now[name])}
    # The output layer is the token embeddings, which are the encoder's: of the head itself everything moves.
    assert moved == {name for name in start if name.startswith("cls.")}
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert done["steps"] == 4
    assert done["loss"] == run.score(model)["loss"]
    steps = [event for event in heard if event["event"] == "step"]
    assert [event["learning_rate"] for event in steps[1:]] == pytest.approx([HEAD_RATE * 1e-3] * 3)
    run.learn_all()
    assert len([event for event in heard if event["event"] == "step"]) == 16
    assert not torch.equal(copied(model)["bert.encoder.layer.0.output.dense.weight"], start[
        "bert.encoder.layer.0.output.dense.weight"
    ])  # fmt: skip


def test_a_head_that_learned_before_is_taken_up(tmp_path: Path, tiny_backbone: Path) -> None:
    """As after a kill between the stages: the head as it became, and no step of the first again."""
    first = stages(tmp_path / "work", tiny_backbone, lambda event: None)
    done = first.learn_head()
    heard: list[Any] = []
    second = stages(tmp_path / "work", tiny_backbone, heard.append)
    assert second.learn_head() == done
    assert heard == []
    wanted = copied(first.kind.model)
    assert all(torch.equal(value, wanted[name]) for name, value in copied(second.kind.model).items())


def cut_at(moment: Callable[[Any], bool]) -> Callable[[Any], None]:
    def hear(event: Any) -> None:
        if moment(event):
            raise KeyboardInterrupt

    return hear


@pytest.mark.parametrize(
    "moment",
    [
        lambda event: event["event"] == "saved" and event["step"] == 2,
        lambda event: event.get("message") == "Training the whole model",
    ],
    ids=["in the first stage", "between the stages"],
)
def test_cut_off_and_gone_on_equals_never_cut_off(moment: Callable[[Any], bool]) -> None:
    straight = pt.pretrain(TEXTS, name="mine", backbone="minilm-en", **RUN)
    expected = load_file(straight.path / "model.safetensors")
    shutil.rmtree(straight.path)
    with pytest.raises(KeyboardInterrupt):
        pt.pretrain(TEXTS, name="mine", backbone="minilm-en", listener=cut_at(moment), **RUN)
    assert own.names() == []
    torch.manual_seed(5)
    again = pt.pretrain(TEXTS, name="mine", backbone="minilm-en", **RUN)
    found = load_file(again.path / "model.safetensors")
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    alike = [{**made.record["pretraining"]["head_alone"], "seconds": 0} for made in (straight, again)]
    assert alike[0] == alike[1]


def test_it_is_told_and_only_where_the_head_is_new() -> None:
    made = pt.pretrain(TEXTS, name="mine", backbone="minilm-en", **RUN)
    facts = made.record["pretraining"]
    alone = facts["head_alone"]
    assert facts["new_head"]
    assert facts["settings"]["head_warmup"] == 0.25
    assert (alone["steps"], facts["steps"]) == (4, 12)
    card = (made.path / "README.md").read_text(encoding="utf-8")
    assert f"learned alone for 4 steps before the others, the encoder frozen: a loss of {alone['loss']:.4f}" in card
    # What was made so has a head, and goes on with it from the first step.
    more = pt.pretrain(TEXTS, name="more", backbone="mine", **RUN).record["pretraining"]
    assert (more["new_head"], more["head_alone"], more["steps"]) == (False, None, 16)


def test_its_share_has_a_default_where_a_head_can_be_new_and_can_be_nought(own_cache: Path) -> None:
    assert settle({}, KINDS.get("mlm").defaults, 512).head_warmup == 0.3
    assert {settle({}, KINDS.get(name).defaults, 512).head_warmup for name in ("clm", "simcse")} == {0.0}
    for share in (1.0, -0.1):
        with pytest.raises(UsageError, match="head_warmup"):
            pt.pretrain(TEXTS, name="mine", backbone="minilm-en", head_warmup=share)
    facts = pt.pretrain(TEXTS, name="mine", backbone="minilm-en", **{**RUN, "head_warmup": 0}).record["pretraining"]
    assert (facts["head_alone"], facts["steps"]) == (None, 16)
    # Backbones that were made before there was such a setting are still known as what they are.
    before = {name: value for name, value in facts["settings"].items() if name != "head_warmup"}
    assert PretrainSettings.model_validate({**before, "head_warmup": 0}).model_dump() == facts["settings"]
    known = ["mlm", find_backbone("minilm-en").content_hash, facts["texts"]["hash"], before, "en", "cpu", "fp32"]
    assert facts["identity"] == hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()

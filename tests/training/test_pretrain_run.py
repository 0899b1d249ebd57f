"""Pretraining as a whole: the loss falls, what is cut off goes on as if nothing had been, a name is a backbone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import provetune as pt
from provetune.core.errors import CorruptError, Interrupted, UsageError
from provetune.core.files import read_json, sha256_file
from provetune.models import own
from provetune.models.backbones import find_backbone
from provetune.models.download import ORIGIN

THINGS = ("parcel", "invoice", "password", "refund", "courier")
TEXTS = [f"my {THINGS[n % 5]} is {('late', 'wrong', 'lost')[n % 3]} again {n % 7}" for n in range(105)]
QUICK: dict[str, Any] = {"epochs": 2, "learning_rate": 3e-3, "batch_rows": 16, "precision": "fp32", "held_out": 0.1}


@pytest.fixture(autouse=True)
def own_cache(tiny_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tiny cache, so that what is made here is nobody else's."""
    cache = tmp_path / "cache"
    shutil.copytree(tiny_cache, cache)
    shutil.rmtree(cache / "own", ignore_errors=True)
    monkeypatch.setenv("PROVETUNE_CACHE", str(cache))
    return cache


def weights(name: str) -> dict[str, torch.Tensor]:
    return load_file(own.own_folder(name) / "model.safetensors")


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    ("objective", "backbone", "epochs"), [("mlm", "minilm-en", 8), ("clm", "smollm2-135m-en", 3), ("simcse", "auto", 3)]
)
def test_the_loss_of_held_out_texts_falls(objective: str, backbone: str, epochs: int) -> None:
    made = pt.pretrain(
        TEXTS, name="mine", backbone=backbone, objective=objective, language="en", **{**QUICK, "epochs": epochs}
    )
    facts = made.record["pretraining"]
    assert facts["after"]["loss"] < facts["before"]["loss"]
    assert (
        facts["from"]["content_hash"]
        == find_backbone(backbone, "en", kind="decoder" if objective == "clm" else "encoder").content_hash
    )
    assert facts["texts"]["learned"] + facts["texts"]["held_out"] == len(TEXTS)
    assert facts["new_head"] == (objective == "mlm") == any("tied" in note for note in facts["notes"])
    assert all(sha256_file(made.path / name) == found for name, found in made.record["files"].items())
    card = (made.path / "README.md").read_text(encoding="utf-8")
    assert facts["texts"]["hash"] in card
    assert not list((own.own_folder("mine").parents[1] / "pretraining").iterdir())


def test_transformers_loads_it_head_pooler_and_all() -> None:
    from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

    made = pt.pretrain(TEXTS, name="mine", backbone="minilm-en", **QUICK)
    model, report = AutoModelForMaskedLM.from_pretrained(made.path, output_loading_info=True)
    assert not report["missing_keys"]
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    _, report = AutoModel.from_pretrained(made.path, output_loading_info=True)
    assert not report["missing_keys"]  # the pooler is there
    source = load_file(find_backbone("minilm-en").path / "model.safetensors")
    assert torch.equal(weights("mine")["bert.pooler.dense.weight"], source["pooler.dense.weight"])
    assert AutoTokenizer.from_pretrained(made.path).mask_token == "[MASK]"
    # What has a head keeps it.
    assert not pt.pretrain(TEXTS, name="more", backbone="mine", **QUICK).record["pretraining"]["new_head"]


def cut_after(steps: int) -> Callable[[Any], None]:
    def hear(event: Any) -> None:
        if event["event"] == "saved" and event["step"] == steps:
            raise KeyboardInterrupt

    return hear


@pytest.mark.parametrize("objective", ["mlm", "simcse"])
def test_cut_off_and_gone_on_equals_never_cut_off(objective: str) -> None:
    given = {**QUICK, "backbone": "minilm-en", "objective": objective, "precision": "bf16", "checkpoint_minutes": 0}
    straight = pt.pretrain(TEXTS, name="mine", **given)
    expected = weights("mine")
    shutil.rmtree(straight.path)
    with pytest.raises(KeyboardInterrupt):
        pt.pretrain(TEXTS, name="mine", listener=cut_after(5), **given)
    assert own.names() == []
    torch.manual_seed(5)
    started = []
    again = pt.pretrain(TEXTS, name="mine", listener=lambda e: started.append(e.get("step")), **given)
    assert 5 in started
    assert equal(weights("mine"), expected)
    for figures in ("before", "after"):
        assert again.record["pretraining"][figures] == straight.record["pretraining"][figures]


@pytest.mark.slow
def test_killed_and_gone_on_equals_never_cut_off(own_cache: Path, tmp_path: Path) -> None:
    """A process is killed outright, somewhere in its steps."""
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(TEXTS), encoding="utf-8")
    code = (
        "import torch; torch.set_num_threads(1)\nimport sys, provetune as pt\n"
        "pt.pretrain(sys.argv[1], name='mine', backbone='minilm-en', epochs=12, batch_rows=8, precision='fp32',"
        " checkpoint_minutes=0, device='cpu')\n"
    )
    line = [sys.executable, "-c", code, str(file)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(line, check=True, env=environment, timeout=120)
    expected = weights("mine")
    shutil.rmtree(own.own_folder("mine"))
    with subprocess.Popen(line, env=environment) as process:
        until = time.monotonic() + 60
        while not list(own_cache.glob("pretraining/mine-*/checkpoint/step-*")) and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.2)
        assert process.poll() is None
        process.kill()
    assert own.names() == []
    subprocess.run(line, check=True, env=environment, timeout=120)
    assert equal(weights("mine"), expected)


def test_ctrl_c_saves_and_says_how_to_go_on(own_cache: Path) -> None:
    def hear(event: Any) -> None:
        if event["event"] == "step" and event["step"] == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="The same command goes on"):
        pt.pretrain(TEXTS, name="mine", backbone="minilm-en", listener=hear, **QUICK)
    assert [path.name for path in own_cache.glob("pretraining/mine-*/*/step-*")] == ["step-00000003"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
def test_a_problem_file_names_it(write_problem: Any, tmp_path: Path) -> None:
    made = pt.pretrain(TEXTS, name="support-mlm", backbone="minilm-en", **QUICK)
    path = write_problem(
        tmp_path / "problem",
        candidates={
            "full": {"method": "full", "backbone": "support-mlm", "epochs": 1, "precision": "fp32"},
            "head": {"method": "head", "backbone": "support-mlm"},
        },
        study={"seeds": 1, "parallel": 1},
    )
    study = pt.run(path, listener=None)
    for candidate in ("full", "head"):
        assert 0 <= study.document["candidates"][candidate]["metrics"]["accuracy"]["mean"] <= 1
    assert find_backbone("support-mlm").content_hash == find_backbone(str(made.path)).content_hash


def test_a_name_means_one_thing() -> None:
    first = pt.pretrain(TEXTS, name="mine", backbone="minilm-en", **QUICK)
    heard: list[Any] = []
    assert pt.pretrain(TEXTS, name="mine", backbone="minilm-en", listener=heard.append, **QUICK) == first
    assert heard == []
    with pytest.raises(UsageError, match=r"There is a backbone 'mine' that was made otherwise\..*--replace"):
        pt.pretrain(TEXTS, name="mine", backbone="minilm-en", **{**QUICK, "epochs": 1})
    other = pt.pretrain(TEXTS, name="mine", backbone="minilm-en", replace=True, **{**QUICK, "epochs": 1})
    assert other.record["pretraining"]["steps"] < first.record["pretraining"]["steps"]
    with pytest.raises(UsageError, match="'mine' is an encoder; this task works with a decoder"):
        find_backbone("mine", kind="decoder")
    config = other.path / "config.json"
    config.write_text(config.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(CorruptError, match=r"config\.json"):
        find_backbone("mine")
    (other.path / ORIGIN).write_text("{}", encoding="utf-8")
    with pytest.raises(CorruptError, match="record of a backbone"):
        find_backbone("mine")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "minilm-en"}, "The name 'minilm-en' is taken."),
        ({"name": "My Model"}, "small letters, digits"),
        ({"objective": "mln"}, "Did you mean 'mlm'"),
        ({"objective": "clm"}, "'minilm-en' is an encoder; this task works with a decoder"),
        ({"epochs": 0}, "epochs: Input should be greater than 0"),
        ({"epoch": 1}, "Pretraining has no setting 'epoch'. Did you mean 'epochs'"),
        ({"objective": "simcse", "batch_rows": 1}, "needs two texts or more in a batch"),
        ({"max_length": 4096}, "max_length 4096 is more than the backbone takes"),
        ({"checkpoint_minutes": -1}, "checkpoint_minutes must be 0 or more"),
    ],
)
def test_bad_input_is_refused_before_any_work(own_cache: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        pt.pretrain(TEXTS, **{"name": "mine", "backbone": "minilm-en", **changed})
    assert said in str(caught.value)
    assert not list(own_cache.glob("pretraining/*"))


def test_chinese_without_jieba_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from provetune.core.errors import EnvironmentFault

    monkeypatch.setitem(sys.modules, "jieba", None)
    texts = [f"今天的快递第{number}次晚到了，请退款" for number in range(12)]
    with pytest.raises(EnvironmentFault, match=r"pip install 'provetune\[zh\]'"):
        pt.pretrain(texts, name="mine", **QUICK)


def test_chinese_words_are_learned_whole() -> None:
    pytest.importorskip("jieba")
    texts = [f"今天的快递第{number}次晚到了，请马上退款" for number in range(30)]
    made = pt.pretrain(texts, name="mine", **{**QUICK, "epochs": 1})
    assert made.record["pretraining"]["language"] == "zh"
    assert any("jieba" in note for note in made.record["pretraining"]["notes"])
    assert read_json(made.path / ORIGIN)["model"]["languages"] == ["zh"]

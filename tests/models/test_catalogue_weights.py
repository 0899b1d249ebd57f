"""The catalogue's default models, fetched by the product itself: they load, and they mean what they should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from crafted import HEAD

from provetune.core.errors import EnvironmentFault
from provetune.models.backbones import Backbone, find_backbone
from provetune.models.features import load_encoder, mean_pooled
from provetune.models.loading import load_model, load_tokenizer

pytestmark = [pytest.mark.weights, pytest.mark.timeout(600)]


def fetched(language: str) -> Backbone:
    try:
        return find_backbone("auto", language)
    except EnvironmentFault as fault:
        pytest.skip(str(fault))


def embed(backbone: Backbone, texts: list[str]) -> np.ndarray:
    encoder, tokenizer = load_encoder(backbone.path), load_tokenizer(backbone)
    batch: Any = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = encoder(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    found: np.ndarray = mean_pooled(hidden, batch["attention_mask"]).numpy()
    return found


@pytest.mark.parametrize(
    ("language", "width", "parameters", "texts"),
    [
        (
            "en",
            384,
            22_713_216,
            ["where is my parcel", "my package has not arrived yet", "I want to cancel my gym"],
        ),
        ("zh", 512, 23_953_920, ["我的快递到哪里了", "包裹怎么还没有送到", "我想取消健身会员"]),
    ],
)
def test_default_models_know_what_is_alike(language: str, width: int, parameters: int, texts: list[str]) -> None:
    backbone = fetched(language)
    assert backbone.family == "bert"
    assert backbone.max_positions == 512
    assert backbone.licence
    vectors = embed(backbone, texts)
    assert vectors.shape == (3, width)
    alike = vectors @ vectors.T
    assert alike[0, 1] > alike[0, 2] + 0.1
    assert alike[0, 1] > alike[1, 2] + 0.1
    encoder = load_encoder(backbone.path)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == parameters


def test_the_chinese_weights_are_safetensors_now() -> None:
    folder = fetched("zh").path
    assert (folder / "model.safetensors").is_file()
    assert not list(folder.rglob("*.bin"))


def test_a_classifier_on_it_has_a_new_head_only(capfd: pytest.CaptureFixture[str]) -> None:
    backbone = fetched("en")
    model = load_model(backbone.path, "AutoModelForSequenceClassification", HEAD, seed=1)
    assert model.new_weights == ["classifier.bias", "classifier.weight"]
    tokenizer = load_tokenizer(backbone)
    # The files' own habit is to cut at 128 tokens.
    assert len(tokenizer("parcel " * 300)["input_ids"]) == 302
    assert capfd.readouterr().err == ""
    assert Path(backbone.path, "tokenizer.json").is_file()


def test_the_chat_decoder_answers_from_plain_files() -> None:
    try:
        backbone = find_backbone("auto", "en", kind="decoder")
    except EnvironmentFault as fault:
        pytest.skip(str(fault))
    assert (backbone.family, backbone.max_positions, backbone.width) == ("llama", 8192, 576)
    assert {path.suffix for path in backbone.path.iterdir()} == {".json", ".jinja", ".safetensors"}
    model, tokenizer = load_model(backbone.path, "AutoModelForCausalLM", {}, seed=0), load_tokenizer(backbone)
    assert model.new_weights == []
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        found = model.generate(**prompt, max_new_tokens=20, do_sample=False)[0]
    assert tokenizer.decode(found[prompt["input_ids"].shape[1] :]) == "The capital of France is Paris.<|im_end|>"
    assert tokenizer.convert_ids_to_tokens(tokenizer("in  2024")["input_ids"]) == ["in", "ĠĠ", "2", "0", "2", "4"]

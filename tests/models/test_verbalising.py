"""Asking language models for labels in words, against plain loops over log_softmax."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from chat_tokenizers import make_chat_tokenizer
from pydantic import ValidationError

from provetune.core.errors import CorruptError, UsageError
from provetune.core.minimised import Situation
from provetune.core.protocols import EncodeSettings, Targets
from provetune.models.methods.verbaliser import METHOD, VerbaliserSettings
from provetune.models.verbalising import FILE, VerbaliserReader, language_head, load_reader
from provetune.tasks import TASKS

TARGETS = Targets("single_label", ("card_lost", "parcel", "up"), (2, 2, 2))
TEXTS = ["my card is gone", "where is it", "hello"]
PLAIN = {"content_free": []}


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of characters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("causal")
    tokenizer = make_chat_tokenizer(None)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """A random BERT with a masked-LM head that reads characters."""
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    folder = tmp_path_factory.mktemp("masked")
    config = BertConfig.from_pretrained(tiny_backbone)
    config.initializer_range = 0.3
    with torch.random.fork_rng():
        torch.manual_seed(4)
        BertForMaskedLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_backbone).save_pretrained(folder)
    return folder


def reader(folder: Path, **settings: Any) -> VerbaliserReader:
    found = METHOD.read_labels(
        folder,
        TASKS.get("classification"),
        TARGETS,
        VerbaliserSettings(**settings),
        encoding=EncodeSettings(32),
        device="cpu",
        precision="fp32",
    )
    assert isinstance(found, VerbaliserReader)
    return found


def rows(texts: list[str]) -> pa.Table:
    return pa.table({"text": texts})


@pytest.mark.parametrize("per_token", [True, False])
def test_causal_scores_are_log_softmax_along_the_word(causal: Path, per_token: bool) -> None:
    asked = reader(causal, per_token=per_token, **PLAIN)
    found = asked.logits(rows(TEXTS))
    for row, text in enumerate(TEXTS):
        context = asked.tokenizer(f"Text: {text}\nLabel: ")["input_ids"]
        for label, word in enumerate(("card lost", "parcel", "up")):
            ids = [*context, *asked.tokenizer(word)["input_ids"]]
            with torch.no_grad():
                said = asked.model(torch.tensor([ids])).logits[0].log_softmax(dim=-1)
            each = [float(said[place - 1, ids[place]]) for place in range(len(context), len(ids))]
            wanted = np.mean(each) if per_token else np.sum(each)
            assert found[row, label] == pytest.approx(wanted, abs=2e-4)


def test_masked_scores_are_log_softmax_at_the_masks(masked: Path) -> None:
    asked = reader(masked, prompt="{text} so {mask}!", **PLAIN)
    found, tokenizer = asked.logits(rows(TEXTS)), asked.tokenizer
    for row, text in enumerate(TEXTS):
        for label, word in enumerate(("card lost", "parcel", "up")):
            own = tokenizer(word, add_special_tokens=False)["input_ids"]
            before = tokenizer(f"{text} so", add_special_tokens=False)["input_ids"]
            after = tokenizer("!", add_special_tokens=False)["input_ids"]
            ids = [tokenizer.cls_token_id, *before, *[tokenizer.mask_token_id] * len(own), *after]
            ids.append(tokenizer.sep_token_id)
            with torch.no_grad():
                said = asked.model(torch.tensor([ids])).logits[0].log_softmax(dim=-1)
            wanted = np.mean([float(said[1 + len(before) + k, token]) for k, token in enumerate(own)])
            assert found[row, label] == pytest.approx(wanted, abs=2e-4)


def test_of_several_words_the_mean_probability_counts(causal: Path) -> None:
    words = {"up": ["up", "above"]}
    both = reader(causal, label_words=words, **PLAIN).logits(rows(TEXTS))[:, 2]
    single = [reader(causal, label_words={"up": word}, **PLAIN).logits(rows(TEXTS))[:, 2] for word in words["up"]]
    np.testing.assert_allclose(both, np.log(np.mean(np.exp(single), axis=0)), atol=1e-5)


def test_content_free_texts_are_a_prior(causal: Path) -> None:
    plain, empty = reader(causal, **PLAIN), reader(causal, content_free=["", "N/A"])
    habit = np.exp(plain.logits(rows(["", "N/A"])).astype(float))
    prior = np.log((habit / habit.sum(axis=1, keepdims=True)).mean(axis=0))
    np.testing.assert_allclose(empty.logits(rows(TEXTS)), plain.logits(rows(TEXTS)) - prior, atol=1e-4)
    # Asked with the only text without content, no label is preferred.
    alone = reader(causal, content_free=["N/A"]).logits(rows(["N/A"]))
    assert np.ptp(alone) == pytest.approx(0, abs=1e-4)


def test_long_texts_lose_their_end_and_pairs_have_a_place(causal: Path) -> None:
    asked = reader(causal, prompt="{text}|{text_pair}: {mask}", **PLAIN)
    long = pa.table({"text": ["x" * 80], "text_pair": ["y"]})
    cut = pa.table({"text": ["x" * 32], "text_pair": ["y"]})
    np.testing.assert_array_equal(asked.logits(long), asked.logits(cut))
    assert not np.array_equal(asked.logits(cut), asked.logits(pa.table({"text": ["x" * 32], "text_pair": ["z"]})))


def test_braces_in_a_text_are_letters(causal: Path) -> None:
    asked = reader(causal, **PLAIN)
    assert (
        asked._encode(("a {mask} {text}", ""), "up")[0]
        == (asked.tokenizer("Text: a {mask} {text}\nLabel: up")["input_ids"])
    )


@pytest.mark.parametrize("kind", ["causal", "masked"])
def test_saved_it_answers_the_same(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder = request.getfixturevalue(kind)
    asked = reader(folder).scaled(2.5)
    asked.save(tmp_path)
    again = load_reader(tmp_path, folder, device="cpu", precision="fp32")
    np.testing.assert_allclose(again.logits(rows(TEXTS)), asked.logits(rows(TEXTS)), atol=1e-6)
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(CorruptError, match="prompt cannot be read"):
        load_reader(tmp_path, folder, device="cpu", precision="fp32")


def test_models_without_a_head_for_words_are_refused(tiny_backbone: Path, causal: Path, masked: Path) -> None:
    assert language_head(masked, "m")
    assert not language_head(causal, "c")
    with pytest.raises(UsageError, match="'minilm-en' has no head that says words") as refused:
        METHOD.check_backbone(tiny_backbone, "minilm-en", VerbaliserSettings())
    assert "zero_shot" in str(refused.value.hint)
    with pytest.raises(UsageError, match="must end with"):
        METHOD.check_backbone(causal, "c", VerbaliserSettings(prompt="{text} is {mask}."))
    METHOD.check_backbone(masked, "m", VerbaliserSettings(prompt="{text} is {mask}."))


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="must have"):
        VerbaliserSettings(prompt="no place in {text}")
    given = {"label_words": {"parcels": "x"}}
    situation = Situation(
        *("classification", "single_label", 3, (), "verbaliser", "labels", (), "bert"), given, labels=TARGETS.names
    )
    with pytest.raises(UsageError, match="'parcels', which is no label") as refused:
        METHOD.check(situation)
    assert "parcel" in str(refused.value.hint)

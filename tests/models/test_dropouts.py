"""A candidate's dropout in backbones of several families, against the modules that it ends up in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    GPT2Config,
    LlamaConfig,
    PreTrainedConfig,
    RobertaConfig,
)

from provetune.core.errors import UsageError
from provetune.models.dropouts import check_dropouts, named_dropouts, set_dropouts
from provetune.models.loading import load_model
from provetune.training.dropout import ByteDropout, FastDropout

WANTED = {"hidden_dropout": 0.25, "attention_dropout": 0.15, "head_dropout": 0.35}
SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 30}


def shares(model: torch.nn.Module) -> set[float]:
    return {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}


@pytest.mark.parametrize(
    "config",
    [
        BertConfig(**SMALL),
        RobertaConfig(**SMALL),
        DistilBertConfig(dim=8, n_layers=1, n_heads=2, hidden_dim=8, vocab_size=30),
        GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=30),
    ],
    ids=lambda config: config.model_type,
)
def test_modules_have_what_is_asked_for(config: PreTrainedConfig) -> None:
    known = {name: share for name, share in WANTED.items() if not (config.model_type == "gpt2" and name[:4] == "head")}
    set_dropouts(config, known)
    assert shares(AutoModelForSequenceClassification.from_config(config)) == set(known.values())


def test_the_head_has_that_of_the_hidden_states_where_none_is_named() -> None:
    config = BertConfig(**SMALL)
    set_dropouts(config, {"hidden_dropout": 0.25})
    assert AutoModelForSequenceClassification.from_config(config).dropout.p == 0.25


def test_what_a_family_lacks_is_told_with_what_it_has() -> None:
    config = LlamaConfig(**SMALL)
    set_dropouts(config, {"attention_dropout": 0.2})
    assert config.attention_dropout == 0.2
    with pytest.raises(UsageError, match="family 'llama' have no hidden_dropout") as caught:
        set_dropouts(config, {"hidden_dropout": 0.2})
    assert caught.value.hint == "They have attention_dropout."


def test_a_loaded_model_has_them_and_the_folder_is_left_alone(tiny_backbone: Path) -> None:
    check_dropouts(tiny_backbone, WANTED)
    head: Any = {"num_labels": 3}
    model = load_model(tiny_backbone, "AutoModelForSequenceClassification", head, 3, dropouts=WANTED)
    assert shares(model) == set(WANTED.values())
    plain = load_model(tiny_backbone, "AutoModelForSequenceClassification", head, 3)
    assert shares(plain) == {0.1}
    assert AutoConfig.from_pretrained(tiny_backbone).hidden_dropout_prob == 0.1
    for name, value in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_the_fast_dropout_keeps_that_of_attention_where_it_was_asked_for(tiny_backbone: Path) -> None:
    model = load_model(
        tiny_backbone, "AutoModelForSequenceClassification", {"num_labels": 3}, 3, dropouts={"attention_dropout": 0.5}
    )
    for asked, wanted in ((False, {0.0, 0.1}), (True, {0.5, 0.1})):
        fast = FastDropout(model, attention=asked)
        assert {module.p for module in model.modules() if isinstance(module, ByteDropout)} == wanted
        fast.restore()


def test_fields_left_at_auto_are_not_named() -> None:
    assert named_dropouts({"hidden_dropout": "auto", "head_dropout": 0, "method": "full"}) == {"head_dropout": 0.0}

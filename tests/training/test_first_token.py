from __future__ import annotations

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from provetune.training.first_token import FirstTokenOnly

SIZES = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "num_labels": 4,
}


@pytest.mark.parametrize(
    ("config_type", "model_type"),
    [
        (BertConfig, BertForSequenceClassification),
        (RobertaConfig, RobertaForSequenceClassification),
        (ElectraConfig, ElectraForSequenceClassification),
    ],
)
def test_logits_and_gradients_are_those_of_the_whole_layer(config_type, model_type) -> None:
    torch.manual_seed(0)
    config = config_type(**SIZES)
    config._attn_implementation = "eager"
    model = model_type(config).train()
    ids = torch.randint(5, 60, (3, 9))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    mask[2, 2:] = 0
    found = []
    for shortened in (False, True):
        shortcut = FirstTokenOnly(model) if shortened else None
        model.zero_grad()
        logits = model(input_ids=ids, attention_mask=mask).logits
        logits.pow(2).sum().backward()
        found.append((logits.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}))
        if shortcut is not None:
            assert shortcut.applied
            shortcut.restore()
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-5, atol=1e-6)
    assert found[0][1].keys() == found[1][1].keys()
    for name in found[0][1]:
        torch.testing.assert_close(found[0][1][name], found[1][1][name], rtol=1e-4, atol=1e-6, msg=name)


def test_restoring_brings_the_class_method_back(make_model) -> None:
    model = make_model()
    shortcut = FirstTokenOnly(model)
    layer = model.bert.encoder.layer[-1]
    assert "forward" in vars(layer)
    shortcut.restore()
    assert "forward" not in vars(layer)


def test_leaves_unknown_architectures_and_other_attention_alone(make_model) -> None:
    distil = DistilBertForSequenceClassification(DistilBertConfig(vocab_size=50, dim=16, n_layers=1, n_heads=2))
    assert not FirstTokenOnly(distil).applied
    model = make_model()
    model.config._attn_implementation = "sdpa"
    assert not FirstTokenOnly(model).applied

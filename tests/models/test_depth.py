"""Depths of the parameters of every family of models, by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from provetune.models.depth import depth_groups, layer_factors, parameter_depths
from provetune.models.methods import METHODS
from provetune.tasks import TASKS

SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 99}
TAGS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
# What a family calls its sizes, then a parameter of the embeddings, of layers 1 and 3, and of the head.
FAMILIES: dict[str, tuple[dict[str, Any], tuple[str, str, str, str]]] = {
    "Bert": (
        SMALL,
        (
            "bert.embeddings.LayerNorm.weight",
            "bert.encoder.layer.0.attention.self.query.weight",
            "bert.encoder.layer.2.output.dense.bias",
            "bert.pooler.dense.weight",
        ),
    ),
    "DistilBert": (
        {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64, "vocab_size": 99},
        (
            "distilbert.embeddings.position_embeddings.weight",
            "distilbert.transformer.layer.0.attention.q_lin.weight",
            "distilbert.transformer.layer.2.ffn.lin2.bias",
            "pre_classifier.weight",
        ),
    ),
    "DebertaV2": (
        {**SMALL, "relative_attention": True, "pos_att_type": ["p2c"], "norm_rel_ebd": "layer_norm"},
        (
            "deberta.encoder.rel_embeddings.weight",
            "deberta.encoder.layer.0.attention.self.query_proj.weight",
            "deberta.encoder.LayerNorm.weight",
            "pooler.dense.weight",
        ),
    ),
    "ModernBert": (
        {**SMALL, **TAGS, "cls_token_id": 1, "sep_token_id": 2},
        (
            "model.embeddings.tok_embeddings.weight",
            "model.layers.0.attn.Wqkv.weight",
            "model.final_norm.weight",
            "head.dense.weight",
        ),
    ),
    "Llama": (
        {**SMALL, **TAGS, "num_key_value_heads": 4},
        (
            "model.embed_tokens.weight",
            "model.layers.0.mlp.up_proj.weight",
            "model.norm.weight",
            "score.weight",
        ),
    ),
    "XLM": (
        {"emb_dim": 32, "n_layers": 3, "n_heads": 4, "n_words": 99},
        (
            "transformer.layer_norm_emb.weight",
            "transformer.attentions.0.q_lin.weight",
            "transformer.ffns.2.lin1.weight",
            "sequence_summary.summary.weight",
        ),
    ),
}


def classifier(family: str) -> torch.nn.Module:
    config = getattr(transformers, f"{family}Config")(**FAMILIES[family][0])
    return transformers.AutoModelForSequenceClassification.from_config(config)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_s_embeddings_layers_and_head(family: str) -> None:
    depths = parameter_depths(classifier(family))
    assert [depths[name] for name in FAMILIES[family][1]] == [0, 1, 3, 4]
    assert set(depths.values()) == {0, 1, 2, 3, 4}


def test_layers_that_share_their_weights_are_one() -> None:
    config = transformers.AlbertConfig(**SMALL, embedding_size=16)
    depths = parameter_depths(transformers.AutoModelForSequenceClassification.from_config(config))
    assert depths["albert.encoder.embedding_hidden_mapping_in.weight"] == 0
    assert depths["albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight"] == 1
    assert depths["classifier.weight"] == 2


def test_a_decoder_stands_on_its_encoder() -> None:
    config = transformers.T5Config(vocab_size=99, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    depths = parameter_depths(transformers.T5ForConditionalGeneration(config))
    assert depths["shared.weight"] == 0
    assert depths["encoder.block.1.layer.1.DenseReluDense.wo.weight"] == 2
    assert depths["encoder.final_layer_norm.weight"] == 2
    assert depths["decoder.block.0.layer.1.EncDecAttention.q.weight"] == 3
    assert depths["decoder.final_layer_norm.weight"] == 4


def test_an_adapter_has_the_depth_of_its_layer() -> None:
    lora = METHODS.get("lora")
    model = lora.prepare(classifier("Bert"), lora.settings(), TASKS.get("classification"))
    depths = {name.removeprefix("base_model.model."): depth for name, depth in parameter_depths(model).items()}
    assert depths["bert.encoder.layer.0.attention.self.query.lora_A.default.weight"] == 1
    assert depths["bert.encoder.layer.2.output.dense.lora_B.default.weight"] == 3
    assert depths["classifier.modules_to_save.default.weight"] == 4


def test_factors_by_hand() -> None:
    model = classifier("Bert")
    model.bert.embeddings.requires_grad_(False)
    factors = layer_factors(model, 0.5)
    assert factors["classifier.weight"] == 1.0
    assert factors["bert.encoder.layer.2.attention.self.query.weight"] == 0.5
    assert factors["bert.encoder.layer.0.attention.self.query.weight"] == 0.125
    assert "bert.embeddings.LayerNorm.weight" not in factors


@pytest.mark.parametrize("decay", [0.0, -0.5, 1.5])
def test_a_decay_that_is_none_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        layer_factors(classifier("Bert"), decay)


def test_groups_go_from_the_top_and_hold_what_learns() -> None:
    model = classifier("Bert")
    model.bert.encoder.layer[1].requires_grad_(False)
    groups = depth_groups(model)
    assert [len(group) for group in groups] == [4, 16, 16, 5]
    assert "classifier.bias" in groups[0]
    assert "bert.embeddings.word_embeddings.weight" in groups[-1]

"""`top_layers`, `bitfit`, `ia3` and the options of `lora`: exactly what trains, and the papers' formulas by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from family_models import FAMILIES, SENTENCE, WRITER, family_model, small_batch, usual_head
from pydantic import ValidationError

from provetune.core.errors import UsageError
from provetune.models.layer_stacks import layer_stacks
from provetune.models.methods.bitfit import Bitfit, BitfitSettings
from provetune.models.methods.ia3 import Ia3, Ia3Settings, factor_places
from provetune.models.methods.lora import Lora, LoraSettings
from provetune.models.methods.top_layers import TopLayers, TopLayersSettings

STACKS = {
    "bert": ["bert.encoder.layer"],
    "roberta": ["roberta.encoder.layer"],
    "electra": ["electra.encoder.layer"],
    "mpnet": ["mpnet.encoder.layer"],
    "deberta-v2": ["deberta.encoder.layer"],
    "distilbert": ["distilbert.transformer.layer"],
    "modernbert": ["model.layers"],
    "llama": ["model.layers"],
    "gpt2": ["transformer.h"],
    "t5": ["encoder.block", "decoder.block"],
    "bart": ["model.encoder.layers", "model.decoder.layers"],
    "marian": ["model.encoder.layers", "model.decoder.layers"],
}
LAST_NORMS = {
    "modernbert": "model.final_norm",
    "llama": "model.norm",
    "gpt2": "transformer.ln_f",
    "t5": "decoder.final_layer_norm",
}


def training(model: Any) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("family", STACKS)
def test_layers_are_found_in_every_family(family: str) -> None:
    stacks = layer_stacks(family_model(family, usual_head(family)))
    assert [stack.name for stack in stacks] == STACKS[family]
    assert all(len(stack.layers) == 2 for stack in stacks)


@pytest.mark.parametrize("family", STACKS)
def test_top_layers_are_the_last_ones_what_follows_them_and_the_head(family: str) -> None:
    model = TopLayers().prepare(family_model(family, usual_head(family)), TopLayersSettings(), None)  # type: ignore[arg-type]
    start = (f"{STACKS[family][-1]}.1.", f"{LAST_NORMS.get(family, 'no such')}.")
    head = ("classifier", "score", "head", "pooler", "pre_classifier", "bert.pooler")
    names = [name for name, _ in model.named_parameters()]
    assert training(model) == {name for name in names if name.startswith((*start, *head))}


def test_nothing_is_computed_backwards_below_the_lowest_layer_that_learns() -> None:
    model: Any = TopLayers().prepare(family_model("bert", SENTENCE), TopLayersSettings(), None)  # type: ignore[arg-type]
    seen = []
    for layer in model.bert.encoder.layer:
        layer.register_forward_hook(lambda module, args, output: seen.append(torch.as_tensor(output[0]).requires_grad))
    model(**small_batch(SENTENCE)).logits.sum().backward()
    assert seen == [False, True]


@pytest.mark.parametrize(("layers", "auto"), [(2, 1), (4, 1), (5, 2), (12, 3)])
def test_a_fourth_of_the_layers_is_the_default(layers: int, auto: int) -> None:
    model = family_model("distilbert", SENTENCE)
    block = model.distilbert.transformer.layer
    model.distilbert.transformer.layer = torch.nn.ModuleList(
        [block[0]] + [type(block[0])(model.config) for _ in range(layers - 1)]
    )
    model.config.n_layers = layers
    prepared = TopLayers().prepare(model, TopLayersSettings(), None)  # type: ignore[arg-type]
    trained = {name.split(".")[3] for name in training(prepared) if ".layer." in name}
    assert trained == {str(layers - 1 - number) for number in range(auto)}


def test_more_layers_than_there_are_are_refused() -> None:
    with pytest.raises(UsageError, match=r"train_layers is 3, and this backbone has 2 layers\.") as told:
        TopLayers().prepare(family_model("bert", SENTENCE), TopLayersSettings(train_layers=3), None)  # type: ignore[arg-type]
    assert "1 to 2" in str(told.value.hint)
    with pytest.raises(ValidationError):
        TopLayersSettings(train_layers=0)


@pytest.mark.parametrize(
    "family", ["bert", "roberta", "distilbert", "deberta-v2", "mpnet", "electra", "gpt2", "bart", "marian"]
)
def test_bitfit_trains_every_bias_and_the_head_and_nothing_else(family: str) -> None:
    model = Bitfit().prepare(family_model(family, usual_head(family)), BitfitSettings(), None)  # type: ignore[arg-type]
    head = ("classifier", "pre_classifier", "pooler", "bert.pooler")
    names = {name for name, _ in model.named_parameters()}
    assert training(model) == {name for name in names if name.endswith(".bias") or name.startswith(head)}
    backbone = [name for name in training(model) if not name.startswith(head)]
    share = sum(model.get_parameter(name).numel() for name in backbone) / sum(p.numel() for p in model.parameters())
    assert len(backbone) > 10
    assert share < 0.05


@pytest.mark.parametrize("family", FAMILIES)
def test_ia3_has_keys_values_and_the_feed_forward_block_of_every_layer(family: str) -> None:
    model = family_model(family, usual_head(family))
    behind, before = factor_places(model)
    attentions = {"t5": 6, "bart": 6, "marian": 6, "albert": 1}.get(family, 2)
    fused = family in ("modernbert", "gpt2")
    assert len(behind) == attentions * (1 if fused else 2)
    assert len(before) == {"t5": 4, "bart": 4, "marian": 4, "albert": 1}.get(family, 2)
    for name in before:
        layer = model.get_submodule(name)
        inside = layer.weight.shape[0] if family == "gpt2" else layer.in_features
        assert inside == (128 if family == "gpt2" else 48)


def test_ia3_is_the_papers_formula() -> None:
    """softmax(Q (l_k K)ᵀ / √d) (l_v V), and W₂ (l_ff γ(W₁ x)), in a BERT computed again without factors."""
    wide = {"initializer_range": 0.4}
    model: Any = Ia3().prepare(family_model("bert", SENTENCE, wide), Ia3Settings(), None)  # type: ignore[arg-type]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "ia3_l" in name:
                parameter.uniform_(0.5, 1.5)
    plain: Any = family_model("bert", SENTENCE, wide)

    def factor(layer: int, path: str) -> torch.Tensor:
        found = model.base_model.model.bert.encoder.layer[layer].get_submodule(path)
        values: torch.Tensor = found.ia3_l["default"].flatten()
        return values

    for number, layer in enumerate(plain.bert.encoder.layer):
        for path in ("attention.self.key", "attention.self.value"):
            layer.get_submodule(path).register_forward_hook(
                lambda module, args, output, by=factor(number, path): output * by
            )
        layer.get_submodule("output.dense").register_forward_pre_hook(
            lambda module, args, by=factor(number, "output.dense"): (args[0] * by,)
        )
    batch = small_batch(SENTENCE)
    torch.testing.assert_close(model(**batch).logits, plain(**batch).logits)
    assert (plain(**batch).logits - family_model("bert", SENTENCE, wide)(**batch).logits).abs().max() > 0.01


@pytest.mark.parametrize(
    ("fields", "scale"),
    [
        ({"rank": 8}, 2.0),
        ({"rank": 32}, 2.0),
        ({"rank": 8, "rslora": True}, 2.0),
        ({"rank": 32, "rslora": True}, 1.0),
        ({"rank": 4, "alpha": 6.0, "rslora": True}, 3.0),
        ({"rank": 4, "alpha": 6.0}, 1.5),
    ],
)
def test_scale_of_the_update(fields: dict[str, Any], scale: float) -> None:
    model: Any = Lora().prepare(family_model("bert", SENTENCE), LoraSettings(**fields), None)  # type: ignore[arg-type]
    layer = model.base_model.model.bert.encoder.layer[1].output.dense
    torch.nn.init.normal_(layer.lora_B["default"].weight)
    product = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    torch.testing.assert_close(layer.get_delta_weight("default"), scale * product)
    assert math.isclose(layer.scaling["default"], scale, rel_tol=1e-9)


def test_dora_is_length_times_direction() -> None:
    settings = LoraSettings(rank=3, dora=True, dropout=0.0)
    model: Any = Lora().prepare(family_model("bert", SENTENCE), settings, None)  # type: ignore[arg-type]
    layer = model.base_model.model.bert.encoder.layer[0].intermediate.dense
    with torch.no_grad():
        layer.lora_B["default"].weight.normal_()
        layer.lora_magnitude_vector["default"].weight.uniform_(0.5, 2.0)
    length = layer.lora_magnitude_vector["default"].weight
    moved = layer.base_layer.weight + 2.0 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    wanted = length[:, None] * moved / moved.norm(dim=1, keepdim=True)
    merged: Any = Lora().merge(model)
    torch.testing.assert_close(merged.bert.encoder.layer[0].intermediate.dense.weight, wanted)
    hidden = torch.randn(2, 5, 32)
    torch.testing.assert_close(layer(hidden), hidden @ wanted.T + layer.base_layer.bias)


def test_writers_keep_their_output_layer() -> None:
    for method, settings in ((TopLayers(), TopLayersSettings()), (Bitfit(), BitfitSettings()), (Ia3(), Ia3Settings())):
        model: Any = method.prepare(family_model("marian", WRITER), settings, None)  # type: ignore[arg-type]
        assert not {
            name
            for name in training(model)
            if "lm_head" in name or "shared" in name or ("embed" in name and "layernorm" not in name)
        }

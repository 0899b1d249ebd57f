"""`full` and `lora`: what trains, and that what was learned survives merging, saving and loading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from crafted import HEAD
from pydantic import ValidationError

from provetune.core.errors import UsageError
from provetune.core.protocols import WeightMethod
from provetune.models.adapted_layers import check_targets, find_targets
from provetune.models.loading import load_model
from provetune.models.methods import METHODS
from provetune.models.methods.full import Full, FullSettings
from provetune.models.methods.lora import Lora, LoraSettings

SMALL: dict[str, Any] = {"vocab_size": 40, "num_labels": 3, "pad_token_id": 0}
BERT_LIKE: dict[str, Any] = {
    **SMALL,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", BERT_LIKE),
    "roberta": ("Roberta", BERT_LIKE),
    "electra": ("Electra", {**BERT_LIKE, "embedding_size": 16}),
    "mpnet": ("MPNet", BERT_LIKE),
    "albert": ("Albert", {**BERT_LIKE, "embedding_size": 16}),
    "deberta-v2": ("DebertaV2", {**BERT_LIKE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}),
    "distilbert": ("DistilBert", {**SMALL, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48}),
    "modernbert": (
        "ModernBert",
        {**BERT_LIKE, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3},
    ),
}
# Linear layers of one encoder layer: four of attention (one or two where they are fused), two of the feed-forward.
LAYERS = {
    "bert": 12,
    "roberta": 12,
    "electra": 12,
    "mpnet": 12,
    "albert": 6,
    "deberta-v2": 16,  # two more a layer, for relative positions
    "distilbert": 12,
}
ATTENTION = {
    "bert": 6,
    "roberta": 6,
    "electra": 6,
    "mpnet": 6,
    "albert": 3,
    "deberta-v2": 6,
    "distilbert": 6,
    "modernbert": 2,
}
IDS = torch.tensor([[2, 5, 6, 7, 3], [2, 9, 3, 0, 0]])
MASK = (IDS != 0).long()


def make(family: str, seed: int = 0) -> Any:
    import transformers

    prefix, fields = FAMILIES[family]
    torch.manual_seed(seed)
    config = getattr(transformers, f"{prefix}Config")(**fields)
    config._attn_implementation = "eager"
    return getattr(transformers, f"{prefix}ForSequenceClassification")(config).eval()


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=IDS, attention_mask=MASK).logits
    return found


def train_a_little(model: Any, steps: int = 3) -> None:
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trainable, lr=0.01)
    model.train()
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(model(input_ids=IDS, attention_mask=MASK).logits, torch.tensor([0, 2]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()


def test_both_are_registered_weight_methods() -> None:
    for name in ("full", "lora"):
        assert isinstance(METHODS.get(name), WeightMethod)
        assert METHODS.get(name).bundle_kind == "transformers"


def test_full_trains_everything(tmp_path: Path) -> None:
    model = make("bert")
    model.bert.requires_grad_(False)
    prepared = Full().prepare(model, FullSettings(), task=None)  # type: ignore[arg-type]
    assert prepared is model
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert Full().merge(model) is model
    Full().save_adapter(model, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_in_every_family(family: str, tmp_path: Path) -> None:
    plain = make(family)
    before = logits(plain)
    base = {name: parameter.clone() for name, parameter in plain.named_parameters()}
    torch.manual_seed(1)
    model = Lora().prepare(plain, LoraSettings(rank=4), task=None)  # type: ignore[arg-type]
    torch.testing.assert_close(logits(model), before, atol=1e-6, rtol=0)

    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trainable
    assert all("lora_" in name or "modules_to_save" in name for name in trainable)
    assert any("classifier" in name for name in trainable)
    assert not any("embeddings" in name for name in trainable)

    train_a_little(model)
    learned = logits(model)
    assert (learned - before).abs().max() > 1e-3
    merged = Lora().merge(model)
    assert type(merged) is type(make(family))
    assert (logits(merged) - learned).abs().max() <= 1e-5
    assert torch.equal(logits(model), learned)  # merging leaves the trained model alone

    Lora().save_adapter(model, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"] == ""
    fresh = make(family)
    for name, parameter in fresh.named_parameters():
        assert torch.equal(parameter, base[name])
    torch.testing.assert_close(logits(Lora().attach(fresh, tmp_path)), learned, atol=1e-6, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_targets_are_the_encoders_linear_layers(family: str) -> None:
    model = make(family)
    every = find_targets(model, "all")
    assert not [name for name in every if "pooler" in name or "classifier" in name or name.startswith("head")]
    if family in LAYERS:
        assert len(every) == LAYERS[family]
    attention = find_targets(model, "attention")
    assert len(attention) == ATTENTION[family]
    assert set(attention) < set(every)


def test_named_targets() -> None:
    model = make("bert")
    assert len(find_targets(model, ["query", "attention.output.dense"])) == 4
    for wanted in (["qery"], ["value", "qery"]):  # one right name does not hide a wrong one
        with pytest.raises(UsageError, match=r"no linear layer 'qery'. Did you mean 'query'"):
            find_targets(model, wanted)


def test_targets_are_known_without_the_weights(tmp_path: Path) -> None:
    make("bert").config.save_pretrained(tmp_path)  # a configuration alone
    check_targets(tmp_path, "AutoModelForSequenceClassification", ["query", "attention.output.dense"])
    with pytest.raises(UsageError, match=r"no linear layer 'classifier'"):
        check_targets(tmp_path, "AutoModelForSequenceClassification", ["classifier"])


def test_equal_random_states_give_equal_starts() -> None:
    starts = []
    for _ in range(2):
        model = make("bert")
        torch.manual_seed(9)
        prepared = Lora().prepare(model, LoraSettings(), task=None)  # type: ignore[arg-type]
        starts.append({name: parameter.clone() for name, parameter in prepared.named_parameters()})
    assert all(torch.equal(starts[0][name], starts[1][name]) for name in starts[0])


def test_alpha_scales_the_update() -> None:
    updates = []
    for alpha in (8.0, 16.0):
        model = make("bert")
        torch.manual_seed(9)
        prepared: Any = Lora().prepare(model, LoraSettings(rank=8, alpha=alpha, dropout=0.0), task=None)  # type: ignore[arg-type]
        layer = prepared.base_model.model.bert.encoder.layer[0].attention.self.query
        torch.nn.init.ones_(layer.lora_B["default"].weight)
        updates.append(layer.get_delta_weight("default").detach())
        lora_a, lora_b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        torch.testing.assert_close(updates[-1], (alpha / 8) * lora_b.detach() @ lora_a.detach())
    torch.testing.assert_close(updates[1], 2 * updates[0])


def test_pooler_of_a_loaded_backbone_trains_too(tiny_bert: Path) -> None:
    model = load_model(tiny_bert, "AutoModelForSequenceClassification", HEAD, seed=0)
    prepared = Lora().prepare(model, LoraSettings(), task=None)  # type: ignore[arg-type]
    saved = {
        name for name, parameter in prepared.named_parameters() if parameter.requires_grad and "modules_to_save" in name
    }
    assert {part for name in saved for part in name.split(".") if part in ("classifier", "pooler")} == {
        "classifier",
        "pooler",
    }


@pytest.mark.parametrize("fields", [{"rank": 0}, {"dropout": 1.0}, {"alpha": -1}, {"ranks": 8}])
def test_wrong_settings_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LoraSettings(**fields)

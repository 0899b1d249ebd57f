"""`adapter`, `prefix` and `prompt` on every family that they serve: what trains, what is kept, what comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_families import CONFIGS, batch, learn_a_little, logits, make

from provetune.core.errors import CorruptError, UsageError
from provetune.core.minimised import HasLimits, Situation
from provetune.core.protocols import AttachesAdapter, StaysApart
from provetune.models.layer_places import PLACES
from provetune.models.methods import METHODS
from provetune.models.methods.prefix import FAMILIES as PREFIXED
from provetune.models.methods.prompt import FAMILIES as PROMPTED
from provetune.tasks import TASKS

TASK = TASKS.get("classification")
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "houlsby": ("adapter", {"bottleneck": 4}),
    "pfeiffer": ("adapter", {"bottleneck": 4, "placement": "pfeiffer"}),
    "prefix": ("prefix", {"prefix_length": 3, "prefix_hidden": 6}),
    "prefix_direct": ("prefix", {"prefix_length": 3, "prefix_hidden": 0}),
    "prompt": ("prompt", {"prompt_length": 3}),
    "p_tuning": ("prompt", {"prompt_length": 3, "prompt_encoder": "lstm", "prompt_hidden": 6}),
}
SERVED = {"adapter": set(PLACES), "prefix": set(PREFIXED), "prompt": set(PROMPTED)}
PAIRS = [(way, family) for way, (name, _) in WAYS.items() for family in sorted(SERVED[name])]
PARTS = ("bottleneck_adapter", "prefix", "virtual_tokens")


def prepared(way: str, family: str) -> tuple[Any, Any]:
    name, fields = WAYS[way]
    method: Any = METHODS.get(name)
    torch.manual_seed(1)
    return method, method.prepare(make(family), method.settings(**fields), TASK)


def test_every_family_is_tried() -> None:
    assert set().union(*SERVED.values()) == set(CONFIGS)
    for name in SERVED:
        method = METHODS.get(name)
        assert isinstance(method, StaysApart)
        assert isinstance(method, AttachesAdapter)
        assert isinstance(method, HasLimits)


@pytest.mark.parametrize(("way", "family"), PAIRS)
def test_learns_without_touching_the_backbone_and_comes_back_to_the_bit(way: str, family: str, tmp_path: Path) -> None:
    method, model = prepared(way, family)
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    frozen = {name: each.clone() for name, each in model.named_parameters() if not each.requires_grad}
    added = {name for name in learning if any(f"{part}." in name for part in PARTS)}
    head = {name for name in learning if "classifier" in name or "score" in name or "pooler" in name or "head" in name}
    gains = learning - added - head
    assert added
    assert bool(head) != model.config.is_encoder_decoder  # what writes texts has no head of its own
    assert all("norm" in name.lower() for name in gains)
    assert bool(gains) == (way == "houlsby")

    before = logits(model)
    learn_a_little(model)
    assert not torch.equal(logits(model), before)
    assert all(each.grad is None for name, each in model.named_parameters() if name in frozen)
    now = dict(model.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in frozen.items())
    kept = method.merge(model)
    answered = logits(kept)
    torch.testing.assert_close(answered, logits(model), rtol=1e-5, atol=1e-5)

    method.save_adapter(kept, tmp_path)
    plain = method.plain(kept)
    assert type(plain) is type(make(family))
    assert set(plain.state_dict()) == set(make(family).state_dict())
    assert torch.equal(logits(method.attach(plain, tmp_path)), answered)
    assert torch.equal(logits(method.attach(make(family), tmp_path)), answered)


@pytest.mark.parametrize(("way", "family"), PAIRS)
def test_a_text_is_answered_alike_alone_and_padded(way: str, family: str) -> None:
    _, model = prepared(way, family)
    learn_a_little(model)
    together = batch(model)
    alone = {
        name: values[:1, :5] if name in ("input_ids", "attention_mask") else values[:1]
        for name, values in together.items()
    }
    torch.testing.assert_close(logits(model, **alone)[0], logits(model)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("way", "family"), [("houlsby", "bert"), ("pfeiffer", "llama"), ("houlsby", "t5")])
def test_adapters_begin_near_identity(way: str, family: str) -> None:
    _, model = prepared(way, family)
    difference = float((logits(model) - logits(make(family))).abs().max())
    assert 0 < difference < 0.05 * float(logits(make(family)).std())


@pytest.mark.parametrize("name", SERVED)
def test_other_families_are_refused_before_any_work(name: str) -> None:
    method: Any = METHODS.get(name)
    for family in ("xlnet", "gpt2"):
        with pytest.raises(UsageError, match=f"does not work with backbones of the family '{family}'") as refused:
            method.check(situation(name, family=family))
        assert "bert" in str(refused.value.hint)
    method.check(situation(name, family="bert"))
    method.check(situation(name, family=""))


def test_prompts_are_refused_where_texts_are_written() -> None:
    method: Any = METHODS.get("prompt")
    for task in ("seq2seq", "chat"):
        with pytest.raises(UsageError, match=f"does not serve the task '{task}'"):
            method.check(situation("prompt", task=task))


@pytest.mark.parametrize(
    ("name", "fields"),
    [("adapter", {"bottleneck": 0}), ("prefix", {"prefix_length": 0}), ("prompt", {"prompt_length": 0})],
)
def test_nothing_to_learn_is_refused(name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        METHODS.get(name).settings(**fields)


def test_what_was_kept_must_fit(tmp_path: Path) -> None:
    method, model = prepared("houlsby", "bert")
    method.save_adapter(model, tmp_path)
    with pytest.raises(CorruptError, match="kept by the method 'adapter', not by 'prefix'"):
        METHODS.get("prefix").attach(make("bert"), tmp_path)  # type: ignore[attr-defined]
    with pytest.raises(CorruptError, match="does not fit this model"):
        method.attach(make("bert", num_labels=5), tmp_path)
    (tmp_path / "adapter.safetensors").write_bytes(b"nothing")
    with pytest.raises(CorruptError, match="weights cannot be read"):
        method.attach(make("bert"), tmp_path)
    (tmp_path / "adapter.json").unlink()
    with pytest.raises(CorruptError, match="settings of the adapter cannot be read"):
        method.attach(make("bert"), tmp_path)


def situation(method: str, *, task: str = "classification", family: str = "bert") -> Situation:
    return Situation(task, "single_label", 3, (5, 5, 5), method, "weights", ("plain",), family)

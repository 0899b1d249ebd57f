"""Methods that train a part of a model or small additions to it, in every family: where they begin, what they leave
alone, and that what was learned survives merging, saving alone and loading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from family_models import FAMILIES, SENTENCE, family_model, small_batch, usual_head

from provetune.core.errors import CorruptError, UsageError
from provetune.core.minimised import HasLimits, Situation
from provetune.core.protocols import AttachesAdapter, WeightMethod
from provetune.models.methods import METHODS

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {"rank": 3}),
    "rslora": ("lora", {"rslora": True, "rank": 4}),
    "dora": ("lora", {"dora": True}),
    "adalora": ("adalora", {"rank": 2, "budget_every": 1}),
    "ia3": ("ia3", {}),
    "bitfit": ("bitfit", {}),
    "top_layers": ("top_layers", {}),
}
REFUSED = {("bitfit", family) for family in ("modernbert", "llama", "t5")} | {("top_layers", "albert")}
CELLS = [(way, family) for way in WAYS for family in FAMILIES if (way, family) not in REFUSED]


def outputs(model: Any, family: str) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(**small_batch(usual_head(family))).logits
    return found


def train(method: Any, model: Any, family: str, steps: int = 4) -> None:
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02)
    model.train()
    for step in range(steps):
        logits = model(**small_batch(usual_head(family))).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, -2), torch.arange(logits[..., 0].numel()) % 2)
        loss.backward()
        optimiser.step()
        if method.name == "adalora":
            method.after_step(model, step, steps)
        optimiser.zero_grad()
    model.eval()


@pytest.mark.parametrize(("way", "family"), CELLS)
def test_learned_merged_and_reloaded(way: str, family: str, tmp_path: Path) -> None:
    name, fields = WAYS[way]
    method: Any = METHODS.get(name)
    assert isinstance(method, WeightMethod)
    assert isinstance(method, AttachesAdapter)
    plain = family_model(family, usual_head(family))
    before, weights = outputs(plain, family), {name: p.clone() for name, p in plain.named_parameters()}
    torch.manual_seed(1)
    model = method.prepare(plain, method.settings(**fields), None)
    torch.testing.assert_close(outputs(model, family), before, atol=1e-5, rtol=0)

    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    train(method, model, family)
    now = dict(model.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in frozen.items() if "ranknum" not in name)
    learned = outputs(model, family)
    assert (learned - before).abs().max() > 1e-4

    merged = method.merge(model)
    assert type(merged) is type(family_model(family, usual_head(family)))
    assert (outputs(merged, family) - learned).abs().max() <= 1e-5
    assert torch.equal(outputs(model, family), learned)

    method.save_adapter(model, tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 0
    fresh = family_model(family, usual_head(family))
    assert all(torch.equal(p, weights[name]) for name, p in fresh.named_parameters())
    again = method.attach(fresh, tmp_path)
    torch.testing.assert_close(outputs(again, family), learned, atol=1e-6, rtol=0)
    torch.testing.assert_close(outputs(method.merge(again), family), learned, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "family"), sorted(REFUSED))
def test_families_that_cannot_are_refused_before_and_at_work(name: str, family: str) -> None:
    method: Any = METHODS.get(name)
    assert isinstance(method, HasLimits)
    asked = Situation("classification", "single_label", 2, (), name, "weights", ("plain",), family)
    with pytest.raises(UsageError, match=family) as told:
        method.check(asked)
    assert "full" in str(told.value.hint)
    with pytest.raises(UsageError):
        method.prepare(family_model(family, usual_head(family)), method.settings(), None)


@pytest.mark.parametrize("way", WAYS)
def test_an_adapter_of_another_model_or_method_is_refused(way: str, tmp_path: Path) -> None:
    name, fields = WAYS[way]
    method: Any = METHODS.get(name)
    model = method.prepare(family_model("bert", SENTENCE), method.settings(**fields), None)
    method.save_adapter(model, tmp_path)
    with pytest.raises(CorruptError):
        method.attach(family_model("bert", SENTENCE, {"num_labels": 5}), tmp_path)
    other: Any = METHODS.get("ia3" if name != "ia3" else "lora")
    with pytest.raises(CorruptError):
        other.attach(family_model("bert", SENTENCE), tmp_path)
    with pytest.raises(CorruptError):
        method.attach(family_model("bert", SENTENCE), tmp_path / "nothing")


@pytest.mark.parametrize(
    "auto_class", ["AutoModelForTokenClassification", "AutoModelForQuestionAnswering", "AutoModel"]
)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("family", ["bert", "distilbert", "deberta-v2"])
def test_other_heads_are_never_adapted_but_train_whole(way: str, family: str, auto_class: str) -> None:
    name, fields = WAYS[way]
    method: Any = METHODS.get(name)
    plain = family_model(family, auto_class)
    prefix = plain.base_model_prefix
    head = {name for name, _ in plain.named_parameters() if hasattr(plain, prefix) and not name.startswith(prefix)}
    model = method.prepare(plain, method.settings(**fields), None)
    training = {name for name, p in model.named_parameters() if p.requires_grad}
    for each in head:
        owner, _, leaf = each.rpartition(".")
        whole = (each, f"base_model.model.{owner}.modules_to_save.default.{leaf}")
        assert training & set(whole), each
    assert method.merge(model)(**small_batch(auto_class)) is not None

"""`adapter`, `prefix` and `prompt` in the loop: the CPU's shortcuts change nothing, and a resumed run is the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from provetune.core.events import Saved, Step
from provetune.core.protocols import Metric
from provetune.models.methods import METHODS
from provetune.tasks import TASKS
from provetune.training.first_token import FirstTokenOnly
from provetune.training.loop import train
from provetune.training.minimisation import Minimisation
from provetune.training.settings import TrainSettings

TASK = TASKS.get("classification")
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "houlsby": ("adapter", {"bottleneck": 4}),
    "pfeiffer": ("adapter", {"bottleneck": 4, "placement": "pfeiffer"}),
    "prefix": ("prefix", {"prefix_length": 3, "prefix_hidden": 6}),
    "prompt": ("prompt", {"prompt_length": 3}),
    "p_tuning": ("prompt", {"prompt_length": 3, "prompt_encoder": "lstm", "prompt_hidden": 6}),
}
SETTINGS = TrainSettings(epochs=2, learning_rate=5e-3, batch_rows=16, evaluations=1, precision="fp32")


@pytest.fixture
def begin(make_model, store, targets, tmp_path) -> Callable[..., tuple[Any, Any]]:
    """Train what a method prepared; returns the model and the events."""

    def run(way: str, *, folder: str = "checkpoint", dropout: float = 0.1, **changes: Any) -> tuple[Any, Any]:
        name, fields = WAYS[way]
        method: Any = METHODS.get(name)
        torch.manual_seed(1)
        model = method.prepare(make_model(dropout=dropout), method.settings(**fields), TASK)
        events = train(
            model,
            TASK,
            store,
            targets,
            TrainSettings(**{**vars(SETTINGS), **changes}),
            minimise=partial(Minimisation, []),
            score=lambda _: {"accuracy": 0.5},
            primary=Metric("accuracy", "share right"),
            checkpoint=Path(tmp_path / folder),
            seed=11,
            pad_id=0,
        )
        return model, events

    return run


def learned(model: Any) -> dict[str, torch.Tensor]:
    return {name: each.detach().clone() for name, each in model.named_parameters() if each.requires_grad}


@pytest.mark.parametrize("way", WAYS)
def test_shortcuts_learn_what_the_plain_optimiser_learns(begin, way: str) -> None:
    """Without dropout both are one computation: flat buffers, the last layer cut to the first token, and all."""
    found = []
    for speedups in (True, False):
        model, events = begin(way, folder=str(speedups), dropout=0.0, speedups=speedups)
        found.append(([event.loss for event in events if isinstance(event, Step)], learned(model)))
    (fast_losses, fast), (plain_losses, plain) = found
    assert len(fast_losses) == 12
    assert fast_losses[0] != pytest.approx(fast_losses[-1], abs=1e-4)
    assert fast_losses == pytest.approx(plain_losses, abs=2e-4)
    assert fast.keys() == plain.keys()
    for name, value in plain.items():
        torch.testing.assert_close(fast[name], value, rtol=1e-2, atol=2e-3, msg=name)


@pytest.mark.parametrize("way", WAYS)
def test_bf16_weights_learn_and_what_is_frozen_stays_in_full_precision(begin, make_model, way: str) -> None:
    model, events = begin(way, precision="bf16", epochs=6)
    losses = [event.loss for event in events if isinstance(event, Step)]
    assert all(torch.tensor(losses).isfinite())
    assert all(each.dtype is torch.float32 for each in model.parameters())
    start = dict(make_model().named_parameters())
    frozen = {name: each for name, each in model.named_parameters() if not each.requires_grad}
    assert len(frozen) > 10
    assert all(torch.equal(each, start[name]) for name, each in frozen.items())


@pytest.mark.parametrize("way", WAYS)
def test_resumed_equals_never_interrupted(begin, way: str) -> None:
    straight, events = begin(way, folder="a", precision="bf16", checkpoint_steps=1)
    expected = [event.loss for event in events if isinstance(event, Step)]
    _, events = begin(way, folder="b", precision="bf16", checkpoint_steps=1)
    seen = []
    for event in events:
        if isinstance(event, Step):
            seen.append(event.loss)
        if isinstance(event, Saved) and event.step == 5:
            break
    events.close()
    again, events = begin(way, folder="b", precision="bf16", checkpoint_steps=1)
    seen += [event.loss for event in events if isinstance(event, Step)]
    assert seen == expected
    one, other = learned(straight), learned(again)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("way", "applied"), [("houlsby", True), ("pfeiffer", True), ("prefix", False), ("prompt", False)]
)
def test_the_last_layer_is_cut_only_where_that_changes_nothing(begin, way: str, applied: bool) -> None:
    """A prefix is more than the layer's own keys, and virtual tokens stand before the first one."""
    model, events = begin(way, dropout=0.0)
    events.close()
    model.train()
    ids = torch.tensor([[2, 20, 30, 40, 3, 0, 0, 0], [2, 25, 35, 45, 55, 65, 75, 3]])
    found = []
    for shortened in (False, True):
        shortcut = FirstTokenOnly(model) if shortened else None
        model.zero_grad()
        logits = model(input_ids=ids, attention_mask=(ids != 0).long()).logits
        logits.pow(2).sum().backward()
        found.append((logits.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}))
        if shortcut is not None:
            assert shortcut.applied is applied
            shortcut.restore()
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-5, atol=1e-6)
    assert found[0][1].keys() == found[1][1].keys() == learned(model).keys()
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(gradient, found[1][1][name], rtol=1e-4, atol=1e-6, msg=name)

"""Objectives in the loop: nought is plain to the last bit, a resumed run is the uninterrupted one, all go together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from objective_runs import train_with

from provetune.core.events import Evaluated, Saved, Step
from provetune.core.protocols import Targets
from provetune.models.methods.lora import Lora, LoraSettings
from provetune.tasks import TASKS
from provetune.training.features import FeatureStore
from provetune.training.optimisers.adamw.rows import EmbeddingRows

NOUGHT: dict[str, dict[str, float]] = {
    "label_smoothing": {"label_smoothing": 0.0},
    "focal": {"focal_gamma": 0.0},
    "fgm": {"fgm_epsilon": 0.0},
    "pgd": {"pgd_epsilon": 0.0},
    "freelb": {"freelb_epsilon": 0.0},
    "rdrop": {"rdrop_weight": 0.0},
    "mixup": {"mixup_alpha": 0.0},
    "supcon": {"supcon_weight": 0.0},
}
SOME: dict[str, dict[str, float]] = {
    "label_smoothing": {},
    "focal": {},
    "fgm": {},
    "pgd": {"pgd_steps": 2},
    "freelb": {"freelb_steps": 2},
    "rdrop": {},
    "mixup": {"mixup_alpha": 1.0},
    "supcon": {"supcon_weight": 0.5},
}
TOGETHER: list[tuple[list[str], dict[str, Any]]] = [
    (["rdrop", "fgm"], {"rdrop_weight": 2.0}),
    (["focal", "freelb", "supcon"], {"freelb_steps": 2}),
    (["supcon", "rdrop", "label_smoothing", "pgd"], {"pgd_steps": 1}),
    (["mixup", "rdrop", "fgm", "focal"], {}),
]
Make = Callable[..., Any]


@pytest.fixture
def run(make_model: Make, store: FeatureStore, targets: Targets, tmp_path: Path) -> Make:
    """A finished run: the model, and what each step cost."""

    def finish(objective: Any, fields: Any = None, *, name: str = "a", method: Any = None, **settings: Any) -> Any:
        model = make_model()
        if method is not None:
            torch.manual_seed(3)
            model = method(model)
        events = list(train_with(model, store, targets, tmp_path / name, objective, fields, **settings))
        return model, [event.loss for event in events if isinstance(event, Step)]

    return finish


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return {}


@pytest.mark.parametrize("name", NOUGHT)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_nought_is_the_plain_run_to_the_last_bit(name: str, precision: str, run: Make, plain: dict[str, Any]) -> None:
    if precision not in plain:
        plain[precision] = run("plain", name="plain", precision=precision)
    model, losses = run(name, NOUGHT[name], precision=precision)
    assert losses == plain[precision][1]
    for key, value in plain[precision][0].state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key


@pytest.mark.slow
@pytest.mark.parametrize("name", SOME)
def test_each_learns(name: str, make_model: Make, store: FeatureStore, targets: Targets, tmp_path: Path) -> None:
    """One of three tokens tells the label; guessing gets a third right."""
    events = train_with(make_model(), store, targets, tmp_path, name, SOME[name], epochs=10, learning_rate=1e-2)
    assert [event.scores["accuracy"] for event in events if isinstance(event, Evaluated)][-1] > 0.6


@pytest.mark.parametrize(
    ("names", "fields"), TOGETHER, ids=lambda value: "+".join(value) if isinstance(value, list) else ""
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_they_go_together_and_the_order_of_naming_is_no_matter(
    names: list[str], fields: dict[str, Any], precision: str, run: Make
) -> None:
    model, losses = run(names, fields, precision=precision)
    _, turned = run(names[::-1], fields, name="b", precision=precision)
    assert all(loss == loss for loss in losses)
    if {"supcon", "rdrop"} <= set(names):
        return  # both of the stage `term`: the first named stands inside, which is another sum
    assert losses == turned
    assert isinstance(model.get_input_embeddings(), torch.nn.Embedding)
    assert not model.get_input_embeddings()._forward_hooks


@pytest.mark.parametrize(
    ("names", "fields"), TOGETHER, ids=lambda value: "+".join(value) if isinstance(value, list) else ""
)
@pytest.mark.parametrize("speedups", [True, False])
def test_a_resumed_run_is_the_uninterrupted_one(
    names: list[str],
    fields: dict[str, Any],
    speedups: bool,
    make_model: Make,
    store: FeatureStore,
    targets: Targets,
    tmp_path: Path,
) -> None:
    settings = {"checkpoint_steps": 1, "speedups": speedups, "batch_rows": 24, "accumulate": 2, "epochs": 2}

    def begin(folder: str) -> tuple[Any, Any]:
        model = make_model()
        return model, train_with(model, store, targets, tmp_path / folder, names, fields, **settings)

    straight, events = begin("a")
    expected = [event.loss for event in events if isinstance(event, Step)]
    first, events = begin("b")
    seen = []
    for event in events:
        if isinstance(event, Step):
            seen.append(event.loss)
        if isinstance(event, Saved) and event.step == 2:
            break
    events.close()
    del first
    torch.manual_seed(321)
    second, events = begin("b")
    seen += [event.loss for event in events if isinstance(event, Step)]
    assert seen == expected
    for name, value in straight.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name


@pytest.mark.parametrize("names", [["rdrop", "fgm"], ["supcon", "freelb"], ["mixup", "pgd"]])
def test_frozen_embeddings_are_attacked_too(names: list[str], run: Make) -> None:
    """LoRA's: the backbone has no gradient, its embeddings are disturbed all the same."""
    model, losses = run(
        names, {}, method=lambda plain: Lora().prepare(plain, LoraSettings(rank=2), TASKS.get("classification"))
    )
    _, plain = run(
        "plain",
        name="b",
        method=lambda plain: Lora().prepare(plain, LoraSettings(rank=2), TASKS.get("classification")),
    )
    assert all(loss == loss for loss in losses)
    assert losses != plain
    assert all(p.grad is None for n, p in model.named_parameters() if not p.requires_grad)


@pytest.mark.parametrize("names", [["fgm"], ["pgd"], ["freelb"], ["mixup"]])
def test_layers_that_are_computed_again_make_no_difference(names: list[str], run: Make) -> None:
    """Gradient checkpointing: dropout off, since it is drawn again in another order."""
    fields = {"pgd_steps": 1, "freelb_steps": 2}
    settings = {"speedups": False, "epochs": 0.5}
    _, losses = run(names, fields, **settings)
    _, again = run(names, fields, name="b", gradient_checkpointing=True, **settings)
    assert again == pytest.approx(losses, rel=1e-4)


def test_an_exception_in_a_pass_gives_the_model_back_plain(
    make_model: Make, store: FeatureStore, targets: Targets, tmp_path: Path
) -> None:
    model = make_model()
    events = train_with(model, store, targets, tmp_path, ["mixup", "fgm"])
    assert isinstance([next(events) for _ in range(3)][-1], Step)
    rows = model.get_input_embeddings()
    assert isinstance(rows, EmbeddingRows)
    hook = model.classifier.register_forward_hook(lambda *_: (_ for _ in ()).throw(MemoryError("none left")))
    with pytest.raises(MemoryError):
        next(events)
    hook.remove()
    assert not rows._forward_hooks
    assert isinstance(model.get_input_embeddings(), torch.nn.Embedding)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_losses_told_are_whole(run: Make) -> None:
    """The first step of FGM tells plain and disturbed loss together, though one has been gone back through already."""
    _, plain = run("plain")
    _, both = run("fgm", {"fgm_epsilon": 1e-6}, name="b")
    assert both[0] == pytest.approx(2 * plain[0], rel=0.1)

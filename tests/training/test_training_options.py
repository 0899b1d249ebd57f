"""Options of the loop: schedules and optimisers in it, averages, unfreezing, recomputed layers, accumulated batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from provetune.core.errors import UsageError
from provetune.core.events import Evaluated, Saved, Started, Step
from provetune.core.protocols import Metric
from provetune.models.depth import depth_groups, parameter_depths
from provetune.tasks import TASKS
from provetune.training.averaging import Average
from provetune.training.features import FeatureStore
from provetune.training.loop import train
from provetune.training.minimisation import Minimisation
from provetune.training.recomputing import RecomputedLayers
from provetune.training.schedule import cosine
from provetune.training.settings import TrainSettings

TASK = TASKS.get("classification")
ACCURACY = Metric("accuracy", "share right")
BASE = TrainSettings(epochs=3, learning_rate=3e-3, batch_rows=32, evaluations=1, warmup=0.0)


@pytest.fixture
def begin(make_model, store, targets, tmp_path) -> Callable[..., tuple[torch.nn.Module, list]]:
    """A fresh model and the events of its training; `look` sees the model whenever it is scored."""

    def run(settings: TrainSettings, *, folder: Path | None = None, rows=None, look=lambda model: 0.5, dropout=0.1):
        model = make_model(dropout=dropout)
        events = train(
            model,
            TASK,
            store if rows is None else rows,
            targets,
            settings,
            minimise=partial(Minimisation, []),
            score=lambda current: {"accuracy": look(current)},
            primary=ACCURACY,
            checkpoint=folder or tmp_path / "checkpoint",
            seed=11,
            pad_id=0,
        )
        return model, events

    return run


def steps(events) -> list[Step]:
    return [event for event in events if isinstance(event, Step)]


def copied(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().float().clone() for name, value in model.named_parameters()}


# -- schedules and optimisers ---------------------------------------------------------------------------


def test_the_rates_of_the_steps_are_the_schedule_s(begin) -> None:
    _, events = begin(replace(BASE, schedule="cosine"))
    rates = [event.learning_rate for event in steps(events)]
    assert rates == pytest.approx([3e-3 * cosine(step, 9, 0.0) for step in range(9)])


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "sgd", "learning_rate": 0.05},
        {"optimiser": "adafactor"},
        {"ema": 0.9},
        {"ema": 0.9, "speedups": False},
        {"unfreeze": "gradual"},
        {"unfreeze": "gradual", "optimiser": "sgd", "ema": 0.9, "gradient_checkpointing": True},
        {"layer_decay": 0.5, "precision": "bf16", "schedule": "one_cycle", "warmup": 0.45},
        {"gradient_checkpointing": True},
    ],
    ids=lambda changes: "+".join(changes),
)
def test_interrupted_and_resumed_equals_never_interrupted(begin, tmp_path, changes) -> None:
    """Three steps an epoch; cut within the second."""
    settings = replace(BASE, evaluations=3, checkpoint_steps=1, **changes)
    straight, events = begin(settings, folder=tmp_path / "a")
    expected = [event for event in events if isinstance(event, Step | Evaluated)]
    _, events = begin(settings, folder=tmp_path / "b")
    seen = []
    for event in events:
        if isinstance(event, Saved) and event.step == 4:
            break
        if isinstance(event, Step | Evaluated):
            seen.append(event)
    events.close()
    torch.manual_seed(987)  # whatever another process would have there
    second, events = begin(settings, folder=tmp_path / "b")
    events = list(events)
    assert events[0].step == 4
    seen += [event for event in events if isinstance(event, Step | Evaluated)]
    assert [(e.step, getattr(e, "loss", None)) for e in seen] == [(e.step, getattr(e, "loss", None)) for e in expected]
    for name, value in straight.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name


def test_layer_decay_moves_low_layers_less(begin, make_model) -> None:
    """After one step of Adam every weight with a gradient has moved by its own rate: the embeddings' is an eighth."""
    start = copied(make_model())
    settings = replace(BASE, epochs=1 / 3, layer_decay=0.5, weight_decay=0.0)
    model, events = begin(settings)
    list(events)
    depths, now = parameter_depths(model), copied(model)
    for name in ("classifier.bias", "bert.encoder.layer.0.output.dense.bias", "bert.embeddings.LayerNorm.bias"):
        moved = (now[name] - start[name]).abs().max()
        assert float(moved) == pytest.approx(3e-3 * 0.5 ** (3 - depths[name]), rel=1e-2), name


# -- the moving average -----------------------------------------------------------------------------------


def test_an_average_by_hand() -> None:
    """From 0 to weights of 10, 20, 30: shares of 9/10, 9/11 and, where the decay is the less, 1 − 0.2."""
    average = Average({"w": torch.zeros(1)}, 0.2)
    found = []
    for step, weight in enumerate((10.0, 20.0, 30.0)):
        average.update({"w": torch.full((1,), weight)}, step)
        found.append(float(average.values["w"]))
    second = 9 + (20 - 9) * 9 / 11
    assert found == pytest.approx([9.0, second, second + (30 - second) * 0.8])


@pytest.mark.parametrize("speedups", [True, False])
def test_the_average_is_scored_and_kept_and_training_goes_on_without_it(begin, tmp_path, speedups) -> None:
    """Checkpoints after each step show the weights that the average is of."""
    settings = replace(BASE, ema=0.5, speedups=speedups, checkpoint_steps=1, evaluations=3)
    scored: list[dict[str, torch.Tensor]] = []
    name = "classifier.weight"
    model, events = begin(settings, look=lambda current: scored.append(copied(current)) or float(len(scored)))
    expected = Average({name: copied(model)[name]}, 0.5)
    from safetensors.torch import load_file

    losses = []
    for event in events:
        if isinstance(event, Saved):
            weights = load_file(Path(event.path) / "weights.safetensors")
            expected.update({name: weights[name]}, event.step - 1)
        elif isinstance(event, Step):
            losses.append(event.loss)
    assert len(scored) == 3
    torch.testing.assert_close(scored[-1][name], expected.values[name])
    torch.testing.assert_close(copied(model)[name], expected.values[name])
    plain = begin(replace(settings, ema=None), folder=tmp_path / "other")[1]
    assert losses == [event.loss for event in steps(plain)]


# -- gradual unfreezing -----------------------------------------------------------------------------------


def test_layers_stay_bit_for_bit_until_their_epoch(begin, make_model) -> None:
    """Head in the first epoch, layer 2 in the second, layer 1 in the third; the embeddings never: no epoch is left."""
    start = copied(make_model())
    settings = replace(BASE, unfreeze="gradual", weight_decay=0.5, evaluations=9)
    looks: list[dict[str, torch.Tensor]] = []
    model, events = begin(settings, look=lambda current: looks.append(copied(current)) or float(len(looks)))
    started, *_ = list(events)
    assert isinstance(started, Started)
    assert started.details["groups"] == 4
    groups = depth_groups(model)
    for number, look in enumerate(looks):
        for place, group in enumerate(groups):
            untouched = all(torch.equal(look[name], start[name]) for name in group)
            assert untouched == (place > number // 3), (number, place)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_frozen_layer_has_no_part_in_the_norm(begin) -> None:
    norms = {
        unfreeze: steps(begin(replace(BASE, unfreeze=unfreeze, speedups=False, epochs=1 / 3), dropout=0.0)[1])[0]
        for unfreeze in ("all", "gradual")
    }
    assert norms["gradual"].loss == pytest.approx(norms["all"].loss)
    assert norms["gradual"].gradient_norm < norms["all"].gradient_norm


# -- recomputed layers and accumulated batches ------------------------------------------------------------


@pytest.mark.parametrize("speedups", [True, False])
def test_recomputed_layers_give_the_same_losses_and_weights(begin, tmp_path, speedups) -> None:
    """With dropout: what is drawn is drawn again."""
    found = []
    for recompute in (False, True):
        settings = replace(BASE, gradient_checkpointing=recompute, speedups=speedups)
        model, events = begin(settings, folder=tmp_path / str(recompute))
        found.append(([event.loss for event in steps(events)], copied(model)))
        assert not any(getattr(layer, "gradient_checkpointing", False) for layer in model.modules())
    # Not to the bit for every family: where a tensor lies in memory may decide the last one.
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for name, value in found[0][1].items():
        torch.testing.assert_close(value, found[1][1][name], rtol=1e-3, atol=3e-5, msg=name)


def test_recomputing_keeps_less_between_the_passes(make_model) -> None:
    ids = torch.randint(0, 5000, (8, 60))
    sizes = []
    for recompute in (False, True):
        model = make_model(num_hidden_layers=4).train()
        if recompute:
            RecomputedLayers(model)
        kept = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal kept
            kept += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model(input_ids=ids).logits.sum()
        sizes.append(kept)
    assert sizes[1] < sizes[0] / 3


def test_a_model_without_such_layers_is_refused_in_a_line() -> None:
    with pytest.raises(UsageError, match="no layers that can be computed again"):
        RecomputedLayers(torch.nn.Linear(2, 2))


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_two_batches_of_sixteen_equal_one_of_thirty_two(begin, tmp_path, optimiser) -> None:
    """Equal lengths, and as many rows as one step takes, so that both see the same rows in each step."""
    draw = torch.Generator().manual_seed(3)
    table = {
        "row": pa.array(range(32), pa.int32()),
        "input_ids": pa.array(torch.randint(5, 5000, (32, 9), generator=draw).tolist(), pa.list_(pa.int32())),
        "cut": pa.array([0] * 32, pa.int32()),
        "labels": pa.array([index % 3 for index in range(32)], pa.int32()),
    }
    rows = FeatureStore(pa.table(table))
    found = []
    for batch_rows, accumulate in ((32, 1), (16, 2)):
        settings = replace(BASE, batch_rows=batch_rows, accumulate=accumulate, optimiser=optimiser, weight_decay=0.1)
        model, events = begin(settings, folder=tmp_path / str(batch_rows), rows=rows, dropout=0.0)
        found.append((steps(events), copied(model)))
    assert [event.loss for event in found[0][0]] == pytest.approx([event.loss for event in found[1][0]], rel=1e-5)
    assert [event.examples for event in found[0][0]] == [event.examples for event in found[1][0]] == [32, 64, 96]
    for name, value in found[0][1].items():
        torch.testing.assert_close(value, found[1][1][name], rtol=1e-3, atol=3e-5, msg=name)


def test_what_is_left_at_its_default_is_no_part_of_a_checkpoint_s_identity() -> None:
    assert not {"schedule", "optimiser", "ema"} & TrainSettings().identity().keys()
    assert replace(BASE, optimiser="sgd").identity()["optimiser"] == "sgd"
    assert BASE.identity() == replace(BASE, checkpoint_steps=3).identity()

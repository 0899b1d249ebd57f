from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from provetune.core.errors import CorruptError
from provetune.core.events import Evaluated, Finished, Saved, Started, Step, Stopped
from provetune.core.protocols import Metric
from provetune.models.forward import predict_logits
from provetune.tasks import TASKS
from provetune.training.batching import BatchPlan
from provetune.training.dropout import ByteDropout
from provetune.training.loop import train
from provetune.training.minimisation import Minimisation
from provetune.training.schedule import linear_with_warmup
from provetune.training.settings import TrainSettings

TASK = TASKS.get("classification")
ACCURACY = Metric("accuracy", "share right")
FAST = TrainSettings(epochs=3, learning_rate=3e-3, batch_rows=16, evaluations=3)


@pytest.fixture
def begin(make_model, store, targets, tmp_path) -> Callable[..., tuple[torch.nn.Module, list]]:
    """Train a fresh model and return it with the events; keyword arguments change what is handed to the loop."""

    def run(settings: TrainSettings = FAST, *, folder: Path | None = None, seed: int = 11, scores=None, **changes):
        model = make_model(dropout=changes.pop("dropout", 0.1))

        def accuracy(current: torch.nn.Module) -> dict[str, float]:
            logits = predict_logits(current, TASK, store, 0)
            gold = np.array([cell["labels"] for cell in store.take(range(len(store)))])
            return {"accuracy": float((logits.argmax(1) == gold).mean())}

        listed = iter(scores) if scores is not None else None
        score = accuracy if listed is None else lambda _: {"accuracy": next(listed)}
        events = train(
            model,
            TASK,
            store,
            targets,
            settings,
            minimise=partial(Minimisation, []),
            score=score,
            primary=ACCURACY,
            checkpoint=folder or tmp_path / "checkpoint",
            seed=seed,
            pad_id=0,
            **changes,
        )
        return model, events

    return run


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_learns_what_can_be_learned_and_says_so(begin) -> None:
    _, events = begin(TrainSettings(epochs=25, learning_rate=3e-3, batch_rows=16, evaluations=2))
    events = list(events)
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    losses = [event.loss for event in events if isinstance(event, Step)]
    assert len(losses) == events[0].steps == events[-1].step
    assert np.mean(losses[-5:]) < 0.3 < np.mean(losses[:5])
    assert events[-1].scores["accuracy"] > 0.9
    assert events[-1].examples == 25 * 96


def test_plain_mode_equals_a_loop_written_out(begin, make_model, store, targets) -> None:
    settings = TrainSettings(epochs=2, learning_rate=1e-3, batch_rows=16, speedups=False, evaluations=1, clip=0.5)
    model, events = begin(settings, dropout=0.0)
    list(events)
    twin = make_model(dropout=0.0).train()
    named = list(twin.named_parameters())
    adam = torch.optim.AdamW(
        [
            {"params": [p for _, p in named if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for _, p in named if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=0.0,
    )
    plan = BatchPlan(store.lengths, rows=16, tokens=4096, epochs=2, accumulate=1, seed=11)
    for group in plan.groups():
        batch = TASK.collate(store.take(group.batches[0].tolist()), 0)
        torch.nn.functional.cross_entropy(
            twin(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits, batch["labels"]
        ).backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
        for one in adam.param_groups:
            one["lr"] = 1e-3 * linear_with_warmup(group.step, plan.steps, 0.1)
        adam.step()
        adam.zero_grad()
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("speedups", [True, False])
@pytest.mark.parametrize("cut", [1, 6, 7, 13])
def test_interrupted_anywhere_and_resumed_equals_never_interrupted(begin, tmp_path, precision, speedups, cut) -> None:
    """6 steps an epoch: cut in the first, at a boundary, in the second, in the third."""
    settings = TrainSettings(
        epochs=3,
        learning_rate=3e-3,
        batch_rows=16,
        evaluations=3,
        precision=precision,
        speedups=speedups,
        checkpoint_steps=1,
    )
    straight, events = begin(settings, folder=tmp_path / "a")
    expected = [event for event in events if isinstance(event, Step | Evaluated)]
    first, events = begin(settings, folder=tmp_path / "b")
    seen = []
    for event in events:
        if isinstance(event, Saved) and event.step == cut:
            break
        if isinstance(event, Step | Evaluated):
            seen.append(event)
    events.close()
    del first
    torch.manual_seed(987)  # whatever another process would have there
    second, events = begin(settings, folder=tmp_path / "b")
    events = list(events)
    assert events[0].step == cut
    seen += [event for event in events if isinstance(event, Step | Evaluated)]
    assert [(e.step, getattr(e, "loss", None), getattr(e, "scores", None)) for e in seen] == [
        (e.step, getattr(e, "loss", None), getattr(e, "scores", None)) for e in expected
    ]
    for name, value in straight.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name


def test_the_best_state_is_the_one_that_is_kept(begin, tmp_path) -> None:
    settings = TrainSettings(epochs=3, learning_rate=3e-3, batch_rows=16, evaluations=3, warmup=0.0)
    best, events = begin(settings, scores=[0.2, 0.9, 0.5], folder=tmp_path / "a")
    events = list(events)
    assert [event.best for event in events if isinstance(event, Evaluated)] == [True, True, False]
    assert (events[-1].best_step, events[-1].scores) == (12, {"accuracy": 0.9})
    # The state after 12 of 18 steps, made by a run that is closed there.
    other, stream = begin(settings, scores=[0.2, 0.9], folder=tmp_path / "b")
    for event in stream:
        if isinstance(event, Evaluated) and event.step == 12:
            break
    stream.close()
    for name, value in other.state_dict().items():
        assert torch.equal(best.state_dict()[name], value), name


def test_stops_when_patience_is_over(begin) -> None:
    settings = TrainSettings(epochs=3, batch_rows=16, evaluations=6, patience=2)
    _, events = begin(settings, scores=[0.5, 0.4, 0.5, 0.9, 0.9, 0.9])
    events = list(events)
    stopped = [event for event in events if isinstance(event, Stopped)]
    assert [event.step for event in stopped] == [9]  # the third look: neither 0.4 nor an equal 0.5 is better
    assert isinstance(events[-1], Finished)


def test_asked_to_stop_it_saves_and_goes_on_later(begin, tmp_path) -> None:
    asked = iter([False, False, True])
    _, events = begin(should_stop=lambda: next(asked), folder=tmp_path / "c")
    events = list(events)
    assert [type(event).__name__ for event in events[-2:]] == ["Saved", "Stopped"]
    _, events = begin(folder=tmp_path / "c")
    assert next(events).step == 3
    events.close()


def test_a_checkpoint_of_other_settings_is_refused(begin, tmp_path) -> None:
    _, events = begin(TrainSettings(epochs=1, batch_rows=16, checkpoint_steps=1), folder=tmp_path / "c")
    list(events)
    with pytest.raises(CorruptError, match="other settings"):
        list(begin(TrainSettings(epochs=2, batch_rows=16), folder=tmp_path / "c")[1])


def test_a_damaged_checkpoint_is_refused_with_its_place(begin, tmp_path) -> None:
    _, events = begin(TrainSettings(epochs=1, batch_rows=16, checkpoint_steps=1), folder=tmp_path / "c")
    list(events)
    (path,) = (tmp_path / "c").glob("step-*")
    (path / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(CorruptError, match="step-"):
        list(begin(TrainSettings(epochs=1, batch_rows=16), folder=tmp_path / "c")[1])
    shutil.rmtree(path)


def test_closing_half_way_gives_a_plain_fp32_model_back(begin) -> None:
    model, events = begin(TrainSettings(epochs=3, precision="bf16"))
    for event in events:
        if isinstance(event, Step):
            break
    events.close()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not any(isinstance(module, ByteDropout) for module in model.modules())
    assert isinstance(model.get_input_embeddings(), torch.nn.Embedding)


def test_same_seed_same_weights_other_seed_others(begin, tmp_path) -> None:
    found = []
    for index, seed in enumerate((1, 1, 2)):
        model, events = begin(folder=tmp_path / str(index), seed=seed)
        list(events)
        found.append(weights(model)["classifier.weight"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_nothing_trainable_is_said_at_once(begin, make_model, store, targets, tmp_path) -> None:
    model = make_model()
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="trainable"):
        next(
            train(
                model,
                TASK,
                store,
                targets,
                FAST,
                minimise=partial(Minimisation, []),
                score=lambda _: {"accuracy": 0.0},
                primary=ACCURACY,
                checkpoint=tmp_path,
                seed=1,
                pad_id=0,
            )
        )

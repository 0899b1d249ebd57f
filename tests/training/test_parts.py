"""Batches that are learned in parts: nothing is lost, and what is learned is what whole batches teach."""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from chat_tokenizers import make_chat_tokenizer, make_tiny_llama
from hypothesis import given
from hypothesis import strategies as st

from provetune.core.events import Step
from provetune.core.protocols import EncodeSettings, Metric
from provetune.inference.features import FeatureTable
from provetune.tasks import TASKS
from provetune.tasks.chat.task import Chat
from provetune.training.loop import train
from provetune.training.minimisation import Minimisation
from provetune.training.objectives import OBJECTIVES
from provetune.training.parts import shares_of, split_batches
from provetune.training.settings import TrainSettings

PERPLEXITY = Metric("perplexity", "how surprised it is", higher_is_better=False)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 100), st.integers(1, 5))
def test_parts_are_the_batches_in_order_and_as_few_as_neighbours_allow(sizes: list[int], most: int, count: int) -> None:
    lengths = np.array(sizes)
    batches = [each for each in np.array_split(np.random.default_rng(0).permutation(len(sizes)), count) if len(each)]
    parts = split_batches(batches, lengths, most)
    assert np.concatenate(parts).tolist() == np.concatenate(batches).tolist()
    assert all(len(part) == 1 or lengths[part].sum() <= most for part in parts)
    ends = {int(batch[-1]) for batch in batches}
    for part, following in pairwise(parts):
        assert int(part[-1]) in ends or lengths[part].sum() + lengths[following[0]] > most


def test_rows_count_where_a_task_tells_no_terms() -> None:
    parts = [np.arange(3), np.arange(1)]
    assert shares_of(TASKS.get("classification"), parts, [{}, {}]) == [0.75, 0.25]


def test_terms_count_where_a_task_tells_them() -> None:
    labels = [torch.tensor([[5, -100, 6, 7]]), torch.tensor([[-100, 8]])]
    batches = [{"labels": each} for each in labels]
    assert shares_of(Chat(), [np.arange(1), np.arange(1)], batches) == [0.75, 0.25]
    nothing = [{"labels": torch.full((1, 3), -100)}] * 2
    assert shares_of(Chat(), [np.arange(1), np.arange(1)], nothing) == [0.5, 0.5]


def learned(task: Any, folder: Path, *objectives: str) -> tuple[dict[str, torch.Tensor], list[float], list[int]]:
    """Weights after three steps on conversations with answers of very different lengths, losses, and calls."""
    table = pa.table(
        {
            "row_id": [str(k) for k in range(12)],
            "text": [json.dumps([{"role": "user", "content": "ab " * (1 + 5 * (k % 3))}]) for k in range(12)],
            "label": ["yes " * (1 + 7 * (k % 2)) for k in range(12)],
        }
    )
    targets = task.targets(table, options={})
    tokenizer = task.prepare_tokenizer(make_chat_tokenizer(), targets)
    model = task.prepare_model(make_tiny_llama(len(tokenizer)), tokenizer, targets)
    features = FeatureTable(task.encode(table, tokenizer, EncodeSettings(300, "head_tail"), targets))
    asked, plain = [], task.forward

    def forward(model: Any, batch: Any) -> torch.Tensor:
        asked.append(int(batch["lengths"].sum()))
        return plain(model, batch)

    task.forward = forward
    settings = TrainSettings(learning_rate=1e-2, batch_rows=4, epochs=1, speedups=False, evaluations=1)
    events = train(
        model,
        task,
        features,
        targets,
        settings,
        minimise=partial(Minimisation, [(each, each.settings()) for each in map(OBJECTIVES.get, objectives)]),
        score=lambda _: {"perplexity": 1.0},
        primary=PERPLEXITY,
        checkpoint=folder,
        seed=3,
        pad_id=0,
    )
    losses = [event.loss for event in events if isinstance(event, Step)]
    assert len(losses) == 3
    return {name: value.clone() for name, value in model.state_dict().items()}, losses, asked


def test_parts_teach_what_the_whole_batch_teaches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, losses, asked = learned(Chat(), tmp_path / "whole", "plain")
    assert len(asked) == 3
    monkeypatch.setattr(Chat, "part_tokens", 40)
    in_parts, same_losses, parts = learned(Chat(), tmp_path / "parts", "plain")
    assert len(parts) > 6
    assert sum(parts) == sum(asked)
    assert same_losses == pytest.approx(losses, abs=1e-5)
    for name, value in weights.items():
        torch.testing.assert_close(in_parts[name], value, atol=2e-4, rtol=1e-3)


def test_objectives_that_look_at_a_batch_see_it_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chat, "part_tokens", 40)
    _, _, asked = learned(Chat(), tmp_path / "both", "plain", "fgm")
    assert len(asked) == 6  # twice a batch, as it is

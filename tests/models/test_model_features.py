"""Features are the mean of the tokens that count, of length one, whatever the batch they were computed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.models.features import average_windows, frozen_features, load_encoder, mean_pooled


class Rows:
    """Features of texts given as token ids."""

    def __init__(self, ids: Sequence[Sequence[int]], rows: Sequence[int]) -> None:
        self.ids = ids
        self.rows = np.array(rows)
        self.lengths = np.array([len(each) for each in ids])

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        return [{"input_ids": self.ids[index]} for index in indices]


class Padding:
    """The part of a task that features need."""

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        width = max(len(each["input_ids"]) for each in features)
        ids = [list(each["input_ids"]) + [pad_id] * (width - len(each["input_ids"])) for each in features]
        mask = [[1] * len(each["input_ids"]) + [0] * (width - len(each["input_ids"])) for each in features]
        return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def test_mean_by_hand() -> None:
    hidden = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [100.0, 100.0]], [[5.0, 5.0], [5.0, 5.0], [5.0, 5.0]]])
    pooled = mean_pooled(hidden, torch.tensor([[1, 1, 0], [0, 0, 0]]))
    torch.testing.assert_close(pooled, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


def test_each_text_as_if_it_were_alone(tiny_bert: Path) -> None:
    encoder = load_encoder(tiny_bert)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    ids = [[2, 5, 3], [2, 6, 7, 8, 9, 10, 3], [2, 3], [2, 11, 12, 3], [2, 5, 5, 5, 5, 3]]
    together = frozen_features(encoder, Padding(), Rows(ids, range(5)), 0, batch_tokens=14)  # type: ignore[arg-type]
    for number, each in enumerate(ids):
        with torch.no_grad():
            mean = encoder(input_ids=torch.tensor([each])).last_hidden_state[0].mean(dim=0).numpy()
        np.testing.assert_allclose(together[number], mean / np.linalg.norm(mean), atol=1e-5)


def test_windows_of_a_text_are_averaged(tiny_bert: Path) -> None:
    encoder = load_encoder(tiny_bert)
    ids = [[2, 5, 3], [2, 6, 3], [2, 7, 3]]
    alone = frozen_features(encoder, Padding(), Rows(ids, [0, 1, 2]), 0)  # type: ignore[arg-type]
    cut = frozen_features(encoder, Padding(), Rows(ids, [0, 1, 1]), 0)  # type: ignore[arg-type]
    both = alone[1] + alone[2]
    np.testing.assert_allclose(cut, [alone[0], both / np.linalg.norm(both)], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=6), seed=st.integers(0, 100))
def test_averages_have_length_one_and_ignore_order_within_a_text(counts: list[int], seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows = np.repeat(np.arange(len(counts)), counts)
    features = draw.normal(size=(len(rows), 5)).astype(np.float32)
    found = average_windows(features, rows)
    assert found.shape == (len(counts), 5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    shuffled = draw.permutation(len(rows))
    np.testing.assert_allclose(average_windows(features[shuffled], rows[shuffled]), found, atol=1e-5)


def test_no_windows_at_all() -> None:
    assert average_windows(np.empty((0, 4), dtype=np.float32), np.empty(0, dtype=np.int64)).shape == (0, 4)
    assert average_windows(np.ones((1, 2), dtype=np.float32), np.array([1]), count=3).tolist()[0] == [0.0, 0.0]

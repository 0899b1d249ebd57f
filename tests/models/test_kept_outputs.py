"""What was written is found again for the same weights, rows and settings, and for no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from provetune.models.kept_outputs import keep_outputs, outputs_key, read_outputs, weights_digest
from provetune.training.features import FeatureStore
from provetune.training.optimisers.adamw.rows import EmbeddingRows


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.register_buffer("shift", torch.zeros(2))


def store(*rows: list[int]) -> FeatureStore:
    numbers = pa.array(range(len(rows)), pa.int32())
    lists = pa.array(rows, pa.list_(pa.int32()))
    return FeatureStore(pa.table({"row": numbers, "input_ids": lists, "cut": numbers}))


@pytest.fixture
def model() -> Small:
    torch.manual_seed(0)
    return Small()


def test_the_key_follows_every_number_of_the_model(model: Small) -> None:
    key = outputs_key(model, store([1, 2]), {"beams": 2})
    assert outputs_key(model, store([1, 2]), {"beams": 2}) == key
    with torch.no_grad():
        model.layer.weight[1, 2] += 1e-6
    changed = outputs_key(model, store([1, 2]), {"beams": 2})
    assert changed != key
    model.shift[0] = 1
    assert outputs_key(model, store([1, 2]), {"beams": 2}) != changed


def test_the_key_follows_rows_and_settings(model: Small) -> None:
    keys = {
        outputs_key(model, rows, settings)
        for rows in (store([1, 2]), store([1, 3]), store([1], [2]))
        for settings in ({"beams": 2}, {"beams": 3})
    }
    assert len(keys) == 6


def test_weights_that_an_optimiser_keeps_aside_count(model: Small) -> None:
    """While it trains, a large embedding is no parameter of the model."""
    model.words = EmbeddingRows(torch.ones(4, 2), None, torch.float32)
    before = weights_digest(model)
    model.words.table[3, 1] = 2
    assert weights_digest(model) != before


def test_half_precision_weights_have_a_digest(model: Small) -> None:
    assert weights_digest(model.bfloat16()) != weights_digest(model.float())


def test_kept_is_read_again(tmp_path: Path) -> None:
    kind = np.dtype([("text", "U4"), ("score", np.float64)])
    outputs = [np.array(("été", 0.5), dtype=kind), np.array(("", np.nan), dtype=kind)]
    keep_outputs(tmp_path / "cache", "k", outputs)
    found = read_outputs(tmp_path / "cache", "k")
    assert found is not None
    assert [str(each["text"]) for each in found] == ["été", ""]
    assert float(found[0]["score"]) == 0.5
    assert read_outputs(tmp_path / "cache", "other") is None


def test_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    keep_outputs(tmp_path, "k", [np.arange(3)])
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:-30])
    assert read_outputs(tmp_path, "k") is None


def test_nothing_that_needs_unpickling_is_kept(tmp_path: Path) -> None:
    keep_outputs(tmp_path, "k", [np.array(["a", None], dtype=object)])
    assert read_outputs(tmp_path, "k") is None

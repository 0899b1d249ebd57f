"""Batches of pairs: each text once, the loss by its formula and by sentence-transformers' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from provetune.core.protocols import EncodeSettings
from provetune.models.features import load_encoder, mean_pooled
from provetune.models.loading import load_tokenizer
from provetune.models.pair_drawing import pair_labels
from provetune.tasks import TASKS
from provetune.training.features import encode_split
from provetune.training.text_pairs import PairFeatures, PairTask, cosine_similarity_loss

TASK: Any = TASKS.get("classification")
TEXTS = ["a", "longer text", "another one", "b c", "yes", "a much longer text than the others"]
LABELS = np.array([0, 0, 1, 1, 2, 2])


def embeddings(rows: int = 6, width: int = 4) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(rows, width, generator=torch.Generator().manual_seed(1)), dim=1)


@pytest.mark.parametrize("balanced", [True, False])
def test_loss_is_the_mean_squared_difference_pair_by_pair(balanced: bool) -> None:
    vectors = embeddings()
    together, apart = [], []
    for i in range(6):
        for j in range(i + 1, 6):
            cosine = float(vectors[i] @ vectors[j] / (vectors[i].norm() * vectors[j].norm()))
            alike = LABELS[i] == LABELS[j]
            (together if alike else apart).append((cosine - float(alike)) ** 2)
    wanted = (np.mean(together) + np.mean(apart)) / 2 if balanced else np.mean(together + apart)
    labels = torch.from_numpy(pair_labels(LABELS, "oversampling", 0))
    assert cosine_similarity_loss(vectors, labels, balanced=balanced).item() == pytest.approx(wanted, abs=1e-6)


def test_of_a_single_pair_it_is_the_loss_of_sentence_transformers() -> None:
    from torch.nn import CosineSimilarity, MSELoss

    # What sentence_transformers' CosineSimilarityLoss computes by default.
    vectors = embeddings(2)
    for label, labels in ((1.0, np.array([3, 3])), (0.0, np.array([3, 4]))):
        theirs = MSELoss()(CosineSimilarity()(vectors[:1], vectors[1:]), torch.tensor([label]))
        ours = cosine_similarity_loss(vectors, torch.from_numpy(pair_labels(labels, "unique", 0)), balanced=True)
        assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)


def test_a_text_alone_costs_nothing_and_has_a_gradient() -> None:
    vectors = embeddings(1).requires_grad_()
    loss = cosine_similarity_loss(vectors, torch.tensor([[-1]]), balanced=True)
    loss.backward()
    assert loss.item() == 0
    assert vectors.grad is not None
    assert not vectors.grad.any()


@pytest.fixture(scope="module")
def pairs_and_task(tiny_backbone: Path) -> tuple[PairFeatures, PairTask]:
    table = pa.table({"text": TEXTS})
    store = encode_split(TASK, table, load_tokenizer(tiny_backbone), EncodeSettings(64), None)
    pairs = PairFeatures(store, np.arange(6), np.array([[0, 1], [1, 0], [2, 3], [4, 5], [5, 5]]))
    return pairs, PairTask(TASK, pairs, LABELS, "oversampling", TASK.metrics[0], 7)


def test_each_text_of_a_batch_is_encoded_once(
    pairs_and_task: tuple[PairFeatures, PairTask], tiny_backbone: Path
) -> None:
    pairs, task = pairs_and_task
    batch = task.collate(pairs.take([0, 1, 2]), 0)
    assert batch["input_ids"].shape[0] == 4
    np.testing.assert_array_equal(batch["labels"], pair_labels(LABELS[:4], "oversampling", 0))
    encoder = load_encoder(tiny_backbone)
    found = task.forward(encoder, batch)
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    torch.testing.assert_close(found, mean_pooled(encoder(**inputs).last_hidden_state, inputs["attention_mask"]))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4))


def test_pairs_are_as_long_as_both_texts(pairs_and_task: tuple[PairFeatures, PairTask]) -> None:
    pairs, _ = pairs_and_task
    sizes = [len(text.replace(" ", "")) + 2 for text in TEXTS]
    assert pairs.lengths.tolist() == [sizes[0] + sizes[1]] * 2 + [sizes[2] + sizes[3], sizes[4] + sizes[5], sizes[5]]
    assert pairs.rows.tolist() == [0, 1, 2, 4, 5]
    assert len(pairs) == 5


def test_kept_rows_are_found_among_all(tiny_backbone: Path) -> None:
    store = encode_split(TASK, pa.table({"text": TEXTS}), load_tokenizer(tiny_backbone), EncodeSettings(64), None)
    kept = np.array([1, 4, 5])
    pairs = PairFeatures(store.keep_rows(kept), kept, np.array([[0, 2]]))
    ids = [each["input_ids"].tolist() for each in pairs.features_of([0, 2])]
    assert ids == [store.take([row])[0]["input_ids"].tolist() for row in (1, 5)]


def test_of_a_text_in_windows_the_first_is_taken(tiny_backbone: Path) -> None:
    tokenizer, settings = load_tokenizer(tiny_backbone), EncodeSettings(8, "windows", 2)
    store = encode_split(TASK, pa.table({"text": ["abcdefghijklmnop", "xy"]}), tokenizer, settings, None)
    assert len(store) > 2
    found = PairFeatures(store, np.arange(2), np.array([[0, 1]])).features_of([1, 0])
    assert found[0]["input_ids"].tolist() == store.take([len(store) - 1])[0]["input_ids"].tolist()
    assert found[1]["input_ids"].tolist() == store.take([0])[0]["input_ids"].tolist()

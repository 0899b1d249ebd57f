"""A tiny encoder and rows for it: small enough that a whole run takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from provetune.core.protocols import Targets
from provetune.training.features import FeatureStore

VOCABULARY = 5000  # above the size from which the embedding is stepped row by row
LABELS = 3


@pytest.fixture
def targets() -> Targets:
    return Targets("single_label", ("a", "b", "c"), (10, 10, 10))


@pytest.fixture
def make_model() -> Callable[..., BertForSequenceClassification]:
    def make(seed: int = 0, dropout: float = 0.1, **changes: object) -> BertForSequenceClassification:
        torch.manual_seed(seed)
        settings = {
            "vocab_size": VOCABULARY,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "max_position_embeddings": 64,
            "num_labels": LABELS,
            "hidden_dropout_prob": dropout,
            "attention_probs_dropout_prob": dropout,
            **changes,
        }
        config = BertConfig(**settings)
        config._attn_implementation = "eager"
        return BertForSequenceClassification(config)

    return make


@pytest.fixture
def store() -> FeatureStore:
    """96 features whose label is told by one of three tokens among random ones."""
    draw = np.random.default_rng(5)
    ids, labels = [], []
    for index in range(96):
        label = index % LABELS
        words = draw.integers(10, VOCABULARY, size=draw.integers(3, 20))
        words[draw.integers(len(words))] = 5 + label
        ids.append([2, *words.tolist(), 3])
        labels.append(label)
    return FeatureStore(
        pa.table(
            {
                "row": pa.array(range(96), pa.int32()),
                "input_ids": pa.array(ids, pa.list_(pa.int32())),
                "cut": pa.array([0] * 96, pa.int32()),
                "labels": pa.array(labels, pa.int32()),
            }
        )
    )

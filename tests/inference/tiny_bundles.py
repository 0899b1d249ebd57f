"""Small bundles of every kind, written where a test wants them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from word_tokenizer import VOCABULARY, make_tokenizer, wrapped_tokenizer

from provetune.core.protocols import EncodeSettings, Targets
from provetune.models.bundle import BundleContents, Golden, write_bundle
from provetune.tasks import TASKS

TARGETS = Targets("single_label", ("billing", "delivery", "other"), (3, 3, 3))
TASK = TASKS.get("classification")
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def record(
    columns: str | Sequence[str] = "text",
    mask: Sequence[str] = (),
    max_length: int = 24,
    long_texts: str = "head",
    stride: int = 0,
) -> dict[str, Any]:
    return {
        "columns": {"text": columns if isinstance(columns, str) else list(columns), "label": "label"},
        "encode": {"max_length": max_length, "long_texts": long_texts, "stride": stride},
        "problem": {"data": {"mask": list(mask), "label_separator": None}},
    }


def write_torch_bundle(folder: Path, *, family: str = "bert", seed: int = 0, **options: Any) -> Path:
    """A random sequence classifier of three labels whose answers differ from text to text."""
    import transformers

    torch.manual_seed(seed)
    common = {"vocab_size": len(VOCABULARY), "initializer_range": 0.4, **TASK.head(TARGETS)}
    if family == "bert":
        config = transformers.BertConfig(max_position_embeddings=64, **SIZES, **common)
    else:
        config = transformers.DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=64, **common)
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    contents = BundleContents(
        "transformers",
        "classification",
        TARGETS,
        Golden((), ()),
        record(**options),
        model=model,
        tokenizer=wrapped_tokenizer(),
    )
    return write_bundle(folder, contents)


def write_tfidf_bundle(folder: Path) -> Path:
    """The tfidf method on nine short texts."""
    from provetune.models.methods.tfidf import METHOD

    texts = [
        *("the card was charged twice", "card charged", "charged for the same card"),
        *("the parcel says delivered", "parcel arrived", "nothing arrived, no parcel"),
        *("a b c d", "d e f g", "a c e g"),
    ]
    fitted = METHOD.fit(texts, np.repeat([0, 1, 2], 3), TARGETS, METHOD.settings(), seed=0)
    contents = BundleContents("tfidf", "classification", TARGETS, Golden((), ()), record(), fitted=fitted)
    return write_bundle(folder, contents)


def write_frozen_bundle(folder: Path, texts: Sequence[str]) -> tuple[Path, np.ndarray]:
    """A random encoder with a head fitted on its features; with what its parts say about `texts`."""
    import pyarrow as pa
    import transformers

    from provetune.inference.features import FeatureTable
    from provetune.models.features import frozen_features
    from provetune.models.methods.head import METHOD

    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), max_position_embeddings=64, initializer_range=0.4, **SIZES
    )
    encoder = transformers.AutoModel.from_config(config).eval()
    table = pa.table({"text": list(texts)})
    tokens = FeatureTable(TASK.encode(table, make_tokenizer(), EncodeSettings(24), None))
    features = frozen_features(encoder, TASK, tokens, 0)
    random = np.random.default_rng(0)
    trained = random.normal(size=(30, 32)).astype(np.float32)
    fitted = METHOD.fit(trained, np.arange(30) % 3, TARGETS, METHOD.settings(C=10.0), seed=0)
    wanted = TASK.answers(fitted.logits(features), None, table, TARGETS)
    contents = BundleContents(
        "frozen_encoder",
        "classification",
        TARGETS,
        Golden((), ()),
        record(),
        model=encoder,
        tokenizer=wrapped_tokenizer(),
        fitted=fitted,
    )
    return write_bundle(folder, contents), wanted

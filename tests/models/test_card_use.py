"""How a model card says that its bundle is used."""

from __future__ import annotations

from typing import Any

import yaml

from provetune.models.bundle.card import model_card


def card(**fields: Any) -> str:
    targets = {"kind": "single_label", "names": ["x", "y"]}
    return model_card({"bundle_kind": "transformers", "task": "pair", "targets": targets, **fields})


def test_a_pair_is_asked_as_a_pair() -> None:
    text = card(
        inputs=["one", "other"], pipeline="text-classification", auto_class="AutoModelForSequenceClassification"
    )
    assert 'model.predict([("one text", "another")])' in text
    assert '({"text": "one text", "text_pair": "another"})' in text
    assert 'model.predict(["some text"])' in card(inputs="one", pipeline="text-classification")


def test_vectors_are_used_with_sentence_transformers() -> None:
    text = card(inputs="query", pipeline=None, auto_class="AutoModel")
    assert 'SentenceTransformer("this folder").encode' in text
    assert yaml.safe_load(text.split("---")[1])["library_name"] == "sentence-transformers"
    assert yaml.safe_load(card(pipeline="text-classification").split("---")[1])["library_name"] == "transformers"

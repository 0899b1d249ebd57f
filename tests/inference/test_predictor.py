"""Bundles that answer: agreement with transformers, pairs, missing texts, precision, kinds of bundles."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_bundles import write_frozen_bundle, write_tfidf_bundle, write_torch_bundle
from word_tokenizer import wrapped_tokenizer

from provetune.core.errors import CorruptError, DataError, UsageError
from provetune.inference.predictions import Predictions
from provetune.inference.predictor import Predictor, load

TEXTS = ["the card was charged twice", "a parcel", "nothing arrived but the order says delivered a b c d", "e"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_torch_bundle(tmp_path_factory.mktemp("torch") / "bundle")


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return load(bundle)


def test_it_agrees_with_the_transformers_pipeline(bundle: Path, predictor: Predictor) -> None:
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(bundle), device="cpu")
    for text, ours in zip(TEXTS, predictor.predict(TEXTS, proba=True), strict=True):
        theirs = {entry["label"]: entry["score"] for entry in classify(text, top_k=None)}
        assert ours["labels"] == pytest.approx(theirs, abs=1e-5)
        assert ours["label"] == max(theirs, key=lambda name: theirs[name])


def test_an_answer_does_not_depend_on_its_neighbours(predictor: Predictor) -> None:
    together = predictor.probabilities([*TEXTS, "a " * 12])
    for number, text in enumerate(TEXTS):
        np.testing.assert_allclose(predictor.probabilities([text])[0], together[number], atol=1e-5)


def test_half_precision_is_near_and_named(bundle: Path, predictor: Predictor) -> None:
    half = load(bundle, precision="bf16")
    assert (predictor.precision, half.precision) == ("fp32", "bf16")
    np.testing.assert_allclose(half.probabilities(TEXTS), predictor.probabilities(TEXTS), atol=0.02)


def test_texts_tables_and_mappings_are_the_same(predictor: Predictor) -> None:
    import pyarrow as pa

    plain = predictor.predict(TEXTS)
    assert predictor.predict([{"text": text, "other": 1} for text in TEXTS]) == plain
    np.testing.assert_array_equal(predictor.probabilities(pa.table({"text": TEXTS})), predictor.probabilities(TEXTS))
    alone = predictor.predict(TEXTS[0])
    assert alone[0]["label"] == plain[0]["label"]
    assert alone[0]["score"] == pytest.approx(plain[0]["score"], abs=1e-5)
    assert predictor.predict([]) == []


def test_top_k_and_all_probabilities(predictor: Predictor) -> None:
    row = predictor.predict(TEXTS[:1], proba=True)[0]
    assert sum(row["labels"].values()) == pytest.approx(1)
    assert row["score"] == max(row["labels"].values())
    assert len(predictor.predict(TEXTS[:1], top_k=2)[0]["labels"]) == 2
    with pytest.raises(UsageError, match="top_k must be at least 1"):
        predictor.predict(TEXTS, top_k=0)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (None, r"text 2: The text must be a string|text 2: There is no text"),
        (float("nan"), "text 2: There is no text"),
        ("  ", "text 2: There is no text"),
        (7, r"text 2: The text must be a string. Got a number \(7\)"),
        ({"text": ["a"]}, r"Got a list"),
        ({"txt": "a"}, "There is no column 'text'. Did you mean 'txt'"),
        (("a", "b"), "takes one text a row. Got 2"),
        ("half \ud83d", "half a character"),
    ],
)
def test_what_is_no_text_is_refused_by_its_number(predictor: Predictor, item: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        predictor.predict(["a", item])


def test_missing_texts_can_be_kept(predictor: Predictor) -> None:
    found = predictor.predict(["a", "", None, "b"], missing="keep")
    assert [row["label"] is None for row in found] == [False, True, True, False]
    assert found[0]["score"] == pytest.approx(predictor.predict(["a"])[0]["score"], abs=1e-5)


def test_nul_bytes_and_a_megabyte_are_answered(predictor: Predictor) -> None:
    found = predictor.predict(["a\x00b", "the card " * 110_000])
    assert all(0 < row["score"] <= 1 for row in found)


def test_pairs(tmp_path: Path) -> None:
    predictor = load(write_torch_bundle(tmp_path / "pairs", columns=["question", "answer"]))
    pair = predictor.probabilities([("a b", "c")])
    np.testing.assert_array_equal(pair, predictor.probabilities([{"question": "a b", "answer": "c"}]))
    assert abs(pair - predictor.probabilities([("c", "a b")])).max() > 1e-6
    with pytest.raises(DataError, match="takes pairs"):
        predictor.predict(["a"])


@pytest.mark.parametrize("typed", [True, False])
def test_a_pair_is_read_as_its_tokenizer_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: bool) -> None:
    """ALBERT has two token types, and transformers' tokenizer for it gives none: so must the predictor."""
    from transformers import pipeline

    names = ["input_ids", "attention_mask", *(["token_type_ids"] if typed else [])]
    monkeypatch.setattr(wrapped_tokenizer(), "model_input_names", names)
    path = write_torch_bundle(tmp_path / "pairs", columns=["first", "second"])
    classify = pipeline("text-classification", model=str(path), device="cpu")
    (theirs,) = classify([{"text": "a b", "text_pair": "c d"}], top_k=None)
    wanted = {each["label"]: each["score"] for each in theirs}
    found = load(path).predict([("a b", "c d")], proba=True)[0]["labels"]
    assert found == pytest.approx(wanted, abs=1e-5)
    assert load(path)._answerer.network.tokenizer.model_input_names == names


def test_masks_of_training_are_applied(tmp_path: Path) -> None:
    masked = load(write_torch_bundle(tmp_path / "masked", mask=["email"]))
    np.testing.assert_array_equal(masked.probabilities(["a jane@example.org b"]), masked.probabilities(["a <EMAIL> b"]))


def test_columns_beyond_two_are_joined_as_in_training(tmp_path: Path) -> None:
    joined = load(write_torch_bundle(tmp_path / "joined", columns=["one", "two", "three"]))
    found = joined.probabilities([{"one": "a", "two": None, "three": "c"}])
    np.testing.assert_array_equal(found, joined.probabilities([("a", None, "c")]))
    assert joined.columns.texts_of({"one": "a", "two": "b", "three": "c"}, "here") == ("a | b | c",)
    assert joined.columns.texts_of({"one": "a", "two": None, "three": "c"}, "here") == ("a | c",)


def test_windows_of_a_long_text_are_averaged(tmp_path: Path) -> None:
    predictor = load(write_torch_bundle(tmp_path / "windows", long_texts="windows", max_length=6, stride=0))
    halves = predictor.probabilities(["a b c d", "e f g a"])
    np.testing.assert_allclose(predictor.probabilities(["a b c d e f g a"])[0], halves.mean(axis=0), atol=1e-6)


def test_tfidf_bundles_answer_without_torch(tmp_path: Path) -> None:
    path = write_tfidf_bundle(tmp_path / "words")
    assert load(path).predict(["the card was charged"])[0]["label"] == "billing"
    code = (
        "import sys; from provetune.inference.predictor import load; "
        f"load({str(path)!r}).predict(['parcel']); "
        "print([name for name in ('torch', 'transformers', 'sklearn', 'pandas') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "torch" not in said
    assert "sklearn" not in said


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"device": "tpu"}, "device must be cpu, cuda, cuda:N or mps. Got 'tpu' instead."),
        ({"precision": "fp8"}, "precision must be fp32, bf16 or auto. Got 'fp8' instead."),
    ],
)
def test_options_that_do_not_exist_are_refused_whatever_the_bundle(
    tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load(write_tfidf_bundle(tmp_path / "words"), **options)
    assert str(caught.value) == told


def test_frozen_encoders_answer_as_their_parts_do(tmp_path: Path) -> None:
    path, wanted = write_frozen_bundle(tmp_path / "head", TEXTS)
    np.testing.assert_allclose(load(path).probabilities(TEXTS), wanted, atol=1e-5)


def test_other_families_go_through_transformers(tmp_path: Path) -> None:
    predictor = load(write_torch_bundle(tmp_path / "distil", family="distilbert"))
    assert predictor.engine.startswith("transformers")
    assert len(predictor.predict(TEXTS)) == 4
    assert load(write_torch_bundle(tmp_path / "bert")).engine.startswith("torch")


def test_a_bert_is_answered_without_loading_transformers(bundle: Path) -> None:
    code = (
        "import sys; from provetune.inference.predictor import load; "
        f"load({str(bundle)!r}).predict(['parcel']); print('transformers' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = write_torch_bundle(tmp_path / "bundle")
    weights = path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(CorruptError, match=r"model\.safetensors"):
        load(path)


def test_no_bundle_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no bundle"):
        load(tmp_path / "nowhere")


def test_predictions_render_and_become_json() -> None:
    rows = [{"label": "<b>", "score": 0.5}, {"label": ["x", "y"], "score": 1.0}, {"label": None, "score": None}]
    found = Predictions(rows, ["one", "two & three", "four"])
    html = found._repr_html_()
    assert "&lt;b&gt;" in html
    assert "x, y" in html
    assert "two &amp; three" in html
    assert found.labels == ["<b>", ["x", "y"], None]
    assert (
        found.to_json()
        == '[{"label": "<b>", "score": 0.5}, {"label": ["x", "y"], "score": 1.0}, {"label": null, "score": null}]'
    )


@pytest.mark.parametrize("activation", ["gelu", "gelu_new"])
def test_the_plain_bert_computes_what_transformers_computes(tmp_path: Path, activation: str) -> None:
    from transformers import BertConfig, BertForSequenceClassification

    from provetune.core.files import read_json
    from provetune.inference.backends._bert import load_classifier

    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=50,
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=20,
        hidden_act=activation,
        num_labels=5,
        initializer_range=0.3,
    )
    theirs = BertForSequenceClassification(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = load_classifier(tmp_path, read_json(tmp_path / "config.json"))
    ids = torch.randint(0, 50, (4, 16))
    mask = (torch.arange(16)[None] < torch.tensor([16, 3, 9, 1])[:, None]).long()
    types = torch.randint(0, 2, (4, 16))
    with torch.inference_mode():
        for extra in ({}, {"token_type_ids": types}):
            wanted = theirs(input_ids=ids, attention_mask=mask, **extra).logits
            torch.testing.assert_close(ours(ids, mask, **extra).logits, wanted, atol=1e-5, rtol=1e-5)


def test_the_plain_bert_leaves_alone_what_it_does_not_compute(tmp_path: Path) -> None:
    from provetune.inference.backends._bert import load_classifier

    plain = {"model_type": "bert", "architectures": ["BertForSequenceClassification"], "hidden_act": "gelu"}
    for change in ({"hidden_act": "relu6"}, {"is_decoder": True}, {"position_embedding_type": "relative_key"}):
        assert load_classifier(tmp_path, {**plain, **change}) is None

"""Seq2seq with a real translation model: what it writes is what plain transformers writes, and its bundle is plain."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from provetune.core.protocols import EncodeSettings
from provetune.models.bundle import BundleContents, Golden, write_bundle
from provetune.models.forward import predict_outputs
from provetune.models.loading import load_model, load_tokenizer
from provetune.tasks import TASKS
from provetune.training.features import FeatureStore

MODEL = Path(__file__).parents[3] / "shared" / "models" / "opus-mt-en-fr"
TASK = TASKS.get("seq2seq")
PAIRS = [
    ("A man in an orange hat is looking at something.", "Un homme avec un chapeau orange regarde quelque chose."),
    ("Two dogs are running on the grass.", "Deux chiens courent sur l'herbe."),
    ("The girl breaks a stick.", "La fille casse un bâton."),
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MODEL.is_dir(), reason="../shared/models/opus-mt-en-fr is not here"),
]


def rows() -> pa.Table:
    sources, wanted = zip(*PAIRS, strict=True)
    return pa.table({"row_id": ["a", "b", "c"], "text": list(sources), "label": list(wanted)})


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any, Any]:
    settled = TASK.targets(rows(), options={"beams": 4, "max_target_length": 40})
    tokenizer = TASK.prepare_tokenizer(load_tokenizer(MODEL), settled)
    model = TASK.prepare_model(load_model(MODEL, TASK.auto_class, TASK.head(settled), 0), tokenizer, settled)
    return settled, tokenizer, model


def test_the_languages_are_found_out(loaded: Any) -> None:
    settled, _, model = loaded
    assert (settled.options["source_language"], settled.options["target_language"]) == ("en", "fr")
    assert model.generation_config.bad_words_ids == [[59513]]


@pytest.mark.parametrize("decoding", ["greedy", "beam"])
def test_texts_are_those_of_plain_transformers(loaded: Any, decoding: str) -> None:
    from transformers import AutoModelForSeq2SeqLM

    settled, tokenizer, model = loaded
    settled = replace(settled, options={**settled.options, "decoding": decoding})
    store = FeatureStore(TASK.encode(rows(), tokenizer, EncodeSettings(64), None))
    outputs = predict_outputs(model, TASK, store, tokenizer.pad_token_id, targets=settled, tokenizer=tokenizer)
    answers = TASK.answers(outputs, store, rows(), settled)
    plain = AutoModelForSeq2SeqLM.from_pretrained(MODEL, dtype=torch.float32)
    batch = tokenizer([source for source, _ in PAIRS], return_tensors="pt", padding=True)
    written = plain.generate(**batch, num_beams=1 if decoding == "greedy" else 4, max_new_tokens=40, max_length=None)
    assert [each.text for each in answers] == tokenizer.batch_decode(written, skip_special_tokens=True)
    assert all(0.5 < each.score < 1 for each in answers)
    scores = TASK.score(TASK.outcomes(rows(), answers, settled), settled)
    assert scores["chrf"] > 60


def test_its_bundle_is_a_plain_folder(loaded: Any, tmp_path: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    from provetune.inference.predictor import load

    settled, tokenizer, model = loaded
    texts = [source for source, _ in PAIRS]
    record = {"encode": {"max_length": 64, "long_texts": "head", "stride": 0}, "inputs": "text"}
    contents = BundleContents(
        "transformers", TASK.name, settled, Golden.of([], []), record, model=model, tokenizer=tokenizer
    )
    write_bundle(tmp_path / "bundle", contents)
    found = load(tmp_path / "bundle").predict(texts)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        plain_tokenizer = AutoTokenizer.from_pretrained(tmp_path / "bundle")
    plain = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "bundle")
    written = plain.generate(**plain_tokenizer(texts, return_tensors="pt", padding=True))
    assert [each["text"] for each in found] == plain_tokenizer.batch_decode(written, skip_special_tokens=True)


def test_it_learns(loaded: Any) -> None:
    settled, tokenizer, _ = loaded
    model = load_model(MODEL, TASK.auto_class, {}, 0).eval()
    store = FeatureStore(TASK.encode(rows(), tokenizer, EncodeSettings(64), settled))
    batch = TASK.collate(store.take(range(3)), tokenizer.pad_token_id)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    losses = []
    for _ in range(3):
        loss = TASK.loss(TASK.forward(model, batch), batch["labels"], settled, None)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[2] < 0.7 * losses[0]

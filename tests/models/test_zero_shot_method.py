"""Labels by their words: cosines by hand, entailment by a plain loop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError

from provetune.core.errors import UsageError
from provetune.core.protocols import EncodeSettings, Targets
from provetune.models.entailment import EntailmentReader, check_entailment_bundle, load_reader
from provetune.models.features import load_encoder
from provetune.models.label_words import describe_labels, in_words
from provetune.models.loading import load_model, load_tokenizer
from provetune.models.methods.zero_shot import METHOD, SCALE, ZeroShotSettings
from provetune.tasks import TASKS

TARGETS = Targets("single_label", ("card_lost", "parcel"), (2, 2))
TEXTS = ["my card is gone", "where is it", "hello"]
PAIRS = {"id2label": {0: "neutral", 1: "ENTAILMENT", 2: "contradiction"}, "num_labels": 3}


def read(folder: Path, targets: Targets = TARGETS, **settings: Any) -> Any:
    return METHOD.read_labels(
        folder,
        TASKS.get("classification"),
        targets,
        ZeroShotSettings(**settings),
        encoding=EncodeSettings(24),
        device="cpu",
        precision="fp32",
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [("card_arrival", "card arrival"), ("cardArrival", "card Arrival"), ("a.b-c", "a b c"), ("OOS", "OOS"), ("_", "_")],
)
def test_names_in_words(name: str, words: str) -> None:
    assert in_words(name) == words


def test_descriptions_take_the_place_of_names() -> None:
    said = describe_labels(("card_lost", "parcel"), {"parcel": "a {label} late"}, "It is {label}.")
    assert said == ["It is card lost.", "It is a {label} late."]


def test_scores_are_cosines_of_mean_pooled_embeddings(tiny_backbone: Path) -> None:
    found = read(tiny_backbone, label_descriptions={"parcel": "a late parcel"}).logits(pa.table({"text": TEXTS}))
    tokenizer, encoder = load_tokenizer(tiny_backbone), load_encoder(tiny_backbone)

    def embed(text: str) -> np.ndarray:
        with torch.no_grad():
            hidden = encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state
        return np.asarray(hidden[0].mean(dim=0))

    said = [embed("card lost"), embed("a late parcel")]
    for row, text in enumerate(TEXTS):
        own = embed(text)
        wanted = [SCALE * own @ each / (np.linalg.norm(own) * np.linalg.norm(each)) for each in said]
        np.testing.assert_allclose(found[row], wanted, atol=1e-4)


@pytest.fixture(scope="module")
def pair_model(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    load_model(tiny_backbone, "AutoModelForSequenceClassification", PAIRS, 7).save_pretrained(folder)
    load_tokenizer(tiny_backbone).save_pretrained(folder)
    return folder


def test_entailment_is_asked_label_by_label(pair_model: Path, tmp_path: Path) -> None:
    asked = read(pair_model, entailment="x")
    assert isinstance(asked, EntailmentReader)
    found = asked.logits(pa.table({"text": TEXTS}))
    said = ["This text is about card lost.", "This text is about parcel."]
    for row, text in enumerate(TEXTS):
        for label, hypothesis in enumerate(said):
            with torch.no_grad():
                logits = asked.model(**asked.tokenizer(text, hypothesis, return_tensors="pt")).logits[0]
            assert found[row, label] == pytest.approx(float(logits[1]), abs=1e-4)
    scaled = asked.scaled(4.0)
    scaled.save(tmp_path)
    again = load_reader(tmp_path, pair_model, device="cpu", precision="fp32")
    np.testing.assert_allclose(again.logits(pa.table({"text": TEXTS})), found / 4, atol=1e-5)


def test_of_several_labels_entailment_stands_against_contradiction(pair_model: Path) -> None:
    several = Targets("multi_label", TARGETS.names, TARGETS.counts)
    asked = read(pair_model, several, entailment="x", label_template="{label}")
    with torch.no_grad():
        logits = asked.model(**asked.tokenizer(TEXTS[0], "parcel", return_tensors="pt")).logits[0]
    wanted = float(logits[1] - logits[2])
    assert asked.logits(pa.table({"text": TEXTS}))[0, 1] == pytest.approx(wanted, abs=1e-4)


def test_models_that_know_no_entailment_are_refused(pair_model: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    check_entailment_bundle(pair_model, "pairs", None)
    with pytest.raises(UsageError, match="no label that means entailment"):
        check_entailment_bundle(tiny_backbone, "tiny", None)
    with pytest.raises(UsageError, match="'ENTAILMENT'"):
        METHOD.check_backbone(pair_model, "pairs", ZeroShotSettings(entailment="x", entailment_label="implied"))
    (tmp_path / "provetune.json").write_text(json.dumps({"task": "pair", "bundle_kind": "tfidf"}))
    with pytest.raises(UsageError, match="the kind 'tfidf'"):
        check_entailment_bundle(tmp_path, "words", None)
    METHOD.check_backbone(tiny_backbone, "tiny", ZeroShotSettings())


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="once"):
        ZeroShotSettings(label_template="no place")
    assert METHOD.files(ZeroShotSettings()) == {}
    assert METHOD.files(ZeroShotSettings(entailment="b")) == {"entailment": "b"}
    assert METHOD.named_backbone(ZeroShotSettings(entailment="b")) == "./b"
    assert METHOD.named_backbone(ZeroShotSettings(entailment="/a/b")) == "/a/b"

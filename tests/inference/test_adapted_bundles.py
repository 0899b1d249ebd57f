"""Bundles of what cannot be merged, and adapters that were kept alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_bundles import TARGETS, TASK, record
from word_tokenizer import VOCABULARY, wrapped_tokenizer

from provetune.core.errors import CorruptError, UsageError
from provetune.inference.predictor import Predictor, load
from provetune.models.backbones import content_hash, find_backbone
from provetune.models.bundle import BundleContents, Golden, open_bundle, write_bundle
from provetune.models.bundle.origin import write_origin
from provetune.models.loading import fold_temperature, load_model
from provetune.models.methods import METHODS

TEXTS = ["the card was charged twice", "nothing arrived, no parcel", "a b c d"]
WAYS: dict[str, dict[str, Any]] = {
    "adapter": {"bottleneck": 4},
    "prefix": {"prefix_length": 3, "prefix_hidden": 6},
    "prompt": {"prompt_length": 3},
    "lora": {"rank": 2},
}


def write_backbone(folder: Path, seed: int = 0) -> Path:
    import transformers

    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.4,
    )
    transformers.BertModel(config).save_pretrained(folder)
    wrapped_tokenizer().save_pretrained(folder)
    return folder


def learned(method: Any, backbone: Path) -> Any:
    """What a method learned, crudely: every weight that may is moved."""
    model = load_model(backbone, TASK.auto_class, TASK.head(TARGETS), 7)
    torch.manual_seed(3)
    model = method.prepare(model, method.settings(**WAYS[method.name]), TASK)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def write(folder: Path, backbone: Path, name: str, temperature: float = 2.0) -> Path:
    """A bundle as a trial writes it; see `provetune.study.keeping.write_trained`."""
    method: Any = METHODS.get(name)
    model = learned(method, backbone)
    kept = method.merge(model)
    fold_temperature(kept, temperature)
    apart = method.bundle_kind == "adapted"
    said = {
        **record(),
        "candidate": {"name": name, "method": name},
        "backbone": {"name": str(backbone), "family": "bert", "content_hash": content_hash(backbone)},
        "auto_class": TASK.auto_class,
        "inputs": "text",
        "temperature": temperature,
    }

    def adapter(place: Path) -> None:
        method.save_adapter(kept if apart else model, place)
        write_origin(place, {**said, "task": TASK.name, "targets": TARGETS.to_json()})

    contents = BundleContents(
        kind=method.bundle_kind,
        task=TASK.name,
        targets=TARGETS,
        golden=Golden((), ()),
        record=said,
        model=method.plain(kept) if apart else kept,
        tokenizer=wrapped_tokenizer(),
        adapter=adapter,
    )
    write_bundle(folder, contents)
    tokens = wrapped_tokenizer()(TEXTS, padding=True, return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        expected = kept(**tokens).logits.softmax(dim=-1).double().numpy()
    np.testing.assert_allclose(load(folder).probabilities(TEXTS), expected, atol=1e-5)
    return folder


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_backbone(tmp_path_factory.mktemp("backbone"))


@pytest.mark.parametrize("name", WAYS)
def test_an_adapter_alone_answers_to_the_bit_like_its_bundle(name: str, backbone: Path, tmp_path: Path) -> None:
    bundle = write(tmp_path / "bundle", backbone, name)
    whole, alone = load(bundle), load(bundle / "adapter", backbone=backbone)
    assert isinstance(alone, Predictor)
    assert alone.targets == whole.targets
    found, expected = alone.probabilities(TEXTS), whole.probabilities(TEXTS)
    if name == "lora":  # its bundle is computed by our own BERT, which rounds otherwise
        np.testing.assert_allclose(found, expected, atol=1e-6)
    else:
        np.testing.assert_array_equal(found, expected)
    # The backbone that it names is found as well.
    np.testing.assert_array_equal(load(bundle / "adapter").probabilities(TEXTS), found)
    assert alone.predict(TEXTS[:1])[0]["label"] == TARGETS.names[int(found[0].argmax())]


@pytest.mark.parametrize("name", ["adapter", "prefix", "prompt"])
def test_plain_transformers_opens_the_folder_and_lacks_what_was_learned(
    name: str, backbone: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForSequenceClassification

    bundle = write(tmp_path / "bundle", backbone, name)
    plain, report = AutoModelForSequenceClassification.from_pretrained(bundle, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    tokens = wrapped_tokenizer()(TEXTS, padding=True, return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        found = plain.eval()(**tokens).logits.softmax(dim=-1).double().numpy()
    assert np.abs(found - load(bundle).probabilities(TEXTS)).max() > 1e-3
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert f"Provetune is needed to predict. What `{name}` learned cannot be merged" in card
    assert "library_name: provetune" in card
    assert "from transformers import pipeline" not in card


def test_another_backbone_is_refused_by_its_content(backbone: Path, tmp_path: Path) -> None:
    bundle = write(tmp_path / "bundle", backbone, "adapter")
    other = write_backbone(tmp_path / "other", seed=1)
    with pytest.raises(UsageError, match=r"was learned on .* is another model \(content [0-9a-f]{12}\)"):
        load(bundle / "adapter", backbone=other)
    # The same weights elsewhere are the same model.
    copied = Path(shutil.copytree(backbone, tmp_path / "copied"))
    assert load(bundle / "adapter", backbone=copied).targets == TARGETS


def test_the_adapter_belongs_to_the_bundle(backbone: Path, tmp_path: Path) -> None:
    bundle = write(tmp_path / "bundle", backbone, "adapter")
    with pytest.raises(UsageError, match="a bundle has its own"):
        load(bundle, backbone=backbone)
    with pytest.raises(UsageError, match="has no golden examples"):
        load(bundle / "adapter", verify="golden")
    weights = bundle / "adapter" / "adapter.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    with pytest.raises(CorruptError, match="was changed"):
        load(bundle)
    for path in (bundle / "adapter").iterdir():
        path.unlink()
    (bundle / "adapter").rmdir()
    with pytest.raises(CorruptError, match="has no adapter"):
        load(bundle, verify=False)


def test_such_a_bundle_is_no_backbone(backbone: Path, tmp_path: Path) -> None:
    """Its weights without what stands beside them are not what was learned."""
    bundle = write(tmp_path / "bundle", backbone, "prompt")
    with pytest.raises(UsageError, match="answers with its adapter alone; it cannot be a backbone"):
        find_backbone(str(bundle))


def test_damaged_and_newer_origins_are_told(backbone: Path, tmp_path: Path) -> None:
    place = write(tmp_path / "bundle", backbone, "adapter") / "adapter" / "origin.json"
    said = json.loads(place.read_text())
    place.write_text(json.dumps({**said, "format": 99}))
    with pytest.raises(UsageError, match="has format 99"):
        load(place.parent)
    place.write_text(json.dumps({key: value for key, value in said.items() if key != "targets"}))
    with pytest.raises(CorruptError, match="does not say its 'targets'"):
        load(place.parent)
    place.write_text(json.dumps({**said, "candidate": {"method": "full"}}))
    with pytest.raises(CorruptError, match="'full' keeps no adapters"):
        load(place.parent)
    place.write_text("{")
    with pytest.raises(CorruptError, match="cannot be read"):
        load(place.parent)


def test_a_bundle_of_this_kind_needs_its_adapter(backbone: Path) -> None:
    contents = BundleContents("adapted", TASK.name, TARGETS, Golden((), ()), record())
    model = load_model(backbone, TASK.auto_class, TASK.head(TARGETS), 7)
    with pytest.raises(ValueError, match="needs adapter"):
        write_bundle(Path("unused"), replace(contents, model=model, tokenizer=wrapped_tokenizer()))


def test_the_kind_is_in_the_record(backbone: Path, tmp_path: Path) -> None:
    bundle = open_bundle(write(tmp_path / "bundle", backbone, "prefix"))
    assert bundle.kind == "adapted"
    assert bundle.adapter == bundle.path / "adapter"
    assert sorted(path.name for path in bundle.adapter.iterdir()) == [
        "adapter.json",
        "adapter.safetensors",
        "origin.json",
    ]

"""A bundle is whole, says what it is, opens anywhere, and notices every changed byte."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from crafted import HEAD
from scipy.special import softmax

from provetune.core.errors import CorruptError, EnvironmentFault, Refused, UsageError
from provetune.core.files import read_json
from provetune.core.protocols import EncodeSettings, Targets
from provetune.models.bundle import BundleContents, Golden, open_bundle, update_record, updating, write_bundle
from provetune.models.bundle import record as records
from provetune.models.bundle.manifest import MANIFEST, manifest_text, verify_manifest, write_manifest
from provetune.models.features import load_encoder
from provetune.models.head_model import HeadModel
from provetune.models.loading import fold_temperature, load_model, load_tokenizer
from provetune.models.logistic import Linear
from provetune.models.methods.head import Head
from provetune.models.methods.lora import Lora, LoraSettings
from provetune.models.methods.tfidf import Tfidf, TfidfSettings

CLASSIFIER = "AutoModelForSequenceClassification"
TARGETS = Targets("single_label", ("card", "other", "parcel"), (4, 2, 6), out_of_scope="other")
QUESTIONS = ["where is my parcel", "card lost", "很好吃"]
RECORD: dict[str, Any] = {
    "columns": {"text": "message", "label": "intent"},
    "encode": {"max_length": 24, "long_texts": "head", "stride": 8},
    "problem": {"name": "support", "language": "en"},
    "candidate": {"name": "full", "method": "full", "backbone": "tiny"},
    "backbone": {"name": "tiny", "licence": "MIT as the package says; research use as the card asks"},
    "seed": 7,
    "data": {"train": "ab" * 32},
    "temperature": 1.5,
    "metrics": {"validation": {"accuracy": 0.75}},
}


def answers(model: Any, tokenizer: Any) -> np.ndarray:
    found = []
    for text in QUESTIONS:
        with torch.no_grad():
            found.append(model(**tokenizer(text, return_tensors="pt")).logits[0].numpy())
    result: np.ndarray = softmax(np.stack(found).astype(np.float64), axis=1)
    return result


@pytest.fixture
def trained(tiny_bert: Path) -> Any:
    model = load_model(tiny_bert, CLASSIFIER, {**HEAD, "problem_type": "single_label_classification"}, seed=3)
    model.classifier.weight.data *= 40
    fold_temperature(model, 1.5)
    return model


@pytest.fixture
def bundle(trained: Any, tiny_bert: Path, tmp_path: Path) -> Path:
    tokenizer = load_tokenizer(tiny_bert)
    golden = Golden.of(QUESTIONS, answers(trained, tokenizer).tolist())
    contents = BundleContents("transformers", "classification", TARGETS, golden, RECORD, trained, tokenizer)
    return write_bundle(tmp_path / "bundle", contents)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    model = Tfidf().fit(["my card", "the rest", "a parcel"], np.arange(3), TARGETS, TfidfSettings(C=4.0))
    golden = Golden.of(QUESTIONS, softmax(model.logits(QUESTIONS).astype(np.float64), axis=1).tolist())
    return write_bundle(tmp_path / "small", BundleContents("tfidf", "classification", TARGETS, golden, fitted=model))


def test_what_is_in_it(bundle: Path) -> None:
    names = {path.name for path in bundle.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "provetune.json", "README.md", "golden.json"} <= names
    assert set(read_json(bundle / MANIFEST)["files"]) == names - {MANIFEST}
    opened = open_bundle(bundle)
    assert (opened.kind, opened.task, opened.targets) == ("transformers", "classification", TARGETS)
    assert opened.encode == EncodeSettings(max_length=24, long_texts="head", stride=8)
    assert opened.record["packages"]["torch"] == torch.__version__
    assert opened.record["format_version"] == 1
    assert opened.adapter is None
    assert opened.model_path == bundle


def test_transformers_pipeline_loads_it_and_agrees(bundle: Path) -> None:
    from transformers import pipeline

    speaker = pipeline("text-classification", model=str(bundle), top_k=None, device="cpu")
    golden = open_bundle(bundle).golden
    said = speaker(list(golden.inputs), truncation=True)
    found = [[{each["label"]: each["score"] for each in row}[name] for name in TARGETS.names] for row in said]
    assert golden.check(np.array(found), where="pipeline", tolerance=1e-6) <= 1e-6
    assert np.abs(np.array(golden.answers) - 1 / 3).max() > 0.05


def test_nothing_in_it_says_where_it_was_made(bundle: Path, tiny_bert: Path) -> None:
    for path in bundle.rglob("*"):
        if path.suffix in (".json", ".md", ".txt"):
            assert str(tiny_bert.parent) not in path.read_text(encoding="utf-8"), path.name


def test_equal_contents_give_equal_bytes(bundle: Path, trained: Any, tiny_bert: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_bert)
    golden = open_bundle(bundle).golden
    again = write_bundle(
        tmp_path / "again",
        BundleContents("transformers", "classification", TARGETS, golden, RECORD, trained, tokenizer),
    )
    assert (again / MANIFEST).read_bytes() == (bundle / MANIFEST).read_bytes()


def test_the_adapter_is_kept_beside_and_loads(tiny_bert: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_bert)
    torch.manual_seed(0)
    wrapped = Lora().prepare(load_model(tiny_bert, CLASSIFIER, HEAD, seed=3), LoraSettings(rank=2), task=None)  # type: ignore[arg-type]
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    merged = Lora().merge(wrapped.eval())
    golden = Golden.of(QUESTIONS, answers(merged, tokenizer))
    folder = write_bundle(
        tmp_path / "lora",
        BundleContents(
            *("transformers", "classification", TARGETS, golden, RECORD, merged, tokenizer),
            adapter=lambda place: Lora().save_adapter(wrapped, place),
        ),
    )
    opened = open_bundle(folder)
    assert opened.adapter == folder / "adapter"
    assert "adapter/adapter_model.safetensors" in read_json(folder / MANIFEST)["files"]
    assert str(tiny_bert.parent) not in (opened.adapter / "adapter_config.json").read_text(encoding="utf-8")
    restored = Lora().attach(load_model(tiny_bert, CLASSIFIER, HEAD, seed=99), opened.adapter).eval()
    assert golden.check(answers(restored, tokenizer), where="adapter", tolerance=1e-5) <= 1e-5
    assert (
        golden.check(answers(load_model(folder, CLASSIFIER, {}, seed=0), load_tokenizer(folder)), where="merged")
        <= 1e-6
    )


def test_frozen_encoder_has_encoder_and_head(tiny_bert: Path, tmp_path: Path) -> None:
    head = HeadModel(Linear(np.ones((3, 32), dtype=np.float32), np.zeros(3, dtype=np.float32)), {"C": 4.0})
    contents = BundleContents(
        *("frozen_encoder", "classification", TARGETS, Golden((), ()), RECORD),
        model=load_encoder(tiny_bert),
        tokenizer=load_tokenizer(tiny_bert),
        fitted=head,
    )
    opened = open_bundle(write_bundle(tmp_path / "frozen", contents))
    assert opened.model_path == opened.path / "encoder"
    encoder = load_encoder(opened.model_path)
    assert torch.equal(encoder.pooler.dense.weight, load_encoder(tiny_bert).pooler.dense.weight)
    assert np.array_equal(Head().load(opened.path).layer.weight, head.layer.weight)
    assert load_tokenizer(opened.model_path).model_max_length == 24


def test_a_changed_byte_in_any_file_is_noticed(bundle: Path, tmp_path: Path) -> None:
    files = sorted(path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file())
    assert len(files) >= 8
    for name in files:
        copy = shutil.copytree(bundle, tmp_path / "copy")
        content = bytearray((copy / name).read_bytes())
        for place in (0, len(content) // 2, len(content) - 1):
            changed = bytearray(content)
            changed[place] ^= 1
            (copy / name).write_bytes(bytes(changed))
            with pytest.raises(CorruptError, match=name.name.replace(".", r"\.")):
                open_bundle(copy)
        shutil.rmtree(copy)


def test_a_missing_and_a_foreign_file_are_noticed(small: Path) -> None:
    (small / "notes.txt").write_text("hello")
    with pytest.raises(CorruptError, match=r"notes\.txt: This file does not belong to the bundle"):
        open_bundle(small)
    (small / "notes.txt").unlink()
    (small / ".DS_Store").write_bytes(b"a file browser was here")
    open_bundle(small)
    (small / "golden.json").unlink()
    with pytest.raises(CorruptError, match=r"golden\.json: A file of the bundle is missing"):
        open_bundle(small)


@pytest.mark.parametrize("name", ["weights.bin", "model.pt", "x.PKL", "scaler.joblib", "a.npy", "run.py", "deep/x.pth"])
def test_what_can_run_code_is_refused_even_with_a_manifest(small: Path, name: str) -> None:
    (small / name).parent.mkdir(exist_ok=True)
    (small / name).write_bytes(b"x")
    with pytest.raises(CorruptError, match="can run code"):
        write_manifest(small)
    hashes = {**read_json(small / MANIFEST)["files"], name: "0" * 64}
    (small / MANIFEST).write_text(manifest_text(hashes))
    with pytest.raises(CorruptError, match="can run code"):
        open_bundle(small)


@pytest.mark.parametrize(
    "name", ["../outside.json", "/etc/passwd", "a/../../b", "..\\b", "C:/b", "a//b", "./golden.json", ""]
)
def test_a_manifest_that_points_outside_is_refused(small: Path, name: str) -> None:
    (small.parent / "outside.json").write_text("{}")
    hashes = {**read_json(small / MANIFEST)["files"], name: "0" * 64}
    (small / MANIFEST).write_text(manifest_text(hashes))
    with pytest.raises(CorruptError, match="place outside the bundle"):
        open_bundle(small)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
@pytest.mark.parametrize("name", ["golden.json", MANIFEST, "adapter"])
def test_links_are_refused(small: Path, name: str) -> None:
    elsewhere = small.parent / f"real-{name}"
    if (small / name).exists():
        shutil.move(small / name, elsewhere)
    else:
        elsewhere.mkdir()
    (small / name).symlink_to(elsewhere)
    with pytest.raises(CorruptError, match="this is a link"):
        open_bundle(small)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": 3}', '{"format": 1}', "\xff"])
def test_a_broken_manifest(small: Path, content: str) -> None:
    (small / MANIFEST).write_bytes(content.encode("latin-1"))
    with pytest.raises(CorruptError, match=r"manifest\.json"):
        open_bundle(small)


def test_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no bundle at this place"):
        open_bundle(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"not a bundle: it has no provetune\.json"):
        open_bundle(tmp_path)


def test_unverified_opening_reads_small_files_only(bundle: Path) -> None:
    (bundle / "model.safetensors").write_bytes(b"changed")
    assert open_bundle(bundle, verify=False).targets == TARGETS


def test_update_changes_record_card_and_manifest(small: Path) -> None:
    before = (small / "README.md").read_text(encoding="utf-8")
    assert "nothing is proven yet" in before
    accept = [{"metric": "accuracy", "required": ">= 0.90", "value": 0.93, "bound": 0.91, "met": True}]
    record = update_record(small, acceptance=accept, verdict="met", metrics={"test": {"accuracy": 0.93}})
    assert record["verdict"] == "met"
    opened = open_bundle(small)
    assert opened.record == record
    card = (small / "README.md").read_text(encoding="utf-8")
    assert "| accuracy >= 0.90 | 0.9300 | 0.9100 | yes |" in card
    assert "On the test rows: accuracy 0.9300." in card
    assert "nothing is proven yet" not in card
    assert not (small / updating.PENDING).exists()


@pytest.mark.parametrize("written", [0, 1, 2, 3])
def test_an_update_cut_off_is_finished_by_the_next_opening(
    small: Path, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, done = updating.write_bytes, [0]

    def cut_off(target: Path, content: bytes) -> None:
        if done[0] == written:
            raise KeyboardInterrupt
        done[0] += 1
        real(target, content)

    with monkeypatch.context() as patch:
        patch.setattr(updating, "write_bytes", cut_off)
        if written < 3:
            with pytest.raises(KeyboardInterrupt):
                update_record(small, verdict="met")
        else:
            update_record(small, verdict="met")
    assert open_bundle(small).record["verdict"] == "met"
    verify_manifest(small)


def test_an_update_before_it_is_written_down_changes_nothing(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(target: Path, document: Any) -> None:
        raise EnvironmentFault("No space is left on the disk.")

    before = (small / MANIFEST).read_bytes()
    monkeypatch.setattr(updating, "write_json", full)
    with pytest.raises(EnvironmentFault):
        update_record(small, verdict="met")
    assert (small / MANIFEST).read_bytes() == before
    assert "verdict" not in open_bundle(small).record


def test_an_update_never_blesses_a_changed_file(small: Path) -> None:
    (small / "golden.json").write_text("{}")
    with pytest.raises(CorruptError, match=r"golden\.json"):
        update_record(small, verdict="met")


@pytest.mark.parametrize("content", ["{", "{}", '{"provetune.json": 1, "README.md": "", "manifest.json": ""}', "[]"])
def test_a_pending_change_that_is_none(small: Path, content: str) -> None:
    (small / updating.PENDING).write_text(content)
    with pytest.raises(CorruptError, match=r"update\.json"):
        open_bundle(small)


def test_what_a_bundle_is_never_changes(small: Path) -> None:
    with pytest.raises(ValueError, match="'targets' of a bundle never changes"):
        update_record(small, targets={})


def test_formats_migrate_step_by_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(records, "FORMAT_VERSION", 3)
    steps = {1: lambda old: {**old, "a": 1}, 2: lambda old: {**old, "b": old["a"] + 1}}
    assert records.migrate({"format_version": 1}, tmp_path, steps) == {"format_version": 3, "a": 1, "b": 2}
    with pytest.raises(CorruptError, match="no way up from format 2"):
        records.migrate({"format_version": 2}, tmp_path, {})


def test_a_newer_format_asks_for_an_upgrade(small: Path) -> None:
    place = small / "provetune.json"
    place.write_text(json.dumps({**read_json(place), "format_version": 2}))
    write_manifest(small)
    with pytest.raises(UsageError, match=r"has format 2; this Provetune .* reads up to 1.*install -U provetune"):
        open_bundle(small)


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"format_version": 0}', '{"format_version": true}', '{"format_version": 1}']
)
def test_a_broken_record(small: Path, content: str) -> None:
    (small / "provetune.json").write_text(content)
    write_manifest(small)
    with pytest.raises(CorruptError, match=r"provetune\.json"):
        open_bundle(small)


def test_golden_answers_are_compared() -> None:
    golden = Golden.of(["a", "b"], np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert golden.check(np.array([[0.25, 0.75], [0.5, 0.5]]), where="x") == 0.0
    with pytest.raises(Refused, match=r"example 2 of 2 is answered differently: .* off by 0\.1"):
        golden.check(np.array([[0.25, 0.75], [0.4, 0.6]]), where="x")
    with pytest.raises(Refused, match="Golden example 1"):
        golden.check(np.array([[np.nan, 0.75], [0.5, 0.5]]), where="x")
    with pytest.raises(CorruptError, match=r"must be 2 golden answers. Got 1 instead"):
        golden.check(np.array([[0.25, 0.75]]), where="x")
    with pytest.raises(CorruptError, match="no golden examples"):
        Golden((), ()).check(np.zeros((0, 2)), where="x")
    with pytest.raises(ValueError, match="one answer an input"):
        Golden.of(["a"], np.zeros((2, 2)))


def test_card_says_what_matters_and_survives_odd_labels(bundle: Path, tmp_path: Path) -> None:
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: transformers\npipeline_tag: text-classification\n")
    assert "Licence of the backbone: MIT as the package says; research use as the card asks" in card
    assert "| parcel | 6 |" in card
    assert "Of a text longer than 24 tokens, only the beginning is read." in card
    assert "On the validation rows: accuracy 0.7500." in card
    odd = Targets("single_label", ("a|b", "<script>", "x\ny"), (1, 2, 3))
    model = Tfidf().fit(["my card", "the rest", "a parcel"], np.arange(3), odd, TfidfSettings(C=4.0))
    folder = write_bundle(
        tmp_path / "odd", BundleContents("tfidf", "classification", odd, Golden((), ()), fitted=model)
    )
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| a\\|b | 1 |\n| &lt;script> | 2 |\n| x y | 3 |" in card


def test_a_failed_write_leaves_nothing(trained: Any, tiny_bert: Path, tmp_path: Path) -> None:
    def full(place: Path) -> None:
        raise OSError(28, "No space left on device")

    contents = BundleContents(
        *("transformers", "classification", TARGETS, Golden((), ()), RECORD, trained, load_tokenizer(tiny_bert)),
        adapter=full,
    )
    with pytest.raises(EnvironmentFault, match="No space is left"):
        write_bundle(tmp_path / "full" / "bundle", contents)
    assert list((tmp_path / "full").iterdir()) == []


def test_parts_that_a_kind_needs() -> None:
    for kind, lacking in (("transformers", "model"), ("frozen_encoder", "model"), ("tfidf", "fitted")):
        with pytest.raises(ValueError, match=f"kind '{kind}' needs {lacking}"):
            write_bundle(Path("never"), BundleContents(kind, "classification", TARGETS, Golden((), ())))

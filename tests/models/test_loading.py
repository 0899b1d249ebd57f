"""Models load in fp32 without noise; a new head depends on the seed and on nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from crafted import HEAD
from safetensors.torch import load_file, save_file

from provetune.core.errors import CorruptError, UsageError
from provetune.models.backbones import find_backbone
from provetune.models.loading import fold_temperature, head_modules, load_model, load_tokenizer, output_layer

CLASSIFIER = "AutoModelForSequenceClassification"


def test_equal_seeds_give_equal_heads_and_leave_the_random_state(tiny_bert: Path) -> None:
    torch.manual_seed(123)
    before = torch.get_rng_state()
    first = load_model(tiny_bert, CLASSIFIER, HEAD, seed=5)
    torch.rand(17)
    torch.set_rng_state(before)
    again = load_model(tiny_bert, CLASSIFIER, HEAD, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    other = load_model(tiny_bert, CLASSIFIER, HEAD, seed=6)
    assert torch.equal(first.classifier.weight, again.classifier.weight)
    assert not torch.equal(first.classifier.weight, other.classifier.weight)
    assert first.classifier.weight.std().item() == pytest.approx(0.02, rel=0.4)
    assert first.new_weights == ["classifier.bias", "classifier.weight"]


def test_weights_are_the_folders_in_fp32_with_plain_attention(tiny_bert: Path) -> None:
    model = load_model(tiny_bert, CLASSIFIER, HEAD, seed=0)
    stored = load_file(tiny_bert / "model.safetensors")
    name = "encoder.layer.1.output.dense.weight"
    assert torch.equal(model.bert.get_parameter(name), stored[name])
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.config._attn_implementation == "eager"
    assert model.config.id2label == HEAD["id2label"]
    assert not model.training


def test_loading_says_nothing(tiny_bert: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_model(tiny_bert, CLASSIFIER, HEAD, seed=0)
    load_tokenizer(tiny_bert)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_half_precision_weights_are_widened(tiny_bert: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_bert, tmp_path / "half")
    halved = {name: tensor.half() for name, tensor in load_file(copy / "model.safetensors").items()}
    save_file(halved, copy / "model.safetensors", metadata={"format": "pt"})
    model = load_model(copy, CLASSIFIER, HEAD, seed=0)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_another_classifiers_head_is_drawn_anew(tiny_bert: Path, tmp_path: Path) -> None:
    trained = load_model(tiny_bert, CLASSIFIER, HEAD, seed=1)
    trained.save_pretrained(str(tmp_path / "trained"))
    same_count = load_model(tmp_path / "trained", CLASSIFIER, HEAD, seed=2)
    assert not torch.equal(same_count.classifier.weight, trained.classifier.weight)
    assert torch.equal(
        same_count.classifier.weight, load_model(tmp_path / "trained", CLASSIFIER, HEAD, seed=2).classifier.weight
    )
    more = load_model(tmp_path / "trained", CLASSIFIER, {"num_labels": 7}, seed=2)
    assert more.classifier.weight.shape == (7, 32)
    assert torch.equal(more.bert.pooler.dense.weight, trained.bert.pooler.dense.weight)


def test_weights_that_lack_a_part_of_the_backbone(tiny_bert: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_bert, tmp_path / "lacking")
    weights = load_file(copy / "model.safetensors")
    del weights["encoder.layer.0.output.dense.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CorruptError, match=r"lack 1 parts of the model, e\.g\. 'bert\.encoder\.layer\.0"):
        load_model(copy, CLASSIFIER, HEAD, seed=0)


def test_a_head_that_answers_questions_is_kept(tiny_bert: Path, tmp_path: Path) -> None:
    """Its two outputs mean the same in every model; a backbone that has none gets a new one."""
    name, head = "AutoModelForQuestionAnswering", {"num_labels": 2}
    fresh = load_model(tiny_bert, name, head, seed=1)
    assert fresh.new_weights == ["qa_outputs.bias", "qa_outputs.weight"]
    fresh.save_pretrained(tmp_path)
    again = load_model(tmp_path, name, head, seed=2)
    assert again.new_weights == []
    assert torch.equal(again.qa_outputs.weight, fresh.qa_outputs.weight)


def test_without_a_head_to_make_the_stored_one_must_be_whole(tiny_bert: Path, tmp_path: Path) -> None:
    trained = load_model(tiny_bert, CLASSIFIER, HEAD, seed=1)
    trained.save_pretrained(str(tmp_path / "trained"))
    assert torch.equal(load_model(tmp_path / "trained", CLASSIFIER, {}, 2).classifier.weight, trained.classifier.weight)
    with pytest.raises(CorruptError, match=r"lack 2 parts of the model, e\.g\. 'classifier\.bias'"):
        load_model(tiny_bert, CLASSIFIER, {}, seed=0)


def test_damaged_weights(tiny_bert: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_bert, tmp_path / "damaged")
    (copy / "model.safetensors").write_bytes((copy / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(CorruptError, match="damaged"):
        load_model(copy, CLASSIFIER, HEAD, seed=0)


def test_old_weights_are_read_as_tensors_only(tiny_bert: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_bert, tmp_path / "old")
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    model = load_model(copy, CLASSIFIER, HEAD, seed=0)
    assert torch.equal(
        model.bert.pooler.dense.weight, load_model(tiny_bert, CLASSIFIER, HEAD, 0).bert.pooler.dense.weight
    )


def test_wrong_class_and_wrong_folder(tiny_bert: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model class 'BertModel'"):
        load_model(tiny_bert, "BertModel", {}, seed=0)
    with pytest.raises(UsageError, match="no such folder"):
        load_model(tmp_path / "nowhere", CLASSIFIER, HEAD, seed=0)
    with pytest.raises(UsageError, match="no such folder"):
        load_tokenizer(tmp_path / "nowhere")


def test_tokenizer_forgets_how_it_was_last_used(tiny_bert: Path, tmp_path: Path, tiny_tokenizer: Any) -> None:
    from tokenizers import Tokenizer

    copy = shutil.copytree(tiny_bert, tmp_path / "habits")
    backend = Tokenizer.from_file(str(copy / "tokenizer.json"))
    backend.enable_truncation(6)
    backend.enable_padding(length=6)
    backend.save(str(copy / "tokenizer.json"))
    tokenizer = load_tokenizer(copy)
    assert tokenizer.backend_tokenizer.truncation is None
    assert tokenizer.backend_tokenizer.padding is None
    # [CLS] where is my parcel [UNK] [SEP]
    assert tokenizer("Where is MY parcel now")["input_ids"] == [2, 5, 6, 7, 8, 1, 3]
    assert load_tokenizer(find_backbone(str(tiny_bert))).model_max_length == 32


def test_output_layer_and_head_modules(tiny_bert: Path) -> None:
    model = load_model(tiny_bert, CLASSIFIER, HEAD, seed=0)
    assert output_layer(model)[0] == "classifier"
    assert head_modules(model) == ["classifier", "bert.pooler"]


def test_folding_divides_the_logits(tiny_bert: Path) -> None:
    model = load_model(tiny_bert, CLASSIFIER, HEAD, seed=0)
    model.classifier.bias.data += 0.3
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.no_grad():
        before = model(input_ids=ids).logits
        fold_temperature(model, 1.7)
        after = model(input_ids=ids).logits
    torch.testing.assert_close(after, before / 1.7)
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="positive number"):
            fold_temperature(model, wrong)

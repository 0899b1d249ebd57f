"""Rows of an output layer carried over by the names of their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from provetune.core.errors import CorruptError
from provetune.models.kept_head import keep_output_rows
from provetune.models.loading import load_model


def write_model(folder: Path, names: list[str], width: int = 16) -> BertForSequenceClassification:
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=20,
        hidden_size=width,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
    )
    model = BertForSequenceClassification(config)
    torch.nn.init.normal_(model.classifier.bias)
    model.save_pretrained(folder)
    return model.eval()


def begin(folder: Path, names: list[str]) -> Any:
    head = {"id2label": dict(enumerate(names)), "label2id": {name: k for k, name in enumerate(names)}}
    return load_model(folder, "AutoModelForSequenceClassification", head, seed=5)


def test_labels_are_matched_by_name_and_new_ones_stay_as_drawn(tmp_path: Path) -> None:
    old = write_model(tmp_path, ["billing", "login"])
    new = begin(tmp_path, ["billing", "delivery", "login"])
    drawn = new.classifier.weight.detach().clone()
    assert keep_output_rows(new, tmp_path) == ["billing", "login"]
    assert torch.equal(new.classifier.weight[[0, 2]], old.classifier.weight)
    assert torch.equal(new.classifier.bias[[0, 2]], old.classifier.bias)
    assert torch.equal(new.classifier.weight[1], drawn[1])


def test_a_model_of_the_same_labels_answers_as_before(tmp_path: Path) -> None:
    old = write_model(tmp_path, ["b", "a", "c"])
    new = begin(tmp_path, ["a", "b", "c"])
    ids = torch.tensor([[1, 5, 7, 2]])
    with torch.no_grad():
        assert not torch.allclose(new(ids).logits, old(ids).logits[:, [1, 0, 2]])
        keep_output_rows(new, tmp_path)
        torch.testing.assert_close(new(ids).logits, old(ids).logits[:, [1, 0, 2]])


def test_numbers_are_the_same_through_another_scale(tmp_path: Path) -> None:
    from provetune.models.scaling import scale_outputs

    old = write_model(tmp_path, ["value"])
    new = begin(tmp_path, ["value"])
    keep_output_rows(new, tmp_path, scale=[4.0], shift=[-2.0])
    scale_outputs(new, [4.0], [-2.0])
    ids = torch.tensor([[1, 5, 7, 2]])
    with torch.no_grad():
        torch.testing.assert_close(new(ids).logits, old(ids).logits)


def test_a_layer_of_another_width_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "wide", ["a", "b"], width=32)
    write_model(tmp_path / "narrow", ["a", "b"])
    with pytest.raises(CorruptError, match="no output layer that fits"):
        keep_output_rows(begin(tmp_path / "narrow", ["a", "b"]), tmp_path / "wide")

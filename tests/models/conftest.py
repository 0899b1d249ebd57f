"""Tiny models and crafted wheels that the tests of this room share."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from provetune.models.catalogue import Entry, Package

WORDS = ["where", "is", "my", "parcel", "card", "lost", "the", "a", "please", "help", "很", "好", "吃", "慢"]
HEAD = {
    "num_labels": 3,
    "id2label": {0: "card", 1: "other", 2: "parcel"},
    "label2id": {"card": 0, "other": 1, "parcel": 2},
}


@pytest.fixture(scope="session")
def tiny_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=32,
    )


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> Path:
    """A folder with a random BERT encoder of two layers of 32, and its tokenizer."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("backbone") / "tiny-bert"
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
    )
    BertModel(config).save_pretrained(str(folder))
    tiny_tokenizer.save_pretrained(str(folder))
    return folder


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes]) -> Path:
    """A wheel that pip accepts, holding `files`."""
    flat = name.replace("-", "_")
    info = f"{flat}-{version}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{flat}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
    return wheel


def package_of(wheel: Path, name: str, version: str) -> Package:
    content = wheel.read_bytes()
    return Package(name=name, version=version, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def entry_of(*packages: Package, **fields: Any) -> Entry:
    """A catalogue entry called ``tiny-model`` made of these packages."""
    facts: dict[str, Any] = {
        "name": "tiny-model",
        "what": "a model for tests",
        "family": "bert",
        "licence": "Apache-2.0",
        "licence_note": "",
        "languages": ("en",),
        "default_for": ("en",),
        "parameters": 1,
        "layout": "folder",
        "inside": "tiny_model/model/",
        "needs": (),
        "packages": packages,
    }
    return Entry(**{**facts, **fields})

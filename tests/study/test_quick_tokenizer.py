"""The catalogue's tokenizers are read without transformers, and give what transformers gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from provetune.core.errors import EnvironmentFault
from provetune.inference.backends._tokenizer import FolderTokenizer
from provetune.models.backbones import find_backbone
from provetune.models.loading import load_tokenizer
from provetune.study.quick_tokenizer import quick_tokenizer


@pytest.mark.weights
@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_catalogue_tokenizers_are_the_same_ones(language: str) -> None:
    try:
        backbone = find_backbone("auto", language)
    except EnvironmentFault as fault:
        pytest.skip(str(fault))
    quick, full = quick_tokenizer(backbone.path, backbone.source), load_tokenizer(backbone)
    assert isinstance(quick, FolderTokenizer)
    quick.backend_tokenizer.no_truncation()
    quick.backend_tokenizer.no_padding()
    assert quick.backend_tokenizer.to_str() == full.backend_tokenizer.to_str()
    assert ("token_type_ids" in quick.model_input_names) == ("token_type_ids" in full.model_input_names)


def test_other_folders_are_read_by_transformers(tiny_backbone: Path) -> None:
    assert not isinstance(quick_tokenizer(tiny_backbone, "folder"), FolderTokenizer)
    assert isinstance(quick_tokenizer(tiny_backbone, "catalogue"), FolderTokenizer)

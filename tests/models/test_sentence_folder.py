"""Folders that sentence-transformers loads, held to that library itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from provetune.models.sentence_folder import write_sentence_files


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_sentence_transformers_gives_the_same_vectors(tiny_backbone: Path, tmp_path: Path, pooling: str) -> None:
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel, AutoTokenizer

    folder = tmp_path / "model"
    shutil.copytree(tiny_backbone, folder)
    write_sentence_files(folder, width=32, pooling=pooling, max_length=12, query_prefix="q: ")  # type: ignore[arg-type]
    texts = ["a red car", "花呗 with many more letters than twelve tokens allow"]
    found = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    assert found.max_seq_length == 12
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    for prompt, prefix in (("query", "q: "), ("document", "")):
        batch = tokenizer(
            [prefix + text for text in texts], padding=True, truncation=True, max_length=12, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"][:, :, None]
        pooled = hidden[:, 0] if pooling == "first" else (hidden * mask).sum(1) / mask.sum(1)
        expected = torch.nn.functional.normalize(pooled, dim=-1).numpy()
        np.testing.assert_allclose(found.encode(texts, prompt_name=prompt), expected, atol=1e-5)
    assert float(found.similarity(found.encode(texts[:1]), found.encode(texts[:1]))) == pytest.approx(1.0, abs=1e-5)

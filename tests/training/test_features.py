from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from provetune.core.protocols import EncodeSettings, Targets
from provetune.tasks import TASKS
from provetune.training.features import encode_split


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "blue"]
    inner = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def rows(texts: list[str], labels: list[str]) -> pa.Table:
    return pa.table({"row_id": [str(i) for i in range(len(texts))], "text": texts, "label": labels})


def test_cached_features_are_those_made_in_memory_and_are_found_again(tmp_path, tokenizer) -> None:
    task = TASKS.get("classification")
    settings = EncodeSettings(max_length=8)
    targets = Targets("single_label", ("x", "y"))
    examples = rows(["red green", "blue", "red red red"], ["x", "y", "x"])
    fresh = encode_split(task, examples, tokenizer, settings, targets)
    kept = encode_split(task, examples, tokenizer, settings, targets, tmp_path)
    files = list(tmp_path.iterdir())
    again = encode_split(task, examples, tokenizer, settings, targets, tmp_path)
    assert list(tmp_path.iterdir()) == files
    for store in (kept, again):
        assert store.lengths.tolist() == fresh.lengths.tolist()
        for left, right in zip(store.take([2, 0]), fresh.take([2, 0]), strict=True):
            assert left.keys() == right.keys()
            assert all(np.array_equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize(
    "change",
    [
        {"examples": rows(["red green", "blue", "red red green"], ["x", "y", "x"])},
        {"settings": EncodeSettings(max_length=9)},
        {"targets": Targets("single_label", ("y", "x"))},
    ],
)
def test_whatever_the_features_depend_on_makes_another_file(tmp_path, tokenizer, change) -> None:
    facts = {
        "examples": rows(["red green", "blue", "red red red"], ["x", "y", "x"]),
        "settings": EncodeSettings(max_length=8),
        "targets": Targets("single_label", ("x", "y")),
    }
    for given in (facts, facts | change):
        encode_split(
            TASKS.get("classification"), given["examples"], tokenizer, given["settings"], given["targets"], tmp_path
        )
    assert len(list(tmp_path.iterdir())) == 2

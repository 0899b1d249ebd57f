"""The public sets that teams know: columns, language and faults are found as a person would find them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provetune.core.protocols import Role
from provetune.data.labelled_texts import LabelledTexts
from provetune.data.language import detect_language
from provetune.data.quality import find_faults
from provetune.data.splits import make_splits
from provetune.problem.syntax import Data

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data"
ROLES = (Role("text", "The text.", many=True), Role("label", "Its label.", many=True))

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the public data sets are not in {FOLDER}"),
]

SETS: list[tuple[dict[str, Any], Any, str, int, str, tuple[int, int, int]]] = [
    (
        {"train": "clinc150/train.csv", "validation": "clinc150/val.csv", "test": "clinc150/test.csv"},
        "text", "intent", 151, "en", (15_100, 3_100, 5_500),
    ),
    (
        {"train": "sst2/train.jsonl", "validation": "sst2/dev.jsonl", "test": "sst2/test.jsonl"},
        "text", "label", 2, "en", (6_920, 872, 1_821),
    ),
    ({"train": "hwu64/train.csv", "test": "hwu64/test.csv"}, "text", "intent", 64, "en", (8_941, 1_019, 1_076)),
    ({"train": "waimai_zh/waimai_10k.csv"}, "review", "label", 2, "zh", (8_391, 1_198, 2_398)),
    (
        {"train": "noisy_ag_news/train.jsonl", "test": "noisy_ag_news/test.jsonl"},
        "text", "label", 4, "en", (9_000, 1_000, 7_600),
    ),
    ({"train": "fin_news_zh/news.csv"}, ["title", "text"], "label", 2, "zh", (1_680, 240, 480)),
    (
        {"train": "insuranceqa_zh/train.jsonl", "validation": "insuranceqa_zh/valid.jsonl",
         "test": "insuranceqa_zh/test.jsonl"},
        "zh", "domain", 12, "zh", (12_889, 2_000, 2_000),
    ),
    (
        {"train": "afqmc_zh/train.jsonl", "test": "afqmc_zh/dev.jsonl"},
        ["text_a", "text_b"], "label", 2, "zh", (30_901, 3_433, 4_316),
    ),
    (
        {"train": "sick2014/train.tsv", "validation": "sick2014/dev.tsv", "test": "sick2014/test.tsv"},
        ["sentence_A", "sentence_B"], "entailment_judgment", 3, "en", (4_500, 500, 4_927),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "text", "label", "labels", "language", "rows"), SETS, ids=[s[0]["train"] for s in SETS]
)
def test_a_known_set(
    data: dict[str, Any], text: Any, label: str, labels: int, language: str, rows: tuple[int, ...]
) -> None:
    splits = make_splits(Data.model_validate(data), FOLDER, LabelledTexts(ROLES))
    assert (splits.columns.text, splits.columns.label) == (text, label)
    assert tuple(table.num_rows for table in splits.tables.values()) == rows
    assert len(set(splits.train["label"].to_pylist())) == labels
    assert detect_language(splits.train["text"].to_pylist()) == language
    assert splits.set_aside.num_rows == 0
    assert not [finding for finding in find_faults(splits) if finding.severity == "blocking"]


def test_leaks_that_insuranceqa_really_has() -> None:
    files = {"train": "train", "validation": "valid", "test": "test"}
    names = {split: f"insuranceqa_zh/{name}.jsonl" for split, name in files.items()}
    splits = make_splits(Data.model_validate({**names, "columns": {"text": "zh"}}), FOLDER, LabelledTexts(ROLES))
    known = {" ".join(text.lower().split()) for text in splits.train["text"].to_pylist()}
    wanted = sum(" ".join(text.lower().split()) in known for text in splits.test["text"].to_pylist())
    found = [f for f in find_faults(splits) if f.kind == "leak_between_splits" and "of test are in train" in f.message]
    assert [finding.count for finding in found] == [wanted]

"""Public data sets that tutorials speak of: a few rows of each, under the names that the pages give them."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_seq2seq import write_family

SHARED = Path(__file__).parents[3] / "shared" / "data"
# Page → file name → (where it lies in ../shared/data, rows; articles of a SQuAD file).
PAGES: dict[str, dict[str, tuple[str, int]]] = {
    "docs/tutorials/unsure.md": {
        "train.csv": ("clinc150/train.csv", 906),
        "val.csv": ("clinc150/val.csv", 310),
        "test.csv": ("clinc150/test.csv", 275),
    },
    "docs/tutorials/scores.md": {
        "train.jsonl": ("fiqa_absa/train.jsonl", 240),
        "test.jsonl": ("fiqa_absa/test.jsonl", 100),
    },
    "docs/tutorials/pairs.md": {
        "train.tsv": ("sick2014/train.tsv", 240),
        "dev.tsv": ("sick2014/dev.tsv", 60),
        "test.tsv": ("sick2014/test.tsv", 120),
    },
    "docs/tutorials/retrieval.md": {
        "train.jsonl": ("afqmc_zh/train.jsonl", 300),
        "dev.jsonl": ("afqmc_zh/dev.jsonl", 150),
    },
    "docs/tutorials/relations.md": {
        "train.jsonl": ("semeval2010_task8/train.jsonl", 240),
        "test.jsonl": ("semeval2010_task8/test.jsonl", 120),
    },
    "docs/tutorials/tagging.md": {
        "train.conll": ("wnut17/train.conll", 6000),
        "dev.conll": ("wnut17/dev.conll", 1500),
        "test.conll": ("wnut17/test.conll", 1500),
    },
    "docs/tutorials/chat.md": {
        "train.jsonl": ("dialogsum/train.jsonl", 24),
        "dev.jsonl": ("dialogsum/dev.jsonl", 6),
    },
    "docs/tutorials/translation.md": {
        "train.jsonl": ("multi30k_en_fr/train.jsonl", 60),
        "val.jsonl": ("multi30k_en_fr/val.jsonl", 12),
        "test.jsonl": ("multi30k_en_fr/test.jsonl", 12),
    },
    "docs/tutorials/questions.md": {
        "xquad.en.json": ("xquad/xquad.en.json", 14),
        "xquad.zh.json": ("xquad/xquad.zh.json", 14),
    },
}


# Models that pages have in a folder; random ones of the same family stand for them.
MODELS = {"docs/tutorials/translation.md": ("opus-mt-en-fr", "marian")}


def lacking(page: str) -> list[str]:
    """Files that a page needs and that are not here."""
    return [place for place, _ in PAGES.get(page, {}).values() if not (SHARED / place).exists()]


def write_files(page: str, folder: Path) -> None:
    """Some rows of a page's files, and the model that it speaks of, into a folder."""
    if page in MODELS:
        name, family = MODELS[page]
        write_family(family, folder / name)
    for name, (place, rows) in PAGES.get(page, {}).items():
        text = (SHARED / place).read_text(encoding="utf-8")
        if place.endswith(".json"):
            document = json.loads(text)
            articles = [{**each, "paragraphs": each["paragraphs"][:1]} for each in document["data"][:rows]]
            kept = json.dumps({**document, "data": articles}, ensure_ascii=False)
        elif place.endswith(".csv"):
            # Rows of one label stand together: evenly spread ones have some of each.
            header, *lines = text.splitlines(keepends=True)
            kept = "".join([header, *lines[:: max(1, len(lines) // rows)]])
        else:
            kept = "".join(text.splitlines(keepends=True)[:rows])
        (folder / name).write_text(kept, encoding="utf-8")

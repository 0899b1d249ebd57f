"""The real sets that tasks are measured on: where their rows are, which task they are of, and which metric counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TaskSet:
    """One data set.

    Attributes:
        task: its task in the problem file.
        data: the problem file's section, files relative to the set's folder.
        metric: the one that is compared.
        baselines: methods without a backbone, by the name that the table gives them.
        candidate: what is trained.
        options: the task's settings.
        seeds, plain_seeds: runs of ours and of the plain recipe.
        rows: training rows at most (a share is drawn, another one for each seed); None for all.
        backbone: a folder below ``shared``, a catalogue name, or ``auto``.
        speed: the least ratio of training examples a second that is asked for.
        folder: where its files lie below ``shared/data``, where that is not its name.
        note: what has to be known to read its line.
    """

    task: str
    language: str
    data: dict[str, Any]
    metric: str
    baselines: dict[str, str]
    candidate: dict[str, Any] = field(default_factory=lambda: {"method": "full"})
    options: dict[str, Any] = field(default_factory=dict)
    seeds: int = 5
    plain_seeds: int = 3
    rows: int | None = None
    backbone: str = "auto"
    speed: float = 3.0
    folder: str = ""
    note: str = ""


def _files(train: str, validation: str | None = None, test: str | None = None, **rest: Any) -> dict[str, Any]:
    named = {"train": train, "validation": validation, "test": test}
    return {**{name: file for name, file in named.items() if file}, **rest}


# Five runs of ours and three of the plain recipe on every set take two cores nine hours. Where one plain run takes a
# quarter of an hour and more, there is one of it, and three of ours: the table then takes some five.
_FEW: dict[str, Any] = {"seeds": 3, "plain_seeds": 1}

_TAGGERS = {"baseline": "token_features", "most_frequent_tag": "most_frequent_tag"}
_WORDS = {"words": "tfidf"}
_PAIRS = {**_WORDS, "overlap": "pair_overlap"}

SETS: dict[str, TaskSet] = {
    "fiqa_absa": TaskSet(
        "regression",
        "en",
        _files("train.jsonl", test="test.jsonl", columns={"text": ["target", "text"], "label": "score"}),
        "r2",
        _WORDS,
    ),
    "wnut17": TaskSet(
        "tagging", "en", _files("train.conll", "dev.conll", "test.conll"), "micro_f1", _TAGGERS, plain_seeds=1
    ),
    "weibo_ner_zh": TaskSet(
        "tagging", "zh", _files("train.conll", "dev.conll", "test.conll"), "micro_f1", _TAGGERS, **_FEW
    ),
    "resume_ner_zh": TaskSet(
        "tagging", "zh", _files("train.char.bmes", "dev.char.bmes", "test.char.bmes"), "micro_f1", _TAGGERS, **_FEW
    ),
    "sick2014": TaskSet(
        "pair",
        "en",
        _files(
            "train.tsv",
            "dev.tsv",
            "test.tsv",
            columns={"text": ["sentence_A", "sentence_B"], "label": "entailment_judgment"},
        ),
        "accuracy",
        _PAIRS,
    ),
    "afqmc_zh": TaskSet(
        "pair",
        "zh",
        _files("train.jsonl", test="dev.jsonl", columns={"text": ["text_a", "text_b"], "label": "label"}),
        "accuracy",
        _PAIRS,
        rows=10_000,
        **_FEW,
        note="10,000 of the training rows; judged on the set's development rows, since it has no labelled test rows",
    ),
    "semeval2010_task8": TaskSet(
        "relation", "en", _files("train.jsonl", test="test.jsonl"), "macro_f1", _WORDS, **_FEW
    ),
    "clinc150": TaskSet(
        "classification",
        "en",
        _files(
            "train.csv",
            "val.csv",
            "test.csv",
            columns={"text": "text", "label": "intent"},
            out_of_scope="oos",
        ),
        "accuracy",
        _WORDS,
        **_FEW,
        note="all 5,500 test rows, the 1,000 out-of-scope ones included",
    ),
    "xquad_en": TaskSet(
        "span_qa",
        "en",
        _files("xquad.en.json", columns={"group": "title"}),
        "f1",
        {"baseline": "word_overlap"},
        {"method": "full", "epochs": 1},
        seeds=3,
        rows=1_000,
        folder="xquad",
        note="split by article",
    ),
    "multi30k_en_fr": TaskSet(
        "seq2seq",
        "en",
        _files("train.jsonl", "val.jsonl", "test.jsonl", columns={"text": "en", "label": "fr"}),
        "bleu",
        {"baseline": "untrained"},
        {"method": "full", "epochs": 1},
        seeds=3,
        rows=1_000,
        backbone="models/opus-mt-en-fr",
        speed=1.5,
    ),
    "dialogsum": TaskSet(
        "chat",
        "en",
        _files(
            "train.jsonl",
            columns={"text": "dialogue", "label": "summary"},
            # A summary is written for each of them, which takes two cores a second or more.
            split={"validation": 0.02, "test": 0.04},
        ),
        "rougeL",
        {"baseline": "untrained"},
        {"method": "lora", "epochs": 1},
        {"max_target_length": 96},
        seeds=1,
        plain_seeds=1,
        rows=300,
        backbone="smollm2-135m-en",
        speed=1.5,
        note="120 rows of the training file are judged; summaries end after 96 tokens, which few of the set's reach",
    ),
}

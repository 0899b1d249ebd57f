"""The public sets that teams know: `init` names the task that they were made for, and the runner-up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from provetune.cli._task_choice import choose_task
from provetune.cli.main import answer
from provetune.data.reading import read_table

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the public data sets are not in {FOLDER}"),
]

SETS = [
    ("afqmc_zh/dev.jsonl", "pair", "classification", "one of 2 things"),
    ("clinc150/val.csv", "classification", None, "'intent' has 151"),
    ("dialogsum/dev.jsonl", "seq2seq", "retrieval", "like a summary"),
    ("dialogsum/test.jsonl", "seq2seq", "retrieval", "'summary1'"),
    ("equity_evaluation_corpus/eec.csv", "classification", None, "'Emotion' has 4"),
    ("fin_news_zh/news.csv", "classification", "pair", "'label' has 2"),
    ("fiqa_absa/test.jsonl", "regression", "classification", "decimals"),
    ("hwu64/test.csv", "classification", None, "'intent' has 64"),
    ("insuranceqa_zh/test.jsonl", "classification", "seq2seq", "'domain' has 12"),
    ("movielens_small/movies.csv", "classification", None, "'genres'"),
    ("multi30k_en_fr/test.jsonl", "seq2seq", "retrieval", "after languages"),
    ("noisy_ag_news/test.jsonl", "classification", "ordinal", "'label' has 4"),
    ("presidio_pii/generated_small.json", "tagging", None, "spans"),
    ("presidio_pii/synth_dataset_v2.json", "tagging", None, "spans"),
    ("restaurant8k/test.json", "tagging", None, "spans"),
    ("resume_ner_zh/dev.char.bmes", "tagging", None, "a tag for each"),
    ("semeval2010_task8/test.jsonl", "relation", "pair", "Two entities are marked"),
    ("sick2014/dev.tsv", "pair", "similarity", "one of 3 things"),
    ("sst2/dev.jsonl", "classification", None, "'label' has 2"),
    ("tatoeba_zh_en/cmn.txt", "seq2seq", "retrieval", "is in 'en'"),
    ("waimai_zh/waimai_10k.csv", "classification", None, "'label' has 2"),
    ("weibo_ner_zh/dev.conll", "tagging", None, "a tag for each"),
    ("wnut17/dev.conll", "tagging", None, "a tag for each"),
    ("xquad/xquad.en.json", "span_qa", None, "stand in 'context'"),
    ("xquad/xquad.zh.json", "span_qa", None, "stand in 'context'"),
]


@pytest.mark.parametrize(("file", "task", "second", "why"), SETS, ids=[one[0] for one in SETS])
def test_a_known_set(file: str, task: str, second: str | None, why: str) -> None:
    choice = choose_task(read_table(str(FOLDER / file)), {}, None)
    assert choice.task.name == task
    assert why in choice.why
    assert (choice.others[0][0] if choice.others else None) == second
    assert all(reason for _, _, reason in choice.others)


Draft = Callable[[str], tuple[dict[str, object], str]]


@pytest.fixture
def draft(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Draft:
    """Drafts a problem file of one of the sets: the JSON document, and the file's text."""

    def run(file: str) -> tuple[dict[str, object], str]:
        place = tmp_path / "problem.yaml"
        assert answer(["init", str(FOLDER / file), "--output", str(place), "--json"]) == 0
        return json.loads(capsys.readouterr().out), place.read_text()

    return run


def test_genres_are_several_labels_a_row(draft: Draft) -> None:
    document, text = draft("movielens_small/movies.csv")
    assert document["label_separator"] == "|"
    assert "label_separator: '|'" in text or 'label_separator: "|"' in text
    labels = document["labels"]
    assert isinstance(labels, dict)
    assert len(labels) == 20  # 19 genres and "(no genres listed)"
    assert labels["Drama"] == 4361


def test_a_file_beside_it_without_its_columns_is_left_out(draft: Draft) -> None:
    document, text = draft("dialogsum/train.jsonl")
    assert "dev.jsonl" in text
    assert "  test: 0.2" in text.replace("    test", "  test")
    files = document["files"]
    assert isinstance(files, dict)
    assert set(files) == {"train", "validation"}


def test_the_first_piece_of_a_training_file_has_a_test_file(draft: Draft) -> None:
    document, _ = draft("restaurant8k/train_0.json")
    files = document["files"]
    assert isinstance(files, dict)
    assert Path(str(files["test"])).name == "test.json"

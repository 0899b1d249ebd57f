"""Question files in SQuAD's nesting: one row a question, whatever the variety."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provetune.core.errors import DataError
from provetune.data.reading import read_table
from provetune.data.table import Kind

DATA = Path(__file__).parents[3] / "shared" / "data"
FIRST = {"id": "q1", "question": "Who won?", "answers": [{"text": "Denver", "answer_start": 0}]}
SECOND = {
    "id": "q2",
    "question": "Who lost?",
    "answers": [],
    "is_impossible": True,
    "plausible_answers": [{"text": "x"}],
}
PARAGRAPH = {"context": "Denver won.", "qas": [FIRST, SECOND]}
ARTICLE = {"title": "Game", "paragraphs": [PARAGRAPH, {"context": "It rained.", "qas": [{**FIRST, "id": "q3"}]}]}


def write(folder: Path, name: str, content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def columns(location: str) -> dict[str, list[Any]]:
    return {name: column.to_pylist() for name, column in zip(*_parts(location), strict=True)}


def _parts(location: str) -> tuple[list[str], list[Any]]:
    table = read_table(location).table
    return table.column_names, table.columns


def test_each_question_is_a_row(tmp_path: Path) -> None:
    found = columns(write(tmp_path, "train.json", {"version": "v2.0", "data": [ARTICLE]}))
    assert found == {
        "id": ["q1", "q2", "q3"],
        "title": ["Game"] * 3,
        "context": ["Denver won.", "Denver won.", "It rained."],
        "question": ["Who won?", "Who lost?", "Who won?"],
        "answers": ['[{"text":"Denver","answer_start":0}]', "[]", '[{"text":"Denver","answer_start":0}]'],
        "is_impossible": [None, "true", None],
        "_row": [1, 2, 3],
    }
    raw = read_table(str(tmp_path / "train.json"))
    assert raw.kind_of("answers").tolist() == [Kind.LIST] * 3


@pytest.mark.parametrize("document", [[ARTICLE], {"data": [ARTICLE]}, ARTICLE["paragraphs"]])
def test_articles_and_paragraphs_without_a_frame(tmp_path: Path, document: Any) -> None:
    assert columns(write(tmp_path, "train.json", document))["id"] == ["q1", "q2", "q3"]


def test_lines_that_are_articles_or_paragraphs(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(line) for line in (ARTICLE, PARAGRAPH, {"context": "c", "question": "q"}))
    found = columns(write(tmp_path, "train.jsonl", lines))
    assert found["id"] == ["q1", "q2", "q3", "q1", "q2", None]
    assert found["_row"] == [1, 1, 1, 2, 2, 3]
    assert found["question"][-1] == "q"


def test_flat_records_with_answers_side_by_side(tmp_path: Path) -> None:
    record = {"question": "q", "context": "a b a", "answers": {"text": ["a", "a"], "answer_start": [0, 4]}}
    wanted = ['[{"text":"a","answer_start":0},{"text":"a","answer_start":4}]']
    assert columns(write(tmp_path, "train.jsonl", record))["answers"] == wanted
    assert columns(write(tmp_path, "train.json", [record]))["answers"] == wanted


def test_answers_that_do_not_pair_stay_as_they_are(tmp_path: Path) -> None:
    record = {"question": "q", "context": "a b a", "answers": {"text": ["a", "a"], "answer_start": [0]}}
    assert columns(write(tmp_path, "train.jsonl", record))["answers.answer_start"] == ["[0]"]


def test_cmrc_s_first_form(tmp_path: Path) -> None:
    document = [
        {
            "context_id": "T1",
            "context_text": "黑豹队赢了。",
            "title": "比赛",
            "qas": [{"query_id": "T1_Q1", "query_text": "谁赢了？", "answers": ["黑豹队", "黑豹"]}],
        }
    ]
    found = columns(write(tmp_path, "dev.json", document))
    assert (found["id"], found["context"], found["question"]) == (["T1_Q1"], ["黑豹队赢了。"], ["谁赢了？"])
    assert found["answers"] == ['[{"text":"黑豹队"},{"text":"黑豹"}]']


def test_what_a_question_lacks_is_a_missing_cell(tmp_path: Path) -> None:
    found = columns(write(tmp_path, "dev.json", {"data": [{"paragraphs": [{"qas": [{"id": 7}]}]}]}))
    assert (found["id"], found["question"], found["context"], found["answers"]) == (["7"], [None], [None], [None])


def test_a_question_without_answers_has_none_only_where_it_says_so(tmp_path: Path) -> None:
    questions = [
        {"question": "a", "answers": []},
        {"question": "b", "is_impossible": True},
        {"question": "c", "is_impossible": False},
        {"question": "d"},
        {"question": "e", "answers": {"text": ["x"], "answer_start": [0]}},
        {"question": "f", "answers": "x"},
    ]
    found = columns(write(tmp_path, "dev.json", {"data": [{"paragraphs": [{"context": "x", "qas": questions}]}]}))
    assert found["answers"] == ["[]", "[]", None, None, '[{"text":"x","answer_start":0}]', '[{"text":"x"}]']


def test_paragraphs_of_plain_text_are_no_questions(tmp_path: Path) -> None:
    found = columns(write(tmp_path, "rows.json", [{"paragraphs": ["one", "two"], "label": "x"}]))
    assert found["paragraphs"] == ['["one","two"]']


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"data": [{"paragraphs": [PARAGRAPH, "text"]}]},
            r"dev\.json, entry 1: 'paragraphs' must be a list of objects",
        ),
        (
            {"data": [ARTICLE, {"paragraphs": [PARAGRAPH, {"context": "c", "qas": ["q"]}]}]},
            r"entry 2, paragraph 2: 'qas' must be a list of objects",
        ),
        ({"data": [{"paragraphs": [{"context": "c", "qas": []}]}]}, "There is no question in this document"),
    ],
)
def test_broken_nesting_is_named(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path, "dev.json", document))


@pytest.mark.real_data
@pytest.mark.parametrize("language", ["en", "zh"])
def test_xquad(language: str) -> None:
    path = DATA / "xquad" / f"xquad.{language}.json"
    if not path.exists():
        pytest.skip("the public data sets are not in ../shared/data")
    found = columns(str(path))
    assert len(found["id"]) == len(set(found["id"])) == 1190
    assert len(set(found["title"])) == 48
    for context, answers in zip(found["context"], found["answers"], strict=True):
        for answer in json.loads(answers):
            assert context[answer["answer_start"] :].startswith(answer["text"])


@pytest.mark.parametrize("name", ["asked.json", "asked.jsonl"])
def test_a_file_of_questions_is_asked_question_by_question(tmp_path: Path, name: str) -> None:
    """What `predict --input` reads: the rows that training would have seen, one after another."""
    from provetune.inference.sources import open_source

    place = write(tmp_path, name, {"data": [ARTICLE]} if name.endswith(".json") else json.dumps(ARTICLE))
    rows = list(open_source(place).rows())
    assert [row["question"] for _, row in rows] == ["Who won?", "Who lost?", "Who won?"]
    assert [row["context"] for _, row in rows] == ["Denver won.", "Denver won.", "It rained."]
    assert [where.rsplit(", ", 1)[1] for where, _ in rows] == (
        ["row 1", "row 2", "row 3"] if name.endswith(".json") else ["line 1"] * 3
    )

"""Questions out of files: every form of an answer, places found and repaired, personal data masked, columns found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.core.errors import DataError
from provetune.data.columns import resolve_columns
from provetune.data.masked_places import mask_keeping_places
from provetune.data.privacy import mask_text
from provetune.data.reading import read_table
from provetune.problem.syntax import Columns, Data
from provetune.tasks import TASKS
from provetune.tasks.span_qa.answer_cells import Answer, AnswerFault, Given, locate, read_answers

TASK = TASKS.get("span_qa")
XQUAD = Path(__file__).parents[3] / "shared" / "data" / "xquad"
CONTEXT = "Denver won; Denver rejoiced."


@pytest.mark.parametrize(
    ("cell", "start", "wanted"),
    [
        ('[{"text": "Denver", "answer_start": 0}]', None, [Given("Denver", 0)]),
        ('[{"text": "a", "start": 1}, {"text": "b"}]', None, [Given("a", 1), Given("b")]),
        ('["a", "b"]', None, [Given("a"), Given("b")]),
        ('{"text": ["a", "b"], "answer_start": [0, 4]}', None, [Given("a", 0), Given("b", 4)]),
        ('{"text": ["a"]}', None, [Given("a")]),
        ('{"text": "a", "answer_start": 3.0}', None, [Given("a", 3)]),
        ("Denver", "12", [Given("Denver", 12)]),
        ('["a", "b"]', "[0, 4]", [Given("a", 0), Given("b", 4)]),
        ("[]", "[]", []),
        ("Denver", None, [Given("Denver")]),
        ("[no list", None, [Given("[no list")]),
        ("[]", None, []),
        ("", None, None),
        (None, None, None),
    ],
)
def test_forms_of_answers(cell: str | None, start: str | None, wanted: list[Given] | None) -> None:
    assert read_answers(cell, start) == wanted


@pytest.mark.parametrize(
    ("cell", "start", "message"),
    [
        ('[{"answer": "a"}]', None, "an answer must have a 'text'"),
        ("[3]", None, "an answer must have a 'text'. Got 3"),
        ('[{"text": "a", "answer_start": "x"}]', None, "an offset must be a whole number. Got x"),
        ('{"text": ["a"], "answer_start": [0, 1]}', None, "one offset for each answer"),
        ("Denver", "1.5", "an offset must be a whole number"),
    ],
)
def test_answers_that_cannot_be_read(cell: str, start: str | None, message: str) -> None:
    with pytest.raises(AnswerFault, match=message):
        read_answers(cell, start)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (Given("Denver", 12), Answer("Denver", 12, 12)),
        (Given("Denver"), Answer("Denver", 0, 0)),
        (Given("Denver", 3), Answer("Denver", -1, 0)),
        (Given("Denver", 9), Answer("Denver", -1, 12)),
        (Given("Denver", 900), Answer("Denver", -1, 12)),
        (Given("Denver", -5), Answer("Denver", -1, 0)),
        (Given("Carolina", 3), Answer("Carolina", -1, -1)),
        (Given("Carolina"), Answer("Carolina", -1, -1)),
        (Given("  ", 0), Answer("", -1, -1)),
    ],
)
def test_places_of_answers(given: Given, wanted: Answer) -> None:
    assert locate(given, CONTEXT) == wanted
    assert wanted.place(repair=False) == wanted.start
    assert wanted.place(repair=True) == (wanted.start if wanted.start >= 0 else wanted.nearest)


@given(st.text("ab ", min_size=1, max_size=12), st.text("ab", min_size=1, max_size=3), st.integers(0, 14))
def test_the_nearest_place_is_the_nearest(context: str, text: str, start: int) -> None:
    places = [place for place in range(len(context)) if context[place : place + len(text)] == text]
    found = locate(Given(text, start), context)
    if start in places:
        assert found == Answer(text, start, start)
    else:
        assert found.start == -1
        assert abs(found.nearest - start) == min((abs(place - start) for place in places), default=abs(-1 - start))


def table(folder: Path, rows: list[dict[str, Any]]) -> Any:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return read_table(str(path))


def read(raw: Any, data: Data | None = None) -> Any:
    columns = Columns.model_validate(TASK.detect(raw, {}).columns)
    return TASK.read(raw, data or Data(columns=columns), columns)


def test_rows_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    good = {"question": "Who won?", "context": CONTEXT, "answers": [{"text": "Denver", "answer_start": 0}]}
    rows = [
        good,
        {**good, "answers": []},
        {**good, "answers": None},
        {**good, "answers": [{"answer_start": 3}]},
        {**good, "question": ""},
        {**good, "context": None},
    ]
    parts = read(table(tmp_path, [*rows, *[good] * 10]))
    columns = {name: column.to_pylist()[:6] for name, column in parts.columns.items()}
    assert columns["text"] == ["Who won?", "Who won?", "Who won?", None, None, None]
    assert columns["text_pair"][:3] == [CONTEXT] * 3
    assert columns["label"][:4] == [[{"text": "Denver", "start": 0, "nearest": 0}], [], None, None]
    assert columns["stratum"][:3] == ["answered", "unanswered", ""]
    assert [(bad.row, bad.field, bad.message) for bad in parts.bad] == [
        (3, "answers", "An answer must have a 'text'. Got {'answer_start': 3} instead.")
    ]


def test_masking_moves_the_answers(tmp_path: Path) -> None:
    context = "Write to a@b.org or call 13812345678, says Ada."
    rows = [
        {"question": "Who says a@b.org?", "context": context, "answers": [{"text": "Ada", "answer_start": 43}]},
        {"question": "Where?", "context": context, "answers": [{"text": "a@b.org", "answer_start": 9}]},
        {"question": "How?", "context": context, "answers": [{"text": "b.org or call", "answer_start": 11}]},
    ]
    parts = read(table(tmp_path, rows), Data(mask=["email", "phone"]))
    assert parts.masked
    assert parts.columns["text"].to_pylist()[0] == "Who says <EMAIL>?"
    masked = "Write to <EMAIL> or call <PHONE>, says Ada."
    assert parts.columns["text_pair"].to_pylist() == [masked] * 3
    for (answer,), wanted in zip(
        parts.columns["label"].to_pylist(), ("Ada", "<EMAIL>", "<EMAIL> or call"), strict=True
    ):
        assert answer["text"] == wanted
        assert masked[answer["start"] :].startswith(wanted)


@given(st.lists(st.sampled_from(["a@b.org", "13812345678", "word", "中", " ", "<EMAIL>"]), max_size=8).map(" ".join))
def test_places_outside_of_what_is_masked_keep_their_letters(text: str) -> None:
    masked = mask_keeping_places(text, ["email", "phone"])
    assert masked.text == mask_text(text, ["email", "phone"])
    for place in range(len(text)):
        if not any(start <= place < stop for start, stop, _ in masked.finds):
            start, end = masked.span(place, place + 1)
            assert masked.text[start:end] == text[place]
    for start, stop, size in masked.finds:
        begin, end = masked.span(start, stop)
        assert end - begin == size
        assert masked.text[begin:end] in ("<EMAIL>", "<PHONE>")


def test_columns_are_found(tmp_path: Path) -> None:
    rows = [
        {
            "qid": number,
            "query": "Who won?",
            "passage": f"{CONTEXT} {number // 3}",
            "answer": "Denver",
            "answer_start": 0,
        }
        for number in range(12)
    ]
    found = TASK.detect(table(tmp_path, rows), {})
    assert found.columns == {
        "text": "query",
        "context": "passage",
        "label": ["answer", "answer_start"],
        "group": "passage",
    }
    assert found.fit > 0.9
    assert "stay together" in found.reasons["group"]
    elsewhere = TASK.detect(table(tmp_path, [{**row, "answer": "Carolina"} for row in rows]), {})
    assert elsewhere.fit < 0.3
    assert TASK.detect(table(tmp_path, [{"text": "a", "label": "b"}]), {}).fit == 0
    named = TASK.detect(table(tmp_path, rows), {"text": "query", "label": "answer"})
    assert set(named.columns) == {"context", "group"}


def test_passages_may_keep_rows_together(tmp_path: Path) -> None:
    rows = [{"question": f"Who {k}?", "context": f"{CONTEXT} {k // 3}", "answers": ["Denver"]} for k in range(12)]
    raw = table(tmp_path, rows)
    columns = resolve_columns(raw, Columns.model_validate(dict(TASK.detect(raw, {}).columns)), TASK)
    assert (columns.part("context"), columns.part("group")) == ("context", "context")
    twice = Columns.model_validate({"text": "question", "context": "question", "label": "answers"})
    with pytest.raises(DataError, match="'question' is named for two parts"):
        resolve_columns(raw, twice, TASK)


def test_answers_and_offsets_in_columns_of_lists(tmp_path: Path) -> None:
    # As Parquet files of the datasets library have them: one struct of two lists, which becomes two columns.
    answers = [{"text": ["won", "Denver"], "answer_start": [7, 0]}, {"text": [], "answer_start": []}]
    rows = [{"question": "Who?", "context": CONTEXT, "answers": each} for each in answers]
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    raw = read_table(str(path))
    found = TASK.detect(raw, {})
    assert found.columns["label"] == ["answers.text", "answers.answer_start"]
    assert found.fit > 0.9
    parts = TASK.read(raw, Data(), Columns.model_validate(dict(found.columns)))
    assert parts.columns["label"].to_pylist() == [
        [{"text": "won", "start": 7, "nearest": 7}, {"text": "Denver", "start": 0, "nearest": 0}],
        [],
    ]
    assert parts.bad == ()


def test_columns_that_cannot_be_used(tmp_path: Path) -> None:
    raw = table(tmp_path, [{"question": "q", "context": "c", "answers": []}])
    with pytest.raises(DataError, match="The passage is read from one column"):
        TASK.read(raw, Data(), Columns(text="question"))
    three = Columns.model_validate(
        {"text": "question", "context": "context", "label": ["question", "context", "answers"]}
    )
    with pytest.raises(DataError, match="Got 3"):
        TASK.read(raw, Data(), three)


@pytest.mark.real_data
@pytest.mark.parametrize("language", ["en", "zh"])
def test_xquad(language: str) -> None:
    path = XQUAD / f"xquad.{language}.json"
    if not path.exists():
        pytest.skip("the public data sets are not in ../shared/data")
    raw = read_table(str(path))
    found = TASK.detect(raw, {})
    assert found.columns == {"text": "question", "context": "context", "label": "answers", "group": "title"}
    assert found.fit > 0.9
    parts = read(raw)
    assert parts.bad == ()
    assert all(label[0]["start"] >= 0 for label in parts.columns["label"].to_pylist())


def test_answers_are_places_in_the_passage_as_given() -> None:
    task: Any = TASKS.get("span_qa")
    passage = mask_keeping_places("Write to a.b@c.org before noon.", ["email"])
    told = {"answer": "noon", "score": 0.9, "start": 24, "end": 28}
    nothing = {"answer": "", "score": 0.1, "start": None, "end": None}
    assert passage.text[24:28] == "noon"
    given = task.point_into_given({**told, "answers": [told, nothing]}, [passage, passage])
    wanted = {"answer": "noon", "score": 0.9, "start": 26, "end": 30}
    assert given == {**wanted, "answers": [wanted, nothing]}
    mail = {"answer": "<EMAIL>", "score": 0.9, "start": 9, "end": 16}
    assert task.point_into_given(mail, [passage, passage])["answer"] == "a.b@c.org"

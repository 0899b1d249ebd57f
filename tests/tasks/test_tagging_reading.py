"""Tagged texts from every shape of file: what is read, what is told, what is set aside."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from provetune.core.errors import DataError
from provetune.data.examples import to_examples
from provetune.data.reading import read_table
from provetune.data.table import RawTable
from provetune.problem.syntax import Columns, Data
from provetune.tasks import TASKS

TASK: Any = TASKS.get("tagging")
REAL = Path(__file__).parents[3] / "shared" / "data"
NEEDS_REAL = pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is absent")


def write(folder: Path, rows: list[Any], name: str = "rows.jsonl") -> RawTable:
    path = folder / name
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n")
    return read_table(str(path))


def examples(raw: RawTable, **data: Any) -> pa.Table:
    columns = Columns.model_validate(TASK.detect(raw, {}).columns)
    return to_examples(raw, Data(columns=columns, **data), columns, TASK)


def spans(table: pa.Table) -> list[Any]:
    texts, labels = table["text"].to_pylist(), table["label"].to_pylist()
    return [
        None if cell is None else [(text[one["start"] : one["end"]], one["label"]) for one in cell]
        for text, cell in zip(texts, labels, strict=True)
    ]


def test_tokens_and_tags(tmp_path: Path) -> None:
    raw = write(
        tmp_path,
        [
            {"id": "a", "tokens": ["New", "York", "is", "big"], "ner_tags": ["B-LOC", "I-LOC", "O", "O"]},
            {"id": "b", "tokens": ["Bo", "Li"], "ner_tags": ["B-PER", "B-PER"]},
            {"id": "c", "tokens": ["Hm", "."], "ner_tags": None},
        ],
    )
    table = examples(raw)
    assert table["text"].to_pylist() == ["New York is big", "Bo Li", "Hm ."]
    assert spans(table) == [[("New York", "LOC")], [("Bo", "PER"), ("Li", "PER")], None]
    assert table["tags"].to_pylist()[0] == ["B-LOC", "I-LOC", "O", "O"]
    assert table["token_starts"].to_pylist() == [[0, 4, 9, 12], [0, 3], [0, 3]]
    assert table["stratum"].to_pylist() == ["LOC", "PER", ""]
    assert table["_bad"].null_count == 3


def test_a_conll_file_of_chinese_letters(tmp_path: Path) -> None:
    path = tmp_path / "rows.bmes"
    path.write_text("高 B-NAME\n勇 E-NAME\n： O\n1 O\n9 O\n年 O\n\n好 S-ADJ\n")
    table = examples(read_table(str(path)))
    assert table["text"].to_pylist() == ["高勇：19年", "好"]
    assert spans(table) == [[("高勇", "NAME")], [("好", "ADJ")]]


def test_word_segmentation_has_words(tmp_path: Path) -> None:
    path = tmp_path / "rows.bmes"
    path.write_text("我\tS\n爱\tS\n北\tB\n京\tE\n\n共\tB\n产\tM\n党\tE\n")
    assert spans(examples(read_table(str(path)))) == [
        [("我", "word"), ("爱", "word"), ("北京", "word")],
        [("共产党", "word")],
    ]


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["B-A", "I-A", "O", "B-B"], "BIO"),
        (["I-A", "I-A", "O", "I-B"], "IO"),
        (["B-A", "E-A", "O", "S-B"], "BIOES"),
        (["B-A", "L-A", "O", "U-B"], "BILOU"),
    ],
)
def test_every_scheme_gives_the_same_spans(tmp_path: Path, tags: list[str], scheme: str) -> None:
    raw = write(tmp_path, [{"tokens": ["a", "b", "c", "d"], "tags": tags}] * 3)
    assert f"({scheme})" in TASK.detect(raw, {}).reasons["label"]
    assert spans(examples(raw))[0] == [("a b", "A"), ("d", "B")]


def test_words_and_tags_with_spaces_between(tmp_path: Path) -> None:
    path = tmp_path / "slots.csv"
    path.write_text("utterance,slots\nfly to  New York,O O B-city I-city\nplay jazz,O B-genre\n")
    table = examples(read_table(str(path)))
    assert table["text"].to_pylist() == ["fly to  New York", "play jazz"]
    assert spans(table) == [[("New York", "city")], [("jazz", "genre")]]


def test_a_text_with_a_tag_for_each_letter(tmp_path: Path) -> None:
    raw = write(tmp_path, [{"text": "我爱北京", "tags": ["O", "O", "B-LOC", "I-LOC"]}])
    columns = Columns(text="text", label="tags")
    assert spans(to_examples(raw, Data(), columns, TASK)) == [[("北京", "LOC")]]


def test_lists_as_python_prints_them(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("sentence,labels\n\"['Bo', \"\"isn't\"\", 'in']\",\"['B-PER', 'O', 'O']\"\n")
    table = examples(read_table(str(path)))
    assert table["text"].to_pylist() == ["Bo isn't in"]
    assert spans(table) == [[("Bo", "PER")]]


def test_texts_and_spans(tmp_path: Path) -> None:
    raw = write(
        tmp_path,
        [
            {"text": "Ann is in Rome ", "entities": [[0, 3, "person"], [10, 15, "city"]]},
            {"text": "nobody", "entities": []},
            {"text": "Bo", "entities": None},
        ],
    )
    table = examples(raw)
    assert spans(table) == [[("Ann", "person"), ("Rome", "city")], [], None]
    assert table["remarks"].to_pylist() == [["trimmed"], [], []]
    assert table["tags"].null_count == 3


def test_labels_are_merged(tmp_path: Path) -> None:
    raw = write(tmp_path, [{"text": "Ann, Rome", "entities": [[0, 3, "PER.NAM"], [5, 9, "GPE"]]}])
    assert spans(examples(raw, merge={"person": ["PER.NAM", "PER.NOM"]})) == [[("Ann", "person"), ("Rome", "GPE")]]


def test_rows_without_spans_may_lack_the_cell(tmp_path: Path) -> None:
    rows = [
        {"userInput": {"text": "13"}, "labels": [{"slot": "people", "valueSpan": {"endIndex": 2}}]},
        {"userInput": {"text": "hello"}},
    ]
    table = examples(write(tmp_path, rows))
    assert spans(table) == [[("13", "people")], []]
    assert table["remarks"].to_pylist() == [[], ["implied"]]
    # Where a row says itself that it has none, one that says nothing has no label.
    table = examples(write(tmp_path, [*rows, {"userInput": {"text": "hi"}, "labels": []}]))
    assert spans(table) == [[("13", "people")], None, []]


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "tags", "there are 2 tokens but 1 tags."),
        ({"tokens": ["a", "b"], "tags": ["O", 3]}, "tags", "number 2 of the list is 3 instead of a string."),
        ({"tokens": ["a", "b"], "tags": ["O", ""]}, "tags", "tag 2 is empty."),
        ({"tokens": ["a", None], "tags": ["O", "O"]}, "tokens", "number 2 of the list is nothing instead of a string."),
    ],
)
def test_a_bad_row_of_tokens_is_told(tmp_path: Path, row: Any, field: str, message: str) -> None:
    good = {"tokens": ["New", "York"], "tags": ["B-LOC", "I-LOC"]}
    table = examples(write(tmp_path, [*[good] * 20, row, good]))
    assert [said for said in table["_bad"].to_pylist() if said] == [f"{field}: {message}"]
    assert table["_bad"].to_pylist()[20] is not None
    assert table["label"].to_pylist()[20] is None


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([[0, 9, "a"]], "the span 0 to 9 ('a') is outside the text of 5 letters."),
        ([[2, 2, "a"]], "the span 2 to 2 ('a') is empty."),
        ([[0, 1]], "span 1 must be an object or [start, end, label]. Got [0, 1] instead."),
        ("Ann", "a list of spans is wanted, this is 'Ann'."),
    ],
)
def test_a_bad_row_of_spans_is_told(tmp_path: Path, cell: Any, message: str) -> None:
    good = {"text": "Ann is", "spans": [[0, 3, "a"]]}
    raw = write(tmp_path, [good, {"text": "Bo is", "spans": cell}])
    table = to_examples(raw, Data(), Columns(text="text", label="spans"), TASK)
    assert table["_bad"].to_pylist() == [None, f"spans: {message}"]


def test_a_broken_line_of_a_file_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "rows.conll"
    path.write_text("a\tO\n\nb\tO\nNew York\n\nc\tB-X\n")
    table = examples(read_table(str(path)))
    assert table["_bad"].to_pylist() == [None, "tokens: line 4 has 1 column instead of 2: 'New York'.", None]


def test_what_cannot_be_used_at_all_is_refused(tmp_path: Path) -> None:
    raw = write(tmp_path, [{"tokens": ["a"], "spans": [[0, 1, "x"]], "text": "a"}])
    with pytest.raises(DataError, match="it is open what the spans count"):
        TASK.read(raw, Data(), Columns(text="tokens", label="spans"))
    with pytest.raises(DataError, match="No text column is named"):
        TASK.read(raw, Data(), Columns())
    with pytest.raises(DataError, match=r"takes one text column\. Got text, tokens"):
        TASK.read(raw, Data(), Columns(text=["text", "tokens"], label="spans"))


def test_what_is_asked_may_be_tokens() -> None:
    assert TASK.read_input(["Ann is in"], "text 1") == ("Ann is in",)
    assert TASK.read_input([["Ann", "is"]], "text 1") == ("Ann is",)
    assert TASK.read_input(['["我", "爱"]'], "text 1") == ("我爱",)
    assert TASK.read_input(["[sic] text"], "text 1") == ("[sic] text",)
    assert TASK.read_input([None], "text 1") is None
    assert TASK.read_input([" "], "text 1") is None
    with pytest.raises(DataError, match=r"text 1: A text or a list of tokens is wanted\. Got 7 instead"):
        TASK.read_input([7], "text 1")


@pytest.mark.parametrize(
    ("rows", "fit"),
    [
        ([{"text": "good food", "label": "pos"}, {"text": "bad food", "label": "neg"}] * 9, 0.0),
        ([{"q": "who?", "context": "Ann.", "answers": [{"text": "Ann", "answer_start": 0}]}] * 3, 0.0),
        ([{"text": "a b", "tags": ["x", "y"]}, {"text": "c d", "tags": ["z", "w"]}] * 9, 0.0),
        ([{"src": ["a", "b"], "tgt": ["c", "d"]}, {"src": ["e", "f"], "tgt": ["g", "h"]}], 0.0),
        ([{"messages": [{"role": "user", "content": "hi"}]}] * 3, 0.0),
        ([{"text": "Ann", "spans": [{"start": 0, "end": 3, "label": "p"}]}], 0.95),
        ([{"tokens": ["a", "b"], "pos": ["N", "V"], "ner": ["O", "B-X"]}], 0.95),
    ],
)
def test_files_of_other_tasks_do_not_look_like_tagging(tmp_path: Path, rows: list[Any], fit: float) -> None:
    assert TASK.detect(write(tmp_path, rows), {}).fit == fit


def test_entities_are_chosen_among_several_lists_of_tags(tmp_path: Path) -> None:
    raw = write(tmp_path, [{"ner": ["O", "B-X"], "pos": ["N", "V"], "tokens": ["an", "apple"]}] * 4)
    assert TASK.detect(raw, {}).columns == {"text": "tokens", "label": "ner"}
    assert TASK.detect(raw, {"label": "pos"}).columns == {"text": "tokens"}


@NEEDS_REAL
@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("wnut17/train.conll", {"text": "tokens", "label": "tags"}),
        ("resume_ner_zh/dev.char.bmes", {"text": "tokens", "label": "tags"}),
        ("restaurant8k/test.json", {"text": "userInput.text", "label": "labels"}),
        ("presidio_pii/generated_small.json", {"text": "full_text", "label": "spans"}),
    ],
)
def test_real_files_are_recognised(name: str, columns: dict[str, str]) -> None:
    found = TASK.detect(read_table(str(REAL / name)), {})
    assert found.columns == columns
    assert found.fit >= 0.95


@NEEDS_REAL
def test_real_spans_stand_where_the_files_say() -> None:
    document = json.loads((REAL / "presidio_pii" / "synth_dataset_v2.json").read_text())
    table = examples(read_table(str(REAL / "presidio_pii" / "synth_dataset_v2.json")))
    expected = Counter((one["entity_value"].strip(), one["entity_type"]) for row in document for one in row["spans"])
    assert Counter(one for row in spans(table) for one in row) == expected
    document = json.loads((REAL / "restaurant8k" / "test.json").read_text())
    table = examples(read_table(str(REAL / "restaurant8k" / "test.json")))
    counted = Counter(one["slot"] for row in document for one in row.get("labels", []))
    assert Counter(label for row in spans(table) for _, label in row) == counted
    assert sum(remarks == ["implied"] for remarks in table["remarks"].to_pylist()) == 1352

"""Sources and targets: their columns, by name and by language, and their rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from provetune.core.errors import DataError
from provetune.data.parallel_texts import detect_parallel, read_parallel
from provetune.data.reading import read_table
from provetune.data.table import ROW, Kind, RawTable
from provetune.problem.syntax import Columns

DATA = Path(__file__).parents[3] / "shared" / "data"
ENGLISH = [
    "The weather is nice today.",
    "Where is the station?",
    "I would like to have a coffee.",
    "It is not for you.",
]
FRENCH = ["Il fait très beau.", "Où est la gare, je vous prie ?", "Je voudrais un café.", "Ce n'est pas pour vous."]
CHINESE = ["今天天气很好。", "请问车站在哪里？", "我想要一杯咖啡。", "这不是给你的。"]
LONG = [" ".join([text] * 9) for text in ENGLISH]


def table(**columns: list[str | None]) -> RawTable:
    count = len(next(iter(columns.values())))
    return RawTable(pa.table({**columns, ROW: pa.array(range(1, count + 1))}), "rows.jsonl", "jsonl")


def found(raw: RawTable, **named: str) -> tuple[object, object]:
    columns = detect_parallel(raw, named).columns
    return columns.get("text"), columns.get("label")


@pytest.mark.parametrize(
    ("source", "target"),
    [("en", "fr"), ("english", "french"), ("source", "target"), ("src", "tgt"), ("input", "output"), ("原文", "译文")],
)
def test_columns_are_found_by_their_names(source: str, target: str) -> None:
    raw = table(number=["1", "2", "3", "4"], **{source: ENGLISH, target: FRENCH})
    assert found(raw) == (source, target)
    assert detect_parallel(raw, {}).fit >= 0.8


def test_the_first_language_is_the_source() -> None:
    assert found(table(zh=CHINESE, en=ENGLISH)) == ("zh", "en")


def test_a_summary_is_shorter_than_its_text() -> None:
    assert found(table(dialogue=LONG, summary=ENGLISH)) == ("dialogue", "summary")
    assert found(table(正文=LONG, 摘要=CHINESE)) == ("正文", "摘要")
    assert found(table(dialogue=ENGLISH, summary=LONG)) == (None, None)


def test_a_title_sums_up_what_is_written_to_be_published_where_no_summary_does() -> None:
    raw = table(id=["1", "2", "3", "4"], title=CHINESE, abst=LONG)
    assert found(raw) == ("abst", "title")
    assert detect_parallel(raw, {}).fit == 0.45  # over a retrieval of titles, under anything with a label
    assert found(table(title=CHINESE, abstract=ENGLISH, article=LONG)) == ("article", "abstract")
    assert found(table(title=ENGLISH, email=LONG)) == (None, None)


def test_both_texts_under_one_key() -> None:
    # Languages that no column is called after elsewhere, and that texts are not recognised by.
    raw = RawTable(
        pa.table({"translation.en": ENGLISH, "translation.sh_Latn": ENGLISH, ROW: pa.array(range(4))}), "x", "jsonl"
    )
    assert found(raw) == ("translation.en", "translation.sh_Latn")


def test_languages_tell_where_names_do_not() -> None:
    english = [f"{text} {number}" for number, text in enumerate(ENGLISH * 5)]
    chinese = [f"{text}{number}" for number, text in enumerate(CHINESE * 5)]
    raw = table(text_1=english, text_2=chinese)
    assert found(raw) == ("text_1", "text_2")
    assert 0.5 < detect_parallel(raw, {}).fit < 0.8


@pytest.mark.parametrize(
    "raw",
    [
        table(text=ENGLISH, label=["a", "b", "a", "b"]),
        table(sentence1=ENGLISH, sentence2=LONG, label=["0", "1", "0", "1"]),
        table(id=["12", "13", "14", "15"], zh=CHINESE, label=["a", "b", "a", "b"]),
        table(source=ENGLISH, target=["1", "1", "1", "1"]),
    ],
)
def test_other_files_are_left_to_other_tasks(raw: RawTable) -> None:
    assert detect_parallel(raw, {}).fit == 0


def test_one_side_named_the_other_is_found() -> None:
    raw = table(en=ENGLISH, fr=FRENCH, zh=CHINESE)
    assert detect_parallel(raw, {"label": "zh"}).columns == {"text": "en"}
    assert detect_parallel(raw, {"text": "fr"}).columns == {"label": "zh"}
    assert detect_parallel(raw, {"text": "fr", "label": "zh"}).columns == {}


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("multi30k_en_fr/val.jsonl", ("en", "fr")),
        ("tatoeba_zh_en/cmn.txt", ("text_1", "text_2")),
        ("dialogsum/dev.jsonl", ("dialogue", "summary")),
        ("sick2014/dev.tsv", (None, None)),
        ("fin_news_zh/news.csv", (None, None)),
    ],
)
def test_real_files(file: str, wanted: tuple[str | None, str | None]) -> None:
    if not (DATA / file).exists():
        pytest.skip("../shared/data is not here")
    assert found(read_table(str(DATA / file))) == wanted


def test_labels_beside_two_languages_make_it_less_sure() -> None:
    chosen = detect_parallel(table(domain=["life", "car"] * 4, zh=CHINESE * 2, en=ENGLISH * 2), {})
    assert chosen.columns == {"text": "zh", "label": "en"}
    assert chosen.fit < 0.6
    assert "'domain' looks like a label" in chosen.why


def test_rows_are_read_and_empty_targets_are_none() -> None:
    parts = read_parallel(table(a=["x", "", None, "nan"], b=["y", " ", "z", "w"]), Columns(text="a", label="b"))
    assert parts.columns["text"].to_pylist() == ["x", "", None, None]
    assert parts.columns["label"].to_pylist() == ["y", None, "z", "w"]
    assert parts.bad == ()


def test_targets_may_be_absent() -> None:
    assert read_parallel(table(a=["x"]), Columns(text="a")).columns["label"].to_pylist() == [None]


def test_a_cell_that_is_no_text_is_a_bad_row_and_neither_side_is_used() -> None:
    kinds = {"b": pa.chunked_array([pa.array([Kind.TEXT, Kind.LIST, Kind.NUMBER, Kind.MISSING], pa.uint8())])}
    plain = table(a=["w", "x", "y", "z"], b=["v", '["y"]', "5", None])
    parts = read_parallel(RawTable(plain.table, "rows.jsonl", "jsonl", kinds=kinds), Columns(text="a", label="b"))
    assert [(fault.row, fault.field) for fault in parts.bad] == [(1, "b"), (2, "b")]
    assert parts.bad[0].message == 'There is a list where text is wanted: ["y"].'
    assert parts.columns["text"].to_pylist() == ["w", None, None, "z"]


def test_a_side_of_two_columns_is_refused() -> None:
    with pytest.raises(DataError, match=r"source must be one column.*data\.columns\.text"):
        read_parallel(table(a=["x"], b=["y"]), Columns(text=["a", "b"], label="b"))

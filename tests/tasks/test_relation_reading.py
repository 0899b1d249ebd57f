"""Relations out of files: marked, or plain beside columns of entities; what is wrong is told with its row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provetune.core.errors import DataError
from provetune.data.reading import read_table
from provetune.problem.syntax import Columns, Data
from provetune.tasks import TASKS
from provetune.tasks.relation.markers import MarkerFault, Span
from provetune.tasks.relation.reading import find_span, input_text

TASK = TASKS.get("relation")
SEMEVAL = Path(__file__).parents[3] / "shared" / "data" / "semeval2010_task8"
TEXT = "Ada Byron wrote the notes."


def table(folder: Path, rows: list[dict[str, Any]]) -> Any:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return read_table(str(path))


def read(raw: Any, **columns: Any) -> tuple[list[Any], list[Any], list[tuple[int, str, str]]]:
    named = Columns.model_validate({**TASK.detect(raw, {}).columns, **columns})
    parts = TASK.read(raw, Data(columns=named), named)
    found = [parts.columns[name].to_pylist() for name in ("text", "label")]
    return found[0], found[1], [(bad.row, bad.field, bad.message) for bad in parts.bad]


def test_marked_texts_with_bad_rows(tmp_path: Path) -> None:
    rows = [{"text": "<e1>a</e1> b <e2>c</e2>", "label": f"r{number % 2}(e1,e2)"} for number in range(20)]
    rows[3]["text"], rows[7]["text"] = "<e1>a</e1> b c", ""
    texts, labels, bad = read(table(tmp_path, rows))
    assert texts[0] == "<e1> a </e1> b <e2> c </e2>"
    assert (texts[3], texts[7]) == (None, None)
    assert labels[:2] == ["r0(e1,e2)", "r1(e1,e2)"]
    assert bad == [(3, "text", "<e2> is missing.")]


@pytest.mark.parametrize(
    "entities",
    [
        {"e1": "Ada Byron", "e2": "notes"},
        {"head": [0, 9], "tail": [20, 25]},
        {"subject": {"start": 0, "end": 9}, "object": {"start": 20, "end": 25}},
        {"e1_start": 0, "e1_end": 9, "e2_start": 20, "e2_end": 25},
        {"entity1": "Ada Byron", "entity2": "notes", "e9": 1},
    ],
)
def test_entities_in_columns(tmp_path: Path, entities: dict[str, Any]) -> None:
    raw = table(tmp_path, [{"sentence": TEXT, **entities, "relation": f"r{number % 2}"} for number in range(20)])
    found = TASK.detect(raw, {})
    assert found.fit > 0.8
    assert set(found.columns) == {"text", "label", "e1", "e2"}
    texts, _, bad = read(raw)
    assert bad == []
    assert texts[0] == "<e1> Ada Byron </e1> wrote the <e2> notes </e2> ."


def test_marked_text_goes_before_columns_of_entities(tmp_path: Path) -> None:
    raw = table(tmp_path, [{"text": "<e1>a</e1> <e2>c</e2>", "e1": "a", "e2": "c", "label": "r"}] * 3)
    assert set(TASK.detect(raw, {}).columns) == {"text", "label"}
    assert TASK.detect(raw, {}).fit > 0.9


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (["notes"], Span(20, 25)),
        ([" notes "], Span(20, 25)),
        (["[20, 25]"], Span(20, 25)),
        (['{"from": 20, "to": 25.0}'], Span(20, 25)),
        (["20", "25"], Span(20, 25)),
        ([20, 25], Span(20, 25)),
        (["the"], Span(16, 19)),
        (["note"], Span(20, 24)),
    ],
)
def test_cells_of_an_entity(cells: list[Any], wanted: Span) -> None:
    assert find_span(TEXT, cells, "e1") == wanted


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["letter"], "e1 'letter' is not in the text"),
        (["e"], "e1 'e' stands in the text 3 times: give its start and end"),
        ([""], "e1 is empty"),
        ([None], "e1 is empty"),
        (["[1, 2, 3]"], "e1 must be a start and an end"),
        (["1", "x"], "e1 must have a start and an end as whole numbers. Got x instead"),
        (["1", "nan"], "Got nan instead"),
    ],
)
def test_cells_that_name_no_place(cells: list[Any], message: str) -> None:
    with pytest.raises(MarkerFault, match=message):
        find_span(TEXT, cells, "e1")


def test_a_word_is_preferred_to_a_part_of_one() -> None:
    """'art' stands in 'party' as well, but only once as a word."""
    assert find_span("The party liked art.", ["art"], "e1") == Span(16, 19)
    assert find_span("上海和上海人", ["和"], "e1") == Span(2, 3)


def test_columns_as_a_whole_that_cannot_be_used(tmp_path: Path) -> None:
    raw = table(tmp_path, [{"text": TEXT, "e1": "Ada", "e2": "notes", "label": ["a", "b"]}])
    with pytest.raises(DataError, match="holds several labels"):
        read(raw, text="text", label="label", e1="e1", e2="e2")
    single = table(tmp_path, [{"text": TEXT, "e1": "Ada", "e2": "notes", "label": "a"}])
    with pytest.raises(DataError, match=r"data\.columns\.e2 must name the entity's column"):
        TASK.read(single, Data(), Columns.model_validate({"text": "text", "label": "label", "e1": "e1"}))
    with pytest.raises(DataError, match="read from one text column"):
        TASK.read(single, Data(), Columns(text=["e1", "e2"], label="label"))


def test_what_is_asked_is_read_in_the_same_way() -> None:
    wanted = ("<e1> Ada Byron </e1> wrote the <e2> notes </e2> .",)
    assert input_text(["<e1>Ada Byron</e1> wrote the <e2>notes</e2>."], "text 1") == wanted
    assert input_text([TEXT, "Ada Byron", "notes"], "text 1") == wanted
    assert input_text([TEXT, 0, 9, 20, 25], "text 1") == wanted
    assert input_text(["  "], "text 1") is None
    with pytest.raises(DataError, match="text 7: No entities are marked"):
        input_text([TEXT], "text 7")
    with pytest.raises(DataError, match="must be a string"):
        input_text([3], "text 1")


@pytest.mark.real_data
def test_semeval_2010_task_8() -> None:
    if not SEMEVAL.exists():
        pytest.skip("the public data sets are not in ../shared/data")
    raw = read_table(str(SEMEVAL / "test.jsonl"))
    texts, labels, bad = read(raw)
    assert bad == []
    assert len(texts) == 2717
    assert len(set(labels)) == 19
    first, second = raw.table["e1"].to_pylist(), raw.table["e2"].to_pylist()
    for text, one, two in zip(texts, first, second, strict=True):
        assert f"<e1> {one.strip()} </e1>" in text
        assert f"<e2> {two.strip()} </e2>" in text

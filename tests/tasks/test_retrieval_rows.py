"""Retrieval: rows read, columns found, faults told, features made."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from word_tokenizer import make_tokenizer

from provetune.core.errors import DataError, UsageError
from provetune.core.protocols import CountsTokens, EncodeSettings, JudgesTogether, Searches
from provetune.data.table import TableBuilder
from provetune.problem.syntax import Columns, Data
from provetune.tasks import TASKS
from provetune.tasks.retrieval.encoding import collate_sides, encode_judged, encode_training, sides_of
from provetune.tasks.retrieval.negatives import hard_negatives, mine_documents

TASK = TASKS.get("retrieval")
SETTINGS = EncodeSettings(max_length=16)


def raw_of(rows: list[dict[str, Any]]) -> Any:
    names = list(dict.fromkeys(name for row in rows for name in row))
    builder = TableBuilder("rows.jsonl", names)
    builder.add({name: [row.get(name) for row in rows] for name in names}, range(1, len(rows) + 1))
    return builder.finish("jsonl")


def read(rows: list[dict[str, Any]], data: Data | None = None, **columns: Any) -> Any:
    raw = raw_of(rows)
    named = Columns.model_validate(columns)
    found = {name: value for name, value in TASK.detect(raw, named.named()).columns.items() if name not in columns}
    return TASK.read(raw, data or Data(), Columns.model_validate({**columns, **found}))


def examples(rows: list[dict[str, Any]], **columns: Any) -> pa.Table:
    parts = read(rows, **columns)
    assert not parts.bad
    return pa.table({**dict(parts.columns), "row_id": list(map(str, range(len(rows))))})


PAIRS = [
    {"query": "red car", "document": "a car of red colour"},
    {"query": "blue bus", "document": "the bus is blue today"},
    {"query": "green tram", "document": "no tram was ever green"},
]


def test_it_says_what_it_can_do() -> None:
    assert isinstance(TASK, Searches)
    assert isinstance(TASK, JudgesTogether)
    assert isinstance(TASK, CountsTokens)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (PAIRS, {"text": "query", "document": "document"}),
        ([{"context": "A long text.", "question": "Who?"}] * 2, {"text": "question", "document": "context"}),
        ([{"anchor": "a b", "positive": "c d", "negative": "e f"}] * 2, {"text": "anchor", "document": "positive"}),
        ([{"问题": "怎么还款", "答案": "打开花呗还款"}] * 2, {"text": "问题", "document": "答案"}),
    ],
)
def test_columns_are_found_by_their_names(rows: list[dict[str, Any]], expected: dict[str, str]) -> None:
    found = TASK.detect(raw_of(rows), {})
    assert {name: found.columns[name] for name in ("text", "document")} == expected


def test_a_column_that_says_what_answers_is_found() -> None:
    rows = [{"query": f"q {k}", "document": f"d {k}", "relevant": str(k % 2)} for k in range(20)]
    assert TASK.detect(raw_of(rows), {}).columns["relevant"] == "relevant"
    pairs = [{"text_a": f"q {k}", "text_b": f"d {k}", "label": str(k % 2)} for k in range(20)]
    assert TASK.detect(raw_of(pairs), {}).columns == {"text": "text_a", "document": "text_b", "relevant": "label"}
    others = [{"query": f"q {k}", "document": f"d {k}", "relevant": str(k)} for k in range(20)]
    assert "relevant" not in TASK.detect(raw_of(others), {}).columns


def test_how_well_it_fits() -> None:
    labelled = [{"text_a": f"one {k}", "text_b": f"two {k}", "label": str(k % 2)} for k in range(30)]
    triples = [{"anchor": f"one {k}", "positive": f"two {k}", "negative": f"three {k}"} for k in range(30)]
    single = [{"text": f"one {k}", "label": str(k % 2)} for k in range(30)]
    fits = [TASK.detect(raw_of(rows), {}).fit for rows in (triples, PAIRS, labelled, single)]
    assert fits[0] == 0.9
    assert fits[0] > fits[1] > 0.5
    assert fits[2] == 0.3
    assert fits[3] == 0


def test_negatives_come_from_columns_and_lists() -> None:
    rows = [
        {"query": "a", "document": "b", "negative": "c", "negative_2": ["d", "e", ""]},
        {"query": "f", "document": "g", "negative": None, "negative_2": "h"},
    ]
    parts = read(rows, negative=["negative", "negative_2"])
    assert parts.columns["negatives"].to_pylist() == [["c", "d", "e"], ["h"]]


def test_documents_that_do_not_answer_become_negatives_of_the_same_query() -> None:
    rows = [
        {"query": "a", "document": "right", "relevant": "1"},
        {"query": "a", "document": "wrong", "relevant": "0"},
        {"query": "b", "document": "other", "relevant": "yes"},
        {"query": "c", "document": "nothing", "relevant": "no"},
    ]
    parts = read(rows, relevant="relevant")
    assert parts.columns["text_pair"].to_pylist() == ["right", "", "other", ""]
    assert parts.columns["negatives"].to_pylist() == [["wrong"], ["wrong"], [], ["nothing"]]
    assert parts.columns["label"].to_pylist() == ["right", "wrong", "other", "nothing"]  # no row is without one


def test_cells_that_cannot_be_used_are_told_with_row_and_field() -> None:
    rows = [
        {"query": "a", "document": "b", "negative": "x", "relevant": "1"},
        {"query": 7, "document": "c", "negative": {"k": 1}, "relevant": "maybe"},
        {"query": "d", "document": " ", "negative": [1], "relevant": "0"},
    ]
    bad = {(fault.row, fault.field) for fault in read(rows, relevant="relevant").bad}
    assert bad == {(1, "query"), (1, "negative"), (1, "relevant"), (2, "document"), (2, "negative")}


def test_two_text_columns_are_query_and_document() -> None:
    rows = [{"one": "a", "two": "b"}, {"one": "c", "two": "d"}]
    parts = read(rows, text=["two", "one"])
    assert parts.columns["text"].to_pylist() == ["b", "d"]
    assert parts.columns["text_pair"].to_pylist() == ["a", "c"]
    assert TASK.input_columns(Columns(text=["two", "one"])) == "two"
    assert TASK.detect(raw_of(rows), {"text": ["two", "one"]}).columns["document"] == "one"


def test_columns_that_are_missing_are_named() -> None:
    with pytest.raises(DataError, match=r"data\.columns\.document"):
        TASK.read(raw_of([{"one": "a"}]), Data(), Columns(text="one"))
    with pytest.raises(DataError, match="one column"):
        TASK.read(raw_of(PAIRS), Data(), Columns.model_validate({"text": ["query", "document", "x"], "document": "x"}))


def test_personal_data_in_negatives_are_masked() -> None:
    rows = [{"query": "a", "document": "b", "negative": "mail jo@example.org"}]
    parts = read(rows, Data(mask=["email"]))
    assert parts.columns["negatives"].to_pylist() == [["mail <EMAIL>"]]


def test_targets_need_something_to_find() -> None:
    assert TASK.targets(examples(PAIRS)).options["loss"] == "ranking"
    with pytest.raises(DataError, match="one document"):
        TASK.targets(examples([{"query": "a", "document": "same"}, {"query": "b", "document": "same"}]))
    with pytest.raises(DataError, match="No row has a query"):
        TASK.targets(examples(PAIRS).slice(0, 0))


def test_faults_are_counted_with_their_rows() -> None:
    rows = [
        {"query": "a", "document": "a", "negative": None},
        {"query": "b", "document": "c", "negative": "d"},
        {"query": "b", "document": "c", "negative": None},
        {"query": "b", "document": "d", "negative": None},
        {"query": "e", "document": "c", "negative": None},
    ]
    table = examples(rows)
    table = table.append_column("_file", pa.array(["x"] * 5)).append_column("_row", pa.array(range(1, 6)))
    found = {(one.kind, one.count): [place["row"] for place in one.rows] for one in TASK.check({"train": table})}
    assert found == {
        ("same_text_on_both_sides", 1): [1],
        ("repeated_pairs", 1): [3],
        ("wrong_and_right", 1): [2],
        ("shared_documents", 1): [],
    }
    assert [one.kind for one in TASK.check({"test": examples(PAIRS)})] == ["few_documents"]


# -- features ------------------------------------------------------------------------------------------------


def test_judged_texts_stand_alone_and_documents_once() -> None:
    rows = examples([*PAIRS, {"query": "another red one", "document": PAIRS[0]["document"]}])
    tokenizer = make_tokenizer()
    table = encode_judged(rows, tokenizer, SETTINGS)
    texts = ["red car", PAIRS[0]["document"], "blue bus", PAIRS[1]["document"], "green tram", PAIRS[2]["document"]]
    expected = [tokenizer.encode(text).ids for text in [*texts, "another red one"]]
    assert table["input_ids"].to_pylist() == expected
    assert table["row"].to_pylist() == [0, 0, 1, 1, 2, 2, 3]
    assert table["side"].to_pylist() == [0, 1, 0, 1, 0, 1, 0]


def test_what_cannot_be_found_in_order_is_not_lost() -> None:
    rows = examples(PAIRS).append_column("corpus", pa.array([["x y", "z"], [], ["w"]], pa.list_(pa.string())))
    from provetune.data.documents import find_documents

    found = find_documents(rows)
    rows_of, sides, places = sides_of(found, 3)
    assert rows_of.tolist() == sorted(rows_of.tolist())
    assert sorted(places.tolist()) == list(range(3 + 6))
    assert [found.texts[place - 3] for place in places[sides == 1].tolist()] == list(found.texts)


def test_a_batch_to_learn_from_has_every_document_once() -> None:
    rows = examples([*PAIRS, {"query": "another red one", "document": PAIRS[0]["document"]}])
    table = encode_training(rows, make_tokenizer(), SETTINGS, [[1], [], [0, 1], []])
    assert table["row"].to_pylist() == [0, 1, 2, 3]
    assert table["sizes"].to_pylist() == [[7, 7], [7], [7, 7, 7], [7]]
    queries = list(map(len, table["input_ids"].to_pylist()))
    assert table["length"].to_pylist() == [queries[0] + 14, queries[1] + 7, queries[2] + 21, queries[3] + 7]
    batch = collate_sides(table.to_pylist(), 0)
    assert batch["pair_input_ids"].shape == (3, 8)
    assert batch["slots"].tolist() == [[0, 1, -1], [1, -1, -1], [2, 0, 1], [0, -1, -1]]
    numbers = batch["labels"].tolist()
    assert [row[1] for row in numbers] == [0, 1, 2, 0]
    assert [row[2:] for row in numbers] == [[1, -1], [-1, -1], [0, 1], [-1, -1]]
    assert len({row[0] for row in numbers} | {0, 1, 2}) == 7


def test_a_query_that_is_a_document_too_has_its_number() -> None:
    rows = examples([{"query": "red car", "document": "blue bus"}, {"query": "blue bus", "document": "red car"}])
    labels = encode_training(rows, make_tokenizer(), SETTINGS, [[], []])["labels"].to_pylist()
    assert labels == [[1, 0], [0, 1]]


def test_windows_are_refused() -> None:
    with pytest.raises(UsageError, match="one vector"):
        encode_judged(examples(PAIRS), make_tokenizer(), EncodeSettings(16, "windows", 4))


def test_rows_are_as_long_as_their_longer_side() -> None:
    counts = TASK.count_tokens(examples(PAIRS), make_tokenizer(), 64)  # type: ignore[attr-defined]
    assert counts.tolist() == [7, 7, 7]


# -- hard negatives --------------------------------------------------------------------------------------------


def test_only_what_is_clearly_less_alike_is_a_hard_negative() -> None:
    scores = np.array([[1.0, 0.94, 0.96, 0.5, 0.0, 0.94], [0.2, 1.0, 0.19, 0.1, -1.0, 0.3]])
    found = mine_documents(lambda start, stop: scores[start:stop], 6, [np.array([0]), np.array([0, 1])], 3)
    assert [each.tolist() for each in found] == [[1, 5, 3], [5, 2, 3]]
    assert mine_documents(lambda start, stop: scores[start:stop], 6, [np.zeros(0, int)], 3)[0].tolist() == []


def test_given_negatives_come_first_and_right_ones_are_left_out() -> None:
    rows = examples(
        [
            {"query": "red car", "document": "a red car", "negative": "the red car is wrong"},
            {"query": "red car", "document": "this car is red too", "negative": "a red car"},
            {"query": "blue bus", "document": "the blue bus", "negative": None},
            {"query": "bus stop", "document": "a stop for the bus", "negative": None},
        ]
    )
    found = hard_negatives(rows, TASK, SETTINGS, 2, "bm25")
    texts = ["a red car", "the red car is wrong", "this car is red too", "the blue bus", "a stop for the bus"]
    named = [[texts[number] for number in row] for row in found]
    assert named[0][0] == "the red car is wrong"
    assert "a red car" not in named[1]
    assert named[2] == ["a stop for the bus"]
    assert named[3] == ["the blue bus"]
    assert hard_negatives(rows, TASK, SETTINGS, 2, None) == [[1], [], [], []]
    assert hard_negatives(rows, TASK, SETTINGS, 0, "bm25") == [[], [], [], []]


def test_a_model_can_find_them(tiny_backbone: Any) -> None:
    from transformers import AutoModel, AutoTokenizer

    rows = examples(PAIRS)
    found = hard_negatives(rows, TASK, EncodeSettings(max_length=64), 1, str(tiny_backbone))
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_backbone), AutoModel.from_pretrained(tiny_backbone).eval()

    def vector(text: str) -> np.ndarray:
        mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state.mean(dim=1)[0].detach().numpy()
        return np.asarray(mean / np.linalg.norm(mean))

    for row, pair in enumerate(PAIRS):
        cosines = [float(vector(pair["query"]) @ vector(other["document"])) for other in PAIRS]
        allowed = [k for k in range(3) if k != row and cosines[k] < 0.95 * cosines[row]]
        expected = sorted(allowed, key=lambda k: -cosines[k])[:1]
        assert found[row] == expected


def test_options_refuse_what_they_do_not_know() -> None:
    from pydantic import ValidationError

    with pytest.raises(ValidationError):
        TASK.options.model_validate({"loss": "triplet"})
    assert json.loads(TASK.options().model_dump_json())["hard_negatives"] == 1


def test_rows_of_one_query_stay_in_one_split(tmp_path: Any) -> None:
    from provetune.data.quality import find_faults
    from provetune.data.splits import make_splits

    rows = [
        {"query": f"ask {k // 3}", "document": f"document {k} says so", "relevant": int(k % 3 > 0)} for k in range(120)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    data = Data.model_validate(
        {"train": "rows.jsonl", "columns": {"text": "query", "document": "document", "relevant": "relevant"}}
    )
    splits = make_splits(data, tmp_path, TASK)
    asked = {name: set(table["text"].to_pylist()) for name, table in splits.tables.items()}
    assert sum(map(len, asked.values())) == len(set.union(*asked.values())) == 40
    assert all(len(table) == 3 * len(asked[name]) for name, table in splits.tables.items())
    assert not [found for found in find_faults(splits) if found.kind == "leak_between_splits"]


def test_a_test_query_among_the_training_rows_is_told(tmp_path: Any) -> None:
    from provetune.data.quality import find_faults
    from provetune.data.splits import make_splits

    for name, numbers in (("train", range(30)), ("validation", range(30, 40)), ("test", (3, 50, 51))):
        rows = [{"query": f"ask {k}", "document": f"{name} document {k}"} for k in numbers]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    files = {name: f"{name}.jsonl" for name in ("train", "validation", "test")}
    data = Data.model_validate({**files, "columns": {"text": "query", "document": "document"}})
    (leak,) = (found for found in find_faults(make_splits(data, tmp_path, TASK)) if found.kind == "leak_between_splits")
    assert (leak.count, leak.rows[0]["row"]) == (1, 1)

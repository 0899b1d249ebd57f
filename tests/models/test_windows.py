"""Windows over long texts: nothing is lost, and tokens know where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.core.errors import DataError, UsageError
from provetune.core.protocols import EncodeSettings
from provetune.models.encoding import encode_texts
from provetune.models.windows import context, encode_windows, spans_of_windows


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghij", *(f"##{letter}" for letter in "abcdefghij"), *"一二三"]
    vocabulary = {name: k for k, name in enumerate(names)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def encoded(
    texts: list[str], pairs: list[str] | None = None, max_length: int = 8, stride: int = 2, kind: Any = "windows"
) -> list[dict[str, Any]]:
    settings = EncodeSettings(max_length, kind, stride)
    second = None if pairs is None else pa.array(pairs)
    batches = list(encode_windows(pa.array(texts), second, tokenizer(), settings))
    rows: list[dict[str, Any]] = pa.Table.from_batches(batches).to_pylist()
    return rows


@given(st.integers(0, 200), st.integers(1, 40), st.integers(0, 40))
def test_windows_cover_everything_in_order(length: int, width: int, stride: int) -> None:
    spans = spans_of_windows(length, width, stride)
    assert sorted({k for a, b in spans for k in range(a, b)}) == list(range(length))
    assert all(b - a == min(width, length) for a, b in spans)
    starts = [a for a, _ in spans]
    assert starts == sorted(set(starts))
    shared = [spans[k][1] - spans[k + 1][0] for k in range(len(spans) - 1)]
    assert all(overlap >= min(stride, width - 1) for overlap in shared)


def test_context_is_the_distance_to_the_nearer_edge() -> None:
    assert context(5).tolist() == [0, 1, 2, 1, 0]
    assert context(0).tolist() == []


def test_a_short_text_is_one_feature_with_its_letters() -> None:
    (row,) = encoded(["ab  一c"])
    assert row["input_ids"] == [2, 4, 15, 24, 6, 3]
    assert row["starts"] == [-1, 0, 1, 4, 5, -1]
    assert row["ends"] == [-1, 1, 2, 5, 6, -1]
    assert row["cut"] == 0
    assert "token_type_ids" not in row


def test_a_long_text_by_hand() -> None:
    rows = encoded(["a b c d e f g h i j"])
    assert [row["row"] for row in rows] == [0, 0]
    assert rows[0]["starts"] == [-1, 0, 2, 4, 6, 8, 10, -1]
    assert rows[1]["starts"] == [-1, 8, 10, 12, 14, 16, 18, -1]
    assert [row["cut"] for row in rows] == [4, 4]


@given(
    st.lists(st.text("abcdefg 一二\u3000", max_size=60), min_size=1, max_size=4), st.integers(3, 12), st.integers(0, 9)
)
def test_every_token_is_in_a_window_and_lies_where_it_says(texts: list[str], max_length: int, stride: int) -> None:
    whole = encoded(texts, max_length=1000)
    rows = encoded(texts, max_length=max_length, stride=stride)
    for number, text in enumerate(texts):
        found = {
            (start, end, name)
            for row in rows
            if row["row"] == number
            for start, end, name in zip(row["starts"], row["ends"], row["input_ids"], strict=True)
        }
        full = whole[number]
        assert found == set(zip(full["starts"], full["ends"], full["input_ids"], strict=True))
        for start, end, _ in found:
            assert start == -1 or text[start:end].strip() == text[start:end] != ""
    assert all(len(row["input_ids"]) <= max_length for row in rows)


def test_of_a_pair_the_second_text_moves() -> None:
    rows = encoded(["a b"], ["c d e f g h"], max_length=8, stride=1)
    assert rows[0]["input_ids"] == [2, 4, 5, 3, 6, 7, 8, 3]
    assert rows[0]["starts"] == [-1, -1, -1, -1, 0, 2, 4, -1]
    assert rows[0]["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert [row["starts"][4:7] for row in rows] == [[0, 2, 4], [4, 6, 8], [6, 8, 10]]
    assert [row["cut"] for row in rows] == [3, 3, 3]


def test_a_long_first_text_keeps_half_the_room() -> None:
    rows = encoded(["a b c d e f"], ["g h i j g"], max_length=9, stride=0)
    assert [row["input_ids"][1:4] for row in rows] == [[4, 5, 6]] * 2
    assert [row["starts"][5:8] for row in rows] == [[0, 2, 4], [4, 6, 8]]


def test_a_first_text_gives_way_no_further_than_needed() -> None:
    (row,) = encoded(["a b c d e f"], ["g"], max_length=9)
    assert row["input_ids"] == [2, 4, 5, 6, 7, 8, 3, 10, 3]
    assert row["cut"] == 1


@pytest.mark.parametrize("kind", ["head", "head_tail"])
def test_heads_and_tails_are_those_of_other_tasks(kind: Any) -> None:
    texts = ["a b c d e f g h i j a b c d", "a b", "j i h g f e d c b a"]
    settings = EncodeSettings(10, kind, 2)
    other = pa.Table.from_batches(list(encode_texts(pa.array(texts), None, tokenizer(), settings))).to_pylist()
    rows = encoded(texts, max_length=10, kind=kind)
    assert [row["input_ids"] for row in rows] == [row["input_ids"] for row in other]
    assert [row["cut"] for row in rows] == [row["cut"] for row in other]


def test_stretches_keep_tokens_apart() -> None:
    settings = EncodeSettings(12, "windows", 2)

    def halves(text: str) -> list[tuple[int, int]]:
        return [(0, 2), (2, len(text))]

    batches = list(encode_windows(pa.array(["abcd"]), None, tokenizer(), settings, split=halves))
    (row,) = pa.Table.from_batches(batches).to_pylist()
    assert row["input_ids"] == [2, 4, 15, 6, 17, 3]
    assert row["starts"] == [-1, 0, 1, 2, 3, -1]


def test_the_space_before_a_word_is_not_of_it() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"▁a": 0, "▁b": 1, "[UNK]": 2}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    batches = list(encode_windows(pa.array(["a b"]), None, made, EncodeSettings(8)))
    (row,) = pa.Table.from_batches(batches).to_pylist()
    assert list(zip(row["starts"], row["ends"], strict=True)) == [(0, 1), (2, 3)]


def test_a_row_without_text_is_named() -> None:
    with pytest.raises(DataError, match="row 2"):
        encoded(["a", None])  # type: ignore[list-item]


def test_no_room_for_text() -> None:
    with pytest.raises(UsageError, match="max_length 2 leaves no room"):
        encoded(["a"], max_length=2)


def test_many_rows_keep_their_numbers() -> None:
    rows = encoded(["a"] * 1500 + ["a b c d e f g h"])
    assert np.array_equal([row["row"] for row in rows], [*range(1500), 1500, 1500])

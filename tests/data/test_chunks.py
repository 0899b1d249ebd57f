"""Many rows are worked on in chunks: where the chunks are cut changes neither an id, a hash nor a token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unittest import mock

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.core.protocols import EncodeSettings, LongTexts
from provetune.data import row_ids as ids
from provetune.data.row_ids import row_ids, split_hash
from provetune.data.table import RawTable, TableBuilder
from provetune.models import encoding
from provetune.models.encoding import encode_texts

WORDS = ("red", "green", "blue", "red green", "", "好")
Cells = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from((None, "x", "y"))), min_size=1, max_size=40)
Sizes = st.lists(st.integers(1, 7), min_size=1, max_size=5)


def chunked(column: pa.ChunkedArray, sizes: Sequence[int]) -> pa.ChunkedArray:
    """The same values, cut into chunks of these sizes, over and over."""
    pieces, start, turn = [], 0, 0
    while start < len(column):
        size = sizes[turn % len(sizes)]
        pieces.append(column.slice(start, size).combine_chunks())
        start, turn = start + size, turn + 1
    return pa.chunked_array(pieces, column.type)


def whole_table(cells: list[tuple[str, str | None]]) -> RawTable:
    builder = TableBuilder("rows.csv")
    texts, labels = zip(*cells, strict=True)
    builder.add({"text": texts, "label": labels}, range(2, 2 + len(cells)))
    return builder.finish("csv")


@settings(max_examples=60, deadline=None)
@given(cells=Cells, sizes=Sizes, at_once=st.integers(1, 9))
def test_ids_and_hashes(cells: list[tuple[str, str | None]], sizes: list[int], at_once: int) -> None:
    raw = whole_table(cells)
    cut = {name: chunked(raw.table[name], sizes) for name in raw.table.column_names}
    wanted = row_ids(raw)
    with mock.patch.object(ids, "_CHUNK", at_once):
        found = row_ids(replace(raw, table=pa.table(cut)))
        examples = {"row_id": chunked(found, sizes), "label": cut["label"]}
        again = split_hash(pa.table(examples))
    assert found.to_pylist() == wanted.to_pylist()
    assert again == split_hash(pa.table({"row_id": wanted, "label": raw.table["label"]}))


@pytest.mark.parametrize("long_texts", ["head", "head_tail", "windows"])
@settings(max_examples=30, deadline=None)
@given(
    texts=st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), min_size=1, max_size=25),
    size=st.integers(1, 7),
)
def test_tokens(long_texts: LongTexts, texts: list[str], size: int) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing

    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(("?", "[", "]", "red", "green", "blue"))}, "?"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = TemplateProcessing(single="[ $A ]", special_tokens=[("[", 1), ("]", 2)])
    asked = EncodeSettings(max_length=6, long_texts=long_texts, stride=1)
    column = pa.chunked_array([texts], pa.string())
    whole = pa.Table.from_batches(encode_texts(column, None, inner, asked))
    with mock.patch.object(encoding, "BATCH_ROWS", size):
        cut = pa.Table.from_batches(encode_texts(chunked(column, [size, 1]), None, inner, asked))
    assert cut.combine_chunks().equals(whole.combine_chunks())
    for row, text in enumerate(texts):
        tokens = inner.encode(text, add_special_tokens=False).ids
        parts = whole.filter(pc.equal(whole["row"], row))["input_ids"].to_pylist()
        assert all(part[0] == 1 and part[-1] == 2 and len(part) <= 6 for part in parts)
        if len(tokens) <= 4:
            assert parts == [[1, *tokens, 2]]
        elif long_texts == "head":
            assert parts == [[1, *tokens[:4], 2]]
        elif long_texts == "head_tail":
            assert parts == [[1, tokens[0], *tokens[-3:], 2]]
        else:
            assert [token for k, part in enumerate(parts) for token in part[1 + (k > 0) : -1]] == tokens

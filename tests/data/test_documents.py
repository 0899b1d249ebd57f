"""Queries and documents of rows."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.data.documents import find_documents

texts = st.one_of(st.none(), st.sampled_from(["", "a", "b", "c", "d"]))
lists = st.one_of(st.none(), st.lists(st.sampled_from(["b", "c", "e", "f"]), max_size=2))


@given(st.lists(st.tuples(texts, texts, lists, lists), max_size=10))
@settings(deadline=None)
def test_numbers_and_pairs_are_those_of_a_plain_loop(
    rows: list[tuple[str | None, str | None, list[str] | None, list[str] | None]],
) -> None:
    kinds = (pa.string(), pa.string(), pa.list_(pa.string()), pa.list_(pa.string()))
    names = ("text", "text_pair", "negatives", "corpus")
    table = pa.table({n: pa.array([row[k] for row in rows], kinds[k]) for k, n in enumerate(names)})
    found = find_documents(table)
    seen: dict[str, int] = {}
    for number, (_, own, negatives, corpus) in enumerate(rows):
        for text in [own, *(negatives or []), *(corpus or [])]:
            if text:
                seen.setdefault(text, number)
    documents = list(seen)
    queries = list(dict.fromkeys(row[0] for row in rows if row[0]))
    assert list(found.texts) == documents
    assert found.seen.tolist() == list(seen.values())
    assert found.own.tolist() == [documents.index(row[1]) if row[1] else -1 for row in rows]
    assert found.asked.tolist() == [queries.index(row[0]) if row[0] else -1 for row in rows]
    assert found.first_rows.tolist() == [[row[0] for row in rows].index(query) for query in queries]
    assert [right.tolist() for right in found.right] == [
        sorted({documents.index(row[1]) for row in rows if row[0] == query and row[1]}) for query in queries
    ]


def test_queries_alone_have_no_documents() -> None:
    found = find_documents(pa.table({"text": ["a", "b", "a"]}))
    assert len(found) == 0
    assert found.own.tolist() == [-1, -1, -1]
    assert found.asked.tolist() == [0, 1, 0]
    assert [len(right) for right in found.right] == [0, 0]


def test_documents_alone_are_those_to_be_found() -> None:
    rows = pa.table({"text": ["a", "b"], "corpus": pa.array([["x", "y"], []], pa.list_(pa.string()))})
    found = find_documents(rows)
    assert found.texts == ("x", "y")
    assert found.own.tolist() == [-1, -1]

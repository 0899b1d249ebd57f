"""What a prediction may be asked with."""

from __future__ import annotations

from typing import Any

import pytest

from provetune.serving.faults import Fault
from provetune.serving.openai import read_messages, read_texts
from provetune.serving.predict_requests import parse


def test_one_item_or_many() -> None:
    one = parse({"input": "a", "top_k": 2, "model": "production"})
    assert (one.items, one.many, one.options, one.model, one.stream) == (["a"], False, (2, False), "production", False)
    many = parse({"inputs": ["a", ["b", "c"], {"text": "d"}], "proba": True})
    assert (len(many.items), many.many, many.options, many.model) == (3, True, (None, True), None)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "neither"),
        ({"input": "a", "inputs": ["a"]}, "both"),
        ({"inputs": []}, "one item at least"),
        ({"inputs": "a"}, "one item at least"),
        ({"inputs": ["a", 3]}, r"inputs\[1\]"),
        ({"input": None}, "an item must be"),
        ({"input": "a", "topk": 3}, "top_k"),
        ({"input": "a", "top_k": 0}, "from 1 to"),
        ({"input": "a", "top_k": True}, "from 1 to"),
        ({"input": "a", "top_k": 1.0}, "from 1 to"),
        ({"input": "a", "proba": "yes"}, "true or false"),
        ({"input": "a", "model": 3}, "a name"),
        ({"inputs": ["a"], "stream": True}, "one item"),
    ],
)
def test_what_is_wrong_is_said(document: dict[str, Any], says: str) -> None:
    with pytest.raises(Fault, match=says) as caught:
        parse(document)
    assert caught.value.status == 422


def test_a_conversation_comes_in_texts_or_in_parts_of_text() -> None:
    parts = [{"type": "text", "text": "He"}, {"type": "text", "text": "llo"}]
    found = read_messages({"messages": [{"role": "user", "content": parts, "name": "x"}]})
    assert found == [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"messages": []},
        {"messages": ["hello"]},
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "user", "content": "a"}], "n": 2},
        {"messages": [{"role": "user", "content": "a"}], "tools": [{}]},
    ],
)
def test_what_is_no_conversation_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(Fault) as caught:
        read_messages(document)
    assert caught.value.status == 422


@pytest.mark.parametrize("document", [{}, {"input": []}, {"input": [1, 2]}, {"input": "a", "dimensions": 8}])
def test_what_has_no_vector_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(Fault):
        read_texts(document)
    assert read_texts({"input": "a"}) == ["a"]

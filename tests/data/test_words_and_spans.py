"""Words of texts, spans over them, and cells that hold lists."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.data.span_cells import CellFault, are_spans, fault_of_span, list_cell, spans_cell, words_cell
from provetune.data.span_words import (
    UNSAID,
    Span,
    crossed_words,
    learned_tags,
    spans_of_cell,
    split_overlaps,
    tag_names,
    tag_words,
    tagged_spans,
)
from provetune.data.tag_schemes import spans_of_tags, tags_of_spans
from provetune.data.words import are_single_letters, find_stretches, find_words, has_unspaced, join_tokens


def cut(text: str, places: Any) -> list[str]:
    return [text[start:end] for start, end in places]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, @paul's U.S. 3.5%", "Hello , @ paul ' s U . S . 3 . 5 %"),
        ("中国iPhone4s，好", "中 国 iPhone4s ， 好"),
        ("ひらがな カナ", "ひ ら が な カ ナ"),
        ("นี้ครับ", "นี้ ค รั บ"),
        ("café naïve नमस्ते", "café naïve नमस्ते"),
        ("cafe\u0301", "cafe\u0301"),
        ("love😂a_b", "love 😂 a _ b"),
        ("привет мир", "привет мир"),
        ("see https://t.co/a_B?c=1.", "see https://t.co/a_B?c=1 ."),
        ("(http://x.org/wiki/Foo_(bar))", "( http://x.org/wiki/Foo _ ( bar ) )"),
        ("www.a.de, www", "www.a.de , www"),
        ("看http://t.cn/zx9转发", "看 http://t.cn/zx9 转 发"),
        ("xhttp://a.b http:// www.", "xhttp : / / a . b http : / / www ."),
        ("http://a.b/né", "http://a.b / né"),
        ("", ""),
        (" \t\u3000", ""),
    ],
)
def test_words_by_hand(text: str, words: str) -> None:
    assert cut(text, find_words(text)) == words.split()


@given(st.text())
def test_words_are_all_that_is_no_white_space(text: str) -> None:
    places = find_words(text)
    assert all(a < b for a, b in places)
    assert all(one[1] <= other[0] for one, other in pairwise(places))
    assert "".join(cut(text, places)) == "".join(text.split())
    assert "".join(cut(text, find_stretches(text))) == "".join(text.split())


def test_words_are_no_coarser_than_those_of_bert() -> None:
    from tokenizers.pre_tokenizers import BertPreTokenizer

    texts = ["It's 5:30pm—don't @me!", "他在2019年买了iPhone（64GB）", "a-b_c/d.e@f.com", "你好, world。"]
    for text in texts:
        ends = {end for _, end in find_words(text)}
        assert {end for _, (_, end) in BertPreTokenizer().pre_tokenize_str(text)} <= ends


def test_stretches_keep_spaced_words_whole() -> None:
    text = "3.5% of 中国人's love"
    assert cut(text, find_stretches(text)) == ["3.5%", "of", "中", "国", "人", "'s", "love"]
    assert has_unspaced(text)
    assert not has_unspaced("only Latin, Русский")


def test_tokens_are_joined_as_their_language_is_written() -> None:
    assert join_tokens(["Mr.", "Li", "said", "hi"], single=False)[0] == "Mr. Li said hi"
    assert join_tokens(["中国", "iPhone", "4S", "手机", "，", "ok"], single=False)[0] == "中国iPhone 4S手机，ok"
    text, places = join_tokens(["1", "9", "年", " ", "a"], single=True)
    assert text == "19年 a"
    assert cut(text, places) == ["1", "9", "年", " ", "a"]
    text, places = join_tokens(["", "a", "", "b"], single=False)
    assert cut(text, places) == ["", "a", "", "b"]


@given(st.lists(st.text("ab中。 ", max_size=3), max_size=8), st.booleans())
def test_every_token_is_where_it_is_said_to_be(tokens: list[str], single: bool) -> None:
    text, places = join_tokens(tokens, single=single)
    assert cut(text, places) == tokens


def test_single_letters_are_recognised_over_the_file() -> None:
    assert are_single_letters([["高", "勇"], ["1", "9"]])
    assert not are_single_letters([["a", "b"]])
    assert not are_single_letters([["中国", "人"]])
    assert not are_single_letters([[]])


def test_overlaps_keep_the_longer_span() -> None:
    spans = [(0, 5, "A"), (3, 12, "B"), (10, 14, "C"), (0, 5, "A"), (20, 22, "A"), (20, 22, "B")]
    kept, left = split_overlaps(spans)
    assert kept == [(3, 12, "B"), (20, 22, "A")]
    assert left == [(0, 5, "A"), (10, 14, "C"), (20, 22, "B")]


def test_words_get_tags_by_hand() -> None:
    text = "Ann Lee met Bo in New York"
    places = np.array(find_words(text))
    spans = [(0, 7, "person"), (12, 14, "person"), (18, 26, "place"), (8, 11, "unknown")]
    tags = tag_words(places[:, 0], places[:, 1], spans, {"person": 0, "place": 1})
    assert [tag_names(["person", "place"])[tag] for tag in tags] == [
        "B-person", "I-person", "O", "B-person", "O", "B-place", "I-place",
    ]  # fmt: skip


def test_words_that_no_token_begins_with_are_learned_only_within_spans() -> None:
    text = "@anna met O'Brien"
    places = np.array(find_words(text))  # @ anna met O ' Brien
    tokens = np.array([0, 6, 10])
    tags = learned_tags(places[:, 0], places[:, 1], [(10, 17, "person")], {"person": 0}, tokens)
    assert tags.tolist() == [0, UNSAID, 0, 1, 2, 2]


def test_a_word_between_two_spans_stays_with_the_first() -> None:
    starts, ends = np.array([0, 4]), np.array([4, 8])
    tags = tag_words(starts, ends, [(0, 2, "A"), (2, 8, "B")], {"A": 0, "B": 1})
    assert tags.tolist() == [1, 3]
    tags = tag_words(starts, ends, [(0, 3, "A"), (3, 4, "B")], {"A": 0, "B": 1})
    assert tags.tolist() == [1, 0]


def test_crossed_words_are_found() -> None:
    text = "at 13:00pm, now"
    spans = [(3, 8, "time"), (12, 15, "now"), (0, 2, "at")]
    assert crossed_words(spans, find_words(text)) == [(3, 8, "time")]


@st.composite
def placed(draw: st.DrawFn) -> tuple[list[Span], int]:
    spans: list[Span] = []
    at = 0
    for _ in range(draw(st.integers(0, 5))):
        start = at + draw(st.integers(0, 2))
        at = start + draw(st.integers(1, 3))
        spans.append((start, at, draw(st.sampled_from("AB"))))
    return spans, at + draw(st.integers(0, 2))


@given(st.lists(placed(), min_size=1, max_size=4))
def test_tagged_spans_come_back_from_several_sequences_at_once(rows: list[tuple[list[Span], int]]) -> None:
    numbers = {"A": 0, "B": 1}
    tags, expected, at = [], [], 0
    for spans, length in rows:
        places = np.arange(length)
        found = tag_words(places, places + 1, spans, numbers)
        written = [tag_names("AB")[tag] for tag in found]
        assert written == tags_of_spans(spans, length)
        assert spans_of_tags(written) == spans
        tags.append(found)
        expected += [(at + start, at + end, numbers[label]) for start, end, label in spans]
        at += length
    first, end, labels = tagged_spans(np.concatenate(tags))
    assert list(zip(first.tolist(), end.tolist(), labels.tolist(), strict=True)) == expected


def test_lists_in_cells() -> None:
    assert list_cell('["a", "b"]') == ["a", "b"]
    assert list_cell("['a', \"b's\"]") == ["a", "b's"]
    assert list_cell("[a, b]") is None
    assert list_cell("text") is None
    assert list_cell(None) is None
    assert words_cell("O B-A  I-A") == ["O", "B-A", "I-A"]
    assert words_cell('["O"]') == ["O"]
    assert words_cell(" ") is None
    with pytest.raises(CellFault, match="number 2 of the list is 7 instead of a string"):
        words_cell('["O", 7]')


@pytest.mark.parametrize(
    "written",
    [
        {"start": 5, "end": 9, "label": "time"},
        {"start_position": 5, "end_position": 9, "entity_type": "time", "entity_value": "noon"},
        {"slot": "time", "valueSpan": {"startIndex": 5, "endIndex": 9}},
        {"start": 5, "end": 9, "labels": ["time"]},
        {"offset": 0, "begin": 5, "length": 4, "type": "time"},
        [5, 9, "time"],
        ["time", 5, 9],
        {"start": 5.0, "end": 9.0, "entity_group": "time", "score": 0.9},
    ],
)
def test_spans_of_the_usual_tools(written: Any) -> None:
    found = spans_cell(json.dumps([written]))
    assert found is not None
    assert [one.span for one in found] == [(5, 9, "time")]


def test_a_start_that_is_left_out_is_nought() -> None:
    found = spans_cell('[{"slot": "people", "valueSpan": {"endIndex": 2}}]')
    assert found is not None
    assert found[0].span == (0, 2, "people")


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("soon", "a list of spans is wanted, this is 'soon'"),
        ('[{"label": "a"}]', "span 1 has no start and end"),
        ('[{"start": 1, "end": 2}]', "span 1 has no label"),
        ('[[0, 1, "a"], 7]', "span 2 must be an object"),
        ('[{"start": "1", "end": 2, "label": "a"}]', "span 1 has no start and end"),
        ('[{"start": 1.5, "end": 2, "label": "a"}]', "span 1 has no start and end"),
        ('[{"start": 1, "end": 2, "label": ["a", "b"]}]', "span 1 has no label"),
    ],
)
def test_cells_that_hold_no_spans(cell: str, fault: str) -> None:
    with pytest.raises(CellFault, match=fault):
        spans_cell(cell)
    assert not are_spans(list_cell(cell) or [1])


@pytest.mark.parametrize(
    ("span", "fault"),
    [
        ((0, 5, "a"), None),
        ((0, 12, "a"), "outside the text of 11 letters"),
        ((-1, 3, "a"), "outside"),
        ((3, 3, "a"), "is empty"),
        ((5, 6, "a"), "covers white space alone"),
    ],
)
def test_places_of_spans_are_judged(span: Span, fault: str | None) -> None:
    found = fault_of_span(span, "hello world")
    assert (found is None) if fault is None else (found is not None and fault in found)


def test_cells_of_examples_are_spans() -> None:
    assert spans_of_cell([{"start": 1, "end": 2, "label": "A"}]) == [(1, 2, "A")]
    assert spans_of_cell(None) == []

"""Markers of entities: one writing out of many, and every way in which they can be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.tasks.relation.markers import (
    MarkerFault,
    Span,
    are_nested,
    entity_texts,
    find_entities,
    has_markers,
    in_one_writing,
    mark_entities,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A <e1>b</e1> c <e2>d</e2>.", "A <e1> b </e1> c <e2> d </e2> ."),
        ("A <e1>  b </e1>c<e2>d e</e2>", "A <e1> b </e1> c <e2> d e </e2>"),
        ("[E2]b[/E2] [e1]d[/e1] x", "<e2> b </e2> <e1> d </e1> x"),
        ("<E1> b </E1><e2> d </e2>", "<e1> b </e1> <e2> d </e2>"),
        ("他在<e1>北京</e1>的<e2>公司</e2>工作。", "他在 <e1> 北京 </e1> 的 <e2> 公司 </e2> 工作。"),
        ("<e1> the <e2> car </e2> door </e1>", "<e1> the <e2> car </e2> door </e1>"),
        ("a  > b  <e1> c </e1> <e2> d </e2>", "a  > b <e1> c </e1> <e2> d </e2>"),
    ],
)
def test_one_writing(text: str, wanted: str) -> None:
    assert has_markers(text)
    assert in_one_writing(text) == wanted
    assert in_one_writing(wanted) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plain", "no entities are marked"),
        ("<e1> a </e1> b", "<e2> is missing"),
        ("<e1> a <e2> b </e2>", "</e1> is missing"),
        ("<e1> a </e1> <e1> b </e1> <e2> c </e2>", "<e1> is there more than once"),
        ("</e1> a <e1> <e2> b </e2>", "<e1> closes first"),
        ("<e1></e1> <e2> b </e2>", "<e1> marks nothing"),
        ("<e1> <e2> b </e2> </e1>x", None),
        ("<e1> <e2> </e2> </e1>", "marks nothing"),
        ("<e1> a <e2> b </e1> c </e2>", "the two entities cross"),
        ("<e2> a <e1> b </e2> c </e1>", "the two entities cross"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str | None) -> None:
    if message is None:
        find_entities(text)
        return
    with pytest.raises(MarkerFault, match=message.replace("/", r"\/")):
        in_one_writing(text)


def test_entities_and_nesting() -> None:
    text = "The <e2> old <e1> car </e1> door </e2> fell."
    assert entity_texts(text) == ("car", "old  car  door".replace("  ", " "))
    assert are_nested(text)
    assert not are_nested("The <e1> car </e1> has a <e2> door </e2> .")


@given(
    st.text(alphabet="abc <>[]e12/ 中", min_size=2, max_size=30),
    st.tuples(st.integers(0, 29), st.integers(1, 30)),
    st.tuples(st.integers(0, 29), st.integers(1, 30)),
)
def test_marking_spans_gives_them_back(text: str, first: tuple[int, int], second: tuple[int, int]) -> None:
    if has_markers(text):
        return
    spans = [Span(*sorted(span)) for span in (first, second)]
    a, b = spans
    outside = any(not 0 <= span.start < span.end <= len(text) for span in spans)
    crossing = a.start < b.start < a.end < b.end or b.start < a.start < b.end < a.end
    empty = any(not text[span.start : span.end].strip() for span in spans if not outside)
    if outside or crossing or empty:
        with pytest.raises(MarkerFault):
            mark_entities(text, a, b)
        return
    marked = mark_entities(text, a, b)
    found = [" ".join(words.split()) for words in entity_texts(marked)]
    assert found == [_spaced(text, a, b), _spaced(text, b, a)]


def _spaced(text: str, span: Span, other: Span) -> str:
    """A span's words with a space where the other entity's marker stands in it."""
    cuts = sorted({place for place in (other.start, other.end) if span.start < place < span.end})
    pieces, start = [], span.start
    for place in [*cuts, span.end]:
        pieces.append(text[start:place])
        start = place
    return " ".join(" ".join(pieces).split())


def test_spans_side_by_side_and_one_in_the_other() -> None:
    assert mark_entities("abcd", Span(0, 2), Span(2, 4)) == "<e1> ab </e1> <e2> cd </e2>"
    assert mark_entities("abcd", Span(0, 4), Span(2, 4)) == "<e1> ab <e2> cd </e2> </e1>"
    assert mark_entities("abcd", Span(1, 3), Span(0, 4)) == "<e2> a <e1> bc </e1> d </e2>"
    assert mark_entities("abcd", Span(1, 3), Span(1, 3)) == "a <e1> <e2> bc </e2> </e1> d"
    with pytest.raises(MarkerFault, match="lies outside the text of 4 letters"):
        mark_entities("abcd", Span(0, 2), Span(3, 5))

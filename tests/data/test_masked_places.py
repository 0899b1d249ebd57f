"""Places of a text whose personal data is replaced: there, and back again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provetune.data.masked_places import mask_keeping_places
from provetune.data.privacy import mask_text

KINDS = ("email", "phone", "id_number", "bank_card")
PIECES = st.sampled_from(
    ["a.b@c.org", "13812345678", "4111 1111 1111 1111", "Bob", "王伟", "👩‍👧", " ", "  ", "é", ",", "at", "电话"]
)


@given(st.lists(PIECES, max_size=12).map(" ".join), st.data())
def test_there_and_back(text: str, data: st.DataObject) -> None:
    masked = mask_keeping_places(text, KINDS)
    assert (masked.text, masked.given) == (mask_text(text, KINDS), text)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    first, stop = masked.span(start, end)
    back = masked.given_span(first, stop)
    touched = [(a, b) for a, b, _ in masked.finds if a < end and start < b and start < end]
    if touched:
        # A find that is touched belongs to the span whole.
        assert back == (min(start, touched[0][0]), max(end, touched[-1][1]))
    elif start < end:
        assert back == (start, end)
        assert masked.text[first:stop] == text[start:end]


@given(st.lists(PIECES, max_size=12).map(" ".join), st.data())
def test_of_a_placeholder_all_is_meant_or_nothing(text: str, data: st.DataObject) -> None:
    masked = mask_keeping_places(text, KINDS)
    start = data.draw(st.integers(0, len(masked.text)))
    end = data.draw(st.integers(start, len(masked.text)))
    first, stop = masked.given_span(start, end)
    assert 0 <= first <= stop <= len(text)
    for a, b, _ in masked.finds:
        assert not a < first < b
        assert not a < stop < b
    # Nothing masked in it: the letters are the same.
    if not any(first < b and a < stop for a, b, _ in masked.finds):
        assert masked.text[start:end] == text[first:stop]


def test_places_by_hand() -> None:
    masked = mask_keeping_places("Mail a@b.org or Bob at 13812345678.", KINDS)
    assert masked.text == "Mail <EMAIL> or Bob at <PHONE>."
    assert masked.span(5, 12) == (5, 12)
    assert masked.span(16, 19) == (16, 19)
    assert masked.given_span(24, 29) == (23, 34)  # "PHONE" without its brackets
    assert masked.given_span(16, 19) == (16, 19)
    assert masked.given_span(30, 31) == (34, 35)

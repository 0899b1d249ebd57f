"""Tag schemes: the same spans as seqeval, default and strict, and there and back without loss."""

from __future__ import annotations

import random
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.data.tag_schemes import (
    Scheme,
    Span,
    broken_places,
    convert_tags,
    find_scheme,
    parse_tag,
    spans_of_tags,
    strict_spans,
    tags_of_spans,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from seqeval import scheme as reference
    from seqeval.metrics.sequence_labeling import get_entities

LETTERS = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIES", "BILOU": "BILU"}


def random_tags(source: random.Random, letters: str) -> list[str]:
    labels = ["PER", "LOC", "creative-work"][: source.randint(1, 3)]
    tags = ["O", *(f"{letter}-{label}" for letter in letters for label in labels)]
    if source.random() < 0.1:
        tags = ["O", *letters]
    return source.choices(tags, k=source.randint(0, 12))


def test_spans_are_those_of_seqeval_on_thousands_of_sequences() -> None:
    source = random.Random(1)
    for number in range(6000):
        tags = random_tags(source, ("BI", "BIES", "I", "IE")[number % 4])
        expected = [(start, end + 1, label) for label, start, end in get_entities(tags)]
        assert spans_of_tags(tags) == expected


@pytest.mark.parametrize("scheme", ["BIO", "IOB1", "BIOES", "BILOU"])
def test_strict_spans_are_those_of_seqeval_on_thousands_of_sequences(scheme: Scheme) -> None:
    theirs = {"BIO": reference.IOB2, "IOB1": reference.IOB1, "BIOES": reference.IOBES, "BILOU": reference.BILOU}[scheme]
    source = random.Random(2)
    for _ in range(3000):
        tags = random_tags(source, LETTERS[scheme])
        expected = [(found.start, found.end, found.tag) for found in reference.Tokens(tags, theirs).entities]
        assert strict_spans(tags, scheme) == expected


def test_bmes_is_bioes_with_another_letter() -> None:
    tags = ["B-A", "M-A", "E-A", "S-B", "O", "M-A", "E-A", "B-A"]
    assert spans_of_tags(tags, "BMES") == [(0, 3, "A"), (3, 4, "B"), (5, 7, "A"), (7, 8, "A")]
    assert strict_spans(tags, "BMES") == [(0, 3, "A"), (3, 4, "B")]
    assert strict_spans(["W-A"], "BIOES") == [(0, 1, "A")]


def test_schemes_without_a_strict_reading_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be BIO, IOB1, BIOES, BILOU or BMES\. Got 'IO'"):
        strict_spans(["I-A"], "IO")


@st.composite
def placed_spans(draw: st.DrawFn) -> tuple[list[Span], int]:
    spans: list[Span] = []
    at = 0
    for _ in range(draw(st.integers(0, 5))):
        start = at + draw(st.integers(0, 2))
        at = start + draw(st.integers(1, 3))
        spans.append((start, at, draw(st.sampled_from(["PER", "LOC", "a-b"]))))
    return spans, at + draw(st.integers(0, 3))


@given(placed_spans(), st.sampled_from(["BIO", "IOB1", "BIOES", "BILOU", "BMES"]))
def test_spans_survive_every_scheme(drawn: tuple[list[Span], int], scheme: Scheme) -> None:
    spans, length = drawn
    tags = tags_of_spans(spans, length, scheme)
    assert spans_of_tags(tags, scheme) == spans
    assert list(broken_places(tags, scheme)) == []
    if scheme != "IOB1":  # whose strict reading in seqeval refuses some that are right
        assert strict_spans(tags, scheme) == spans
    assert convert_tags(convert_tags(tags, scheme, "BIO"), "BIO", scheme) == tags


def test_tags_by_hand() -> None:
    spans = [(0, 1, "PER"), (1, 2, "PER"), (3, 6, "LOC")]
    assert tags_of_spans(spans, 7, "BIO") == ["B-PER", "B-PER", "O", "B-LOC", "I-LOC", "I-LOC", "O"]
    assert tags_of_spans(spans, 7, "IOB1") == ["I-PER", "B-PER", "O", "I-LOC", "I-LOC", "I-LOC", "O"]
    assert tags_of_spans(spans, 7, "BIOES") == ["S-PER", "S-PER", "O", "B-LOC", "I-LOC", "E-LOC", "O"]
    assert tags_of_spans(spans, 7, "BILOU") == ["U-PER", "U-PER", "O", "B-LOC", "I-LOC", "L-LOC", "O"]
    assert tags_of_spans(spans, 7, "BMES") == ["S-PER", "S-PER", "O", "B-LOC", "M-LOC", "E-LOC", "O"]
    assert tags_of_spans([(0, 2, "_"), (2, 3, "_")], 3, "BMES") == ["B", "E", "S"]
    assert tags_of_spans([(0, 1, "NOUN")], 2, "plain") == ["NOUN", "O"]


@pytest.mark.parametrize("spans", [[(0, 4, "A")], [(1, 1, "A")], [(-1, 1, "A")], [(0, 2, "A"), (1, 3, "B")]])
def test_spans_that_do_not_fit_are_refused(spans: list[Span]) -> None:
    with pytest.raises(ValueError, match="does not fit 3 tokens or overlaps another"):
        tags_of_spans(spans, 3)


@pytest.mark.parametrize(
    ("sequences", "scheme"),
    [
        ([["B-A", "I-A", "O"], ["B-B"]], "BIO"),
        ([["I-A", "I-A", "O"], ["I-B", "B-B"]], "IOB1"),
        ([["I-A", "O"]], "IO"),
        ([["B-A", "M-A", "E-A", "S-A"]], "BMES"),
        ([["B-A", "I-A", "E-A", "O"]], "BIOES"),
        ([["B-A", "L-A", "U-A"]], "BILOU"),
        ([["B", "M", "E", "S", "S"]], "BMES"),
        ([["NOUN", "VERB", "PUNCT"]], "plain"),
        ([["O", "O"]], "BIO"),
        ([], "BIO"),
    ],
)
def test_schemes_are_recognised(sequences: list[list[str]], scheme: str) -> None:
    assert find_scheme(sequences) == scheme


@pytest.mark.parametrize(
    ("tag", "parsed"),
    [
        ("O", ("O", "")),
        ("B-PER.NAM", ("B", "PER.NAM")),
        ("I-creative-work", ("I", "creative-work")),
        ("M_ORG", ("I", "ORG")),
        ("U-X", ("S", "X")),
        ("S", ("S", "_")),
        ("B-", ("B", "_")),
        ("", None),
        ("PER", None),
        ("X-PER", None),
        ("BPER", None),
    ],
)
def test_tags_are_taken_apart(tag: str, parsed: tuple[str, str] | None) -> None:
    assert parse_tag(tag) == parsed


@pytest.mark.parametrize(
    ("tags", "scheme", "places"),
    [
        (["O", "I-A", "I-A"], "BIO", [(1, "'I-A' follows 'O'")]),
        (["I-A"], "BIO", [(0, "'I-A' comes first")]),
        (["B-A", "I-B"], "BIO", [(1, "'I-B' follows 'B-A'")]),
        (["B-A", "S-A", "O"], "BIO", [(1, "'S-A' is no tag of BIO")]),
        (["B-A", "x"], "BIO", [(1, "'x' is no tag of BIO")]),
        (["B-A", "O"], "BIOES", [(0, "'B-A' is not continued")]),
        (["B-A", "M-A"], "BMES", [(1, "'M-A' is not continued")]),
        (["E-A", "O"], "BIOES", [(0, "'E-A' comes first")]),
        (["B-A", "E-B"], "BIOES", [(0, "'B-A' is not continued"), (1, "'E-B' follows 'B-A'")]),
        (["I-A", "B-A"], "IOB1", []),
        (["NOUN", "VERB"], "plain", []),
    ],
)
def test_broken_tags_are_named(tags: list[str], scheme: Scheme, places: list[tuple[int, str]]) -> None:
    assert list(broken_places(tags, scheme)) == places


@pytest.mark.parametrize("wrong", ["E-LOC", "S-LOC", "L-LOC", "U-LOC", "M-LOC"])
def test_a_wrong_letter_makes_no_other_scheme(wrong: str) -> None:
    sequences = [["B-PER", "I-PER", "O", "B-LOC"]] * 20 + [["O", wrong, "O"]]
    assert find_scheme(sequences) == "BIO"
    assert next(place for tags in sequences for place in broken_places(tags, "BIO")) == (
        1,
        f"'{wrong}' is no tag of BIO",
    )
    ended = [["B-PER", "I-PER", "E-PER", "S-LOC"]] * 20 + [["O", wrong, "O"]]
    assert find_scheme(ended) == "BIOES"

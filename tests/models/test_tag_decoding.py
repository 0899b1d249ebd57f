"""Decoding: never an invalid sequence, and never a better one left behind."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.data.tag_schemes import Scheme, broken_places
from provetune.models.tag_decoding import decode_tags, transitions

TAGS: dict[Scheme, list[str]] = {
    "BIO": ["O", "B-A", "I-A", "B-B", "I-B"],
    "IO": ["O", "I-A", "I-B"],
    "IOB1": ["O", "B-A", "I-A"],
    "BIOES": ["O", "B-A", "I-A", "E-A", "S-A", "B-B", "E-B"],
    "BILOU": ["O", "B-A", "I-A", "L-A", "U-A"],
    "BMES": ["B", "M", "E", "S"],
    "plain": ["NOUN", "VERB", "O"],
}


@pytest.mark.parametrize("scheme", TAGS)
def test_what_is_allowed_is_what_is_not_broken(scheme: Scheme) -> None:
    tags = TAGS[scheme]
    allowed = transitions(tags, scheme)
    for length in (1, 2, 3):
        for path in product(range(len(tags)), repeat=length):
            steps = all(allowed.after[one, two] for one, two in pairwise(path))
            may = bool(allowed.first[path[0]] and allowed.last[path[-1]] and steps)
            assert may == (not list(broken_places([tags[k] for k in path], scheme)))


@settings(deadline=None)
@given(st.sampled_from(["BIO", "BIOES", "BMES"]), st.integers(0, 2**32 - 1), st.lists(st.integers(0, 4), max_size=6))
def test_the_best_of_all_allowed_sequences_is_found(scheme: Scheme, seed: int, lengths: list[int]) -> None:
    tags = TAGS[scheme]
    allowed = transitions(tags, scheme)
    source = np.random.default_rng(seed)
    scores = [source.normal(0, 3, (length, len(tags))) for length in lengths]
    for given_scores, found in zip(scores, decode_tags(scores, allowed), strict=True):
        assert len(found) == len(given_scores)
        if not len(found):
            continue
        valid = [
            path
            for path in product(range(len(tags)), repeat=len(found))
            if not list(broken_places([tags[k] for k in path], scheme))
        ]
        best = max(valid, key=lambda path: sum(given_scores[k, tag] for k, tag in enumerate(path)))
        assert tuple(found) == best


def test_thousands_of_random_sequences_are_valid() -> None:
    tags = ["O", *(f"{letter}-{label}" for label in "ABCDE" for letter in "BI")]
    source = np.random.default_rng(0)
    scores = [source.normal(0, 5, (int(length), len(tags))) for length in source.integers(0, 60, 3000)]
    for path in decode_tags(scores, transitions(tags)):
        assert list(broken_places([tags[k] for k in path], "BIO")) == []


def test_a_valid_best_guess_is_kept() -> None:
    source = np.random.default_rng(1)
    tags = TAGS["BIO"]
    for _ in range(200):
        scores = source.normal(0, 1, (5, len(tags)))
        greedy = scores.argmax(axis=1)
        if not list(broken_places([tags[k] for k in greedy], "BIO")):
            assert decode_tags([scores], transitions(tags))[0].tolist() == greedy.tolist()


def test_texts_do_not_change_each_other() -> None:
    source = np.random.default_rng(2)
    allowed = transitions(TAGS["BIOES"], "BIOES")
    scores = [source.normal(0, 2, (length, 7)) for length in (9, 1, 4, 30, 2)]
    together = decode_tags(scores, allowed)
    for alone, found in zip(scores, together, strict=True):
        assert np.array_equal(decode_tags([alone], allowed)[0], found)


def test_by_hand() -> None:
    # I-A may not follow O, which the first word alone would be: O B-A makes 8, O O 6, B-A I-A 11.
    scores = np.array([[5.0, 2.0, 9.0, 0.0, 0.0], [1.0, 3.0, 9.0, 0.0, 0.0]])
    assert decode_tags([scores], transitions(TAGS["BIO"]))[0].tolist() == [1, 2]


def test_a_long_document() -> None:
    source = np.random.default_rng(3)
    scores = source.normal(0, 1, (20_000, 5))
    (path,) = decode_tags([scores], transitions(TAGS["BIO"]))
    assert len(path) == 20_000


def test_tags_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Tags must be of the scheme BIO\. Got 'PER' instead"):
        transitions(["O", "PER"])
    with pytest.raises(ValueError, match="No sequence of BIOES"):
        transitions(["B-A", "I-A"], "BIOES")

"""Which piece speaks for which word."""

from __future__ import annotations

import numpy as np
import pytest

from provetune.models.word_pieces import Places, spoken_words


def found(pieces: list[list[tuple[int, int]]], words: list[list[tuple[int, int]]]) -> list[tuple[int, int, int, int]]:
    """Text, start, end and piece of every word that is spoken for."""
    spoken, speaking = spoken_words(Places.of(pieces), Places.of(words))
    columns = (spoken.text, spoken.starts, spoken.ends, speaking)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_the_first_piece_speaks() -> None:
    pieces = [[(-1, -1), (0, 3), (3, 5), (6, 9), (-1, -1)]]
    assert found(pieces, [[(0, 5), (6, 9)]]) == [(0, 0, 5, 1), (0, 6, 9, 3)]


def test_texts_are_kept_apart() -> None:
    pieces = [[(0, 2)], [(0, 2), (3, 4)], []]
    assert found(pieces, [[(0, 2)], [(0, 2), (3, 4)], [(0, 1)]]) == [(0, 0, 2, 0), (1, 0, 2, 1), (1, 3, 4, 2)]


def test_a_piece_over_several_words_takes_them_all() -> None:
    assert found([[(0, 3), (3, 4)]], [[(0, 1), (1, 2), (2, 3), (3, 4)]]) == [(0, 0, 3, 0), (0, 3, 4, 1)]


def test_a_piece_into_the_middle_of_a_word_takes_its_rest() -> None:
    # The second word begins inside the first piece; its second piece begins in it, but too late to speak for it.
    assert found([[(0, 3), (3, 5)]], [[(0, 2), (2, 5)]]) == [(0, 0, 5, 0)]


def test_words_without_a_piece_are_left_out() -> None:
    assert found([[(0, 1), (4, 5)]], [[(0, 1), (2, 3), (4, 5)]]) == [(0, 0, 1, 0), (0, 4, 5, 1)]


def test_empty_pieces_and_pieces_between_words_count_for_nothing() -> None:
    assert found([[(0, 0), (0, 1), (1, 2), (3, 3)]], [[(0, 1), (2, 4)]]) == [(0, 0, 1, 1)]


@pytest.mark.parametrize(("pieces", "words"), [([[]], [[]]), ([[(0, 1)]], [[]]), ([[(-1, -1)]], [[(0, 1)]]), ([], [])])
def test_nothing_to_find(pieces: list[list[tuple[int, int]]], words: list[list[tuple[int, int]]]) -> None:
    assert found(pieces, words) == []


def test_several_byte_pieces_of_one_letter() -> None:
    assert found([[(0, 1), (0, 1), (1, 2)]], [[(0, 1), (1, 2)]]) == [(0, 0, 1, 0), (0, 1, 2, 2)]


def test_bounds_of_texts() -> None:
    places = Places.of([[(0, 1), (1, 2)], [], [(0, 1)]])
    assert np.array_equal(places.bounds(3), [0, 2, 2, 3])

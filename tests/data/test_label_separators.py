"""Several labels in a cell are told from signs that belong to one label's name."""

from __future__ import annotations

from itertools import combinations

import pytest

from provetune.data.label_separators import SEPARATORS, find_separator

GENRES = ["Comedy", "Drama", "Horror", "Crime", "War"]
SINGLE = [*GENRES] * 4


@pytest.mark.parametrize("sign", SEPARATORS)
def test_every_sign_is_found(sign: str) -> None:
    pairs = [sign.join(pair) for pair in combinations(GENRES, 2)]
    triples = [f"{sign} ".join(triple) for triple in combinations(GENRES, 3)]
    assert find_separator([*SINGLE, *pairs, *triples, None, ""]) == sign


@pytest.mark.parametrize(
    "cells",
    [
        SINGLE,
        [],
        [None, " "],
        ["Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Part-Whole(e1,e2)", "Part-Whole(e2,e1)", "other"] * 20,
        ["Milan, Italy", "Lyon, France", "Bonn, Germany", "Rome, Italy"] * 10,
        ["1,5", "2,5", "3,0", "4,5"] * 10,
        ["Yes, it is so; but nobody knew, and then " + str(k) for k in range(40)],
        ["a", "b", "a|", "|b"] * 5,
        ["black, white", "red", "green", "blue", "yellow"] * 8,
    ],
)
def test_no_separator(cells: list[str | None]) -> None:
    assert find_separator(cells) is None


def test_few_labels_are_enough() -> None:
    assert find_separator([*["a;c", "b;c", "a;d", "b;d"] * 10, "a", "zz;a", ""]) == ";"
    assert find_separator(["cheap|fast", "fast", "cheap", ""] * 5) == "|"


def test_a_sign_in_one_cell_is_a_slip() -> None:
    assert find_separator([*SINGLE * 10, "Comedy|Drama"]) is None

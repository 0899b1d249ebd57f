"""chrF from summed rows against sacrebleu's corpus score."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.evaluation.generation.chrf import chrf_of, chrf_signature, count_chrf

TEXT = st.text("abc é好 ", max_size=14)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8))
def test_equals_sacrebleu(rows: list[tuple[str, str]]) -> None:
    said, wanted = [row[0] for row in rows], [row[1] for row in rows]
    reference = sacrebleu.metrics.CHRF().corpus_score(said, [wanted]).score
    assert float(chrf_of(count_chrf(said, wanted).sum(axis=0))) == pytest.approx(reference, abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=6))
def test_equals_sacrebleu_with_two_references(rows: list[tuple[str, str, str]]) -> None:
    said, first, second = ([row[k] for row in rows] for k in range(3))
    reference = sacrebleu.metrics.CHRF().corpus_score(said, [first, second]).score
    wanted = list(zip(first, second, strict=True))
    assert float(chrf_of(count_chrf(said, wanted).sum(axis=0))) == pytest.approx(reference, abs=1e-9)


def test_by_hand() -> None:
    """ "ab" for "ac": one letter of two is right, no pair of one; F is recall-heavy, but here both are equal."""
    counts = count_chrf(["ab"], ["a c"])
    assert counts[0, :9].tolist() == [2, 2, 1, 1, 1, 0, 0, 0, 0]
    assert float(chrf_of(counts[0])) == pytest.approx(100 * (0.5 + 0) / 2)


def test_nothing_said_is_nothing() -> None:
    assert chrf_of(count_chrf(["", "a"], ["a", ""])).tolist() == [0, 0]
    assert chrf_of(np.zeros((2, 3, 18))).shape == (2, 3)


def test_signature() -> None:
    assert chrf_signature().startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")

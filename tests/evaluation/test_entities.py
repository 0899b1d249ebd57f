"""Entity scores: equal to seqeval's, default and strict, on thousands of random sequences; and by hand."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.data.tag_schemes import Scheme, spans_of_tags, strict_spans
from provetune.evaluation.entities import (
    averaged_part,
    count_entities,
    entity_reports,
    entity_scores,
    error_kinds,
    label_part,
    labels_of,
)
from provetune.evaluation.token_labels import token_counts, token_reports

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from seqeval import scheme as reference
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as by_default
    from seqeval.metrics.v1 import precision_recall_fscore_support as strictly

LETTERS = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIES", "BILOU": "BILU"}
THEIRS = {"BIO": reference.IOB2, "IOB1": reference.IOB1, "BIOES": reference.IOBES, "BILOU": reference.BILOU}


def batch(source: random.Random, letters: str) -> tuple[list[list[str]], list[list[str]]]:
    """Some rows of gold tags, and predictions that agree with them more or less."""
    labels = ["PER", "LOC", "ORG", "creative-work"][: source.randint(1, 4)]
    tags = ["O", "O", *(f"{letter}-{label}" for letter in letters for label in labels)]
    gold = [source.choices(tags, k=source.randint(1, 10)) for _ in range(source.randint(1, 6))]
    agree = source.random()
    predicted = [[tag if source.random() < agree else source.choice(tags) for tag in row] for row in gold]
    return gold, predicted


def assert_equal_to_seqeval(gold: Any, predicted: Any, ours: tuple[Any, Any], **options: Any) -> None:
    theirs = strictly if options else by_default
    labels = labels_of(*ours)
    counts = count_entities(ours[0], ours[1], labels)
    if not labels:
        return
    scores = entity_scores(counts)
    for average, prefix in [("micro", ""), ("macro", "macro_"), ("weighted", "weighted_")]:
        expected = theirs(gold, predicted, average=average, zero_division=0, **options)
        got = [scores[f"{prefix}{part}"] for part in ("precision", "recall", "f1")]
        assert got == pytest.approx(expected[:3], abs=1e-12)
    each = theirs(gold, predicted, average=None, zero_division=0, **options)
    reports = entity_reports(counts, labels)
    assert [report.label for report in reports] == labels
    assert [report.precision for report in reports] == pytest.approx(list(each[0]))
    assert [report.recall for report in reports] == pytest.approx(list(each[1]))
    assert [report.f1 for report in reports] == pytest.approx(list(each[2]))
    assert [report.support for report in reports] == list(each[3])


def test_scores_are_those_of_seqeval_by_default() -> None:
    source = random.Random(3)
    for number in range(1200):
        gold, predicted = batch(source, ("BI", "BIES", "I", "BI")[number % 4])
        ours = [spans_of_tags(row) for row in gold], [spans_of_tags(row) for row in predicted]
        assert_equal_to_seqeval(gold, predicted, ours)


@pytest.mark.parametrize("scheme", ["BIO", "IOB1", "BIOES", "BILOU"])
def test_scores_are_those_of_strict_seqeval(scheme: Scheme) -> None:
    source = random.Random(4)
    for _ in range(500):
        gold, predicted = batch(source, LETTERS[scheme])
        ours = [strict_spans(row, scheme) for row in gold], [strict_spans(row, scheme) for row in predicted]
        assert_equal_to_seqeval(gold, predicted, ours, scheme=THEIRS[scheme])


GOLD = [[(0, 5, "PER"), (9, 12, "LOC")], [(0, 2, "LOC")], []]
FOUND = [[(0, 5, "PER"), (9, 13, "LOC")], [(0, 2, "PER")], [(3, 4, "ORG")]]


def test_counts_by_hand() -> None:
    counts = count_entities(GOLD, FOUND, ["LOC", "ORG", "PER"])
    assert counts.tolist() == [
        [0, 0, 1, 1, 0, 1, 1, 0, 1],
        [0, 0, 0, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 0, 0],
    ]
    scores = entity_scores(counts)
    assert scores["precision"] == pytest.approx(1 / 4)
    assert scores["recall"] == pytest.approx(1 / 3)
    assert scores["f1"] == pytest.approx(2 / 7)
    assert scores["macro_f1"] == pytest.approx((0 + 0 + 2 / 3) / 3)
    assert scores["weighted_recall"] == pytest.approx((2 * 0 + 1 * 1) / 3)


def test_sums_of_many_samples_at_once() -> None:
    counts = count_entities(GOLD, FOUND, ["LOC", "ORG", "PER"])
    samples = np.random.default_rng(0).integers(0, 3, (50, 3))
    together = np.einsum("sn,nk->sk", samples, counts)
    for part in ("precision", "recall", "f1"):
        for average in ("micro", "macro", "weighted"):
            alone = [averaged_part(sums, part, average) for sums in together]
            assert averaged_part(together, part, average) == pytest.approx(np.array(alone))
        assert label_part(together, part, 2) == pytest.approx(np.array([label_part(s, part, 2) for s in together]))


def test_nothing_to_find_scores_nothing() -> None:
    counts = count_entities([[], []], [[], []], ["PER"])
    assert set(entity_scores(counts).values()) == {0.0}
    assert entity_reports(counts, ["PER"]) == []


def test_a_span_given_twice_counts_once() -> None:
    assert count_entities([[(0, 1, "A")]], [[(0, 1, "A"), (0, 1, "A")]], ["A"]).tolist() == [[1, 1, 1]]


def test_sides_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="Got 0 for 1"):
        count_entities([[]], [], ["A"])
    with pytest.raises(ValueError, match=r"labels \['B'\] are not among \['A'\]"):
        count_entities([[]], [[(0, 1, "B")]], ["A"])


def test_kinds_of_errors_by_hand() -> None:
    gold = [[(0, 2, "A"), (4, 6, "A"), (8, 12, "A"), (14, 18, "A"), (20, 22, "A")]]
    found = [[(0, 2, "A"), (4, 6, "B"), (9, 12, "A"), (14, 17, "B"), (30, 31, "A")]]
    kinds = dict.fromkeys(("correct", "wrong_label", "wrong_boundary", "both_wrong", "missed", "spurious"), 1)
    assert error_kinds(gold, found) == kinds


spans = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.sampled_from("AB")), max_size=5).map(
    lambda drawn: [(start, start + size, label) for start, size, label in drawn]
)


@given(st.lists(st.tuples(spans, spans), max_size=5))
def test_every_gold_entity_has_one_fate(rows: Any) -> None:
    gold, found = [row[0] for row in rows], [row[1] for row in rows]
    kinds = error_kinds(gold, found)
    assert sum(kinds.values()) - kinds["spurious"] == sum(len(set(row)) for row in gold)
    counts = count_entities(gold, found, ["A", "B"]).sum(axis=0)
    assert kinds["correct"] == counts[:2].sum()


def test_tokens_are_judged_one_by_one() -> None:
    gold = [["B-PER", "I-PER", "O"], ["B-LOC"]]
    found = [["B-PER", "B-PER", "O"], ["O"]]
    assert token_counts(gold, found).tolist() == [[2, 3], [0, 1]]
    lines = {line.label: line for line in token_reports(gold, found)}
    assert (lines["PER"].precision, lines["PER"].recall, lines["PER"].support) == (1.0, 1.0, 2)
    assert (lines["O"].precision, lines["O"].recall, lines["O"].predicted) == (0.5, 1.0, 2)
    assert lines["LOC"].f1 == 0.0
    with pytest.raises(ValueError, match="a tag for each token"):
        token_reports(gold, [["O"], ["O"]])


def test_token_scores_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import precision_recall_fscore_support as reference_scores

    source = random.Random(5)
    gold, predicted = batch(source, "BI")
    lines = token_reports(gold, predicted)
    flat = [[tag[2:] or "O" for row in side for tag in row] for side in (gold, predicted)]
    expected = reference_scores(*flat, labels=[line.label for line in lines], zero_division=0)
    assert [line.f1 for line in lines] == pytest.approx(list(expected[2]))
    assert [line.precision for line in lines] == pytest.approx(list(expected[0]))

"""Verdicts from p-values: directions, equivalence and Holm against statsmodels and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from provetune.core.errors import UsageError
from provetune.statistics.crossed import estimate
from provetune.statistics.multiplicity import holm
from provetune.statistics.questions import Question, answer

PAIRED = np.random.default_rng(12).uniform(-0.5, 0.54, (1, 900))


def order(comparator: str, margin: float, values: np.ndarray = PAIRED) -> Question:
    return Question("order", comparator, margin, None, estimate(values))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(deadline=None, max_examples=15)
def test_holm_equals_statsmodels(p):
    assert holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]))


def test_holm_by_hand_and_refusals():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []
    with pytest.raises(UsageError, match="between 0 and 1"):
        holm([0.2, float("nan")])


def test_equivalence_equals_statsmodels():
    values = np.random.default_rng(2).uniform(-0.343, 0.349, (1, 4000))
    reference, lower, upper = ttost_paired(values[0], np.zeros(4000), -0.01, 0.01)
    found = answer([Question("equal", "~", 0.01, None, estimate(values))], 0.05)[0]
    assert found.p == pytest.approx(reference, rel=1e-6)
    assert found.p == pytest.approx(max(lower[1], upper[1]), rel=1e-6)


def test_non_inferiority_equals_scipys_shifted_test():
    reference = stats.ttest_1samp(PAIRED[0], -0.01, alternative="greater").pvalue
    assert answer([order(">=", -0.01)], 0.05)[0].p == pytest.approx(reference, rel=1e-9)


@pytest.mark.parametrize(
    ("comparator", "margin", "verdict"),
    [
        (">", -0.05, "supported"),
        (">=", 0.02, "inconclusive"),
        (">", 0.10, "refuted"),
        ("<", 0.10, "supported"),
        ("<=", 0.02, "inconclusive"),
        ("<", -0.05, "refuted"),
    ],
)
def test_three_answers_in_both_directions(comparator, margin, verdict):
    found = answer([order(comparator, margin)], 0.05)[0]
    evidence = estimate(PAIRED)
    assert found.verdict == verdict
    assert found.bound == (evidence.lower(0.95) if comparator[0] == ">" else evidence.upper(0.95))
    assert found.interval == evidence.interval(0.95)


def test_strict_and_lax_comparators_ask_the_same():
    assert answer([order(">", 0.01)], 0.05) == answer([order(">=", 0.01)], 0.05)


def test_a_level_is_held_against_the_value_itself():
    values = np.random.default_rng(0).normal(0.92, 0.2, (1, 2000))
    above, below = (Question("level", ">=", 0.0, level, estimate(values)) for level in (0.90, 0.94))
    found = answer([above, below], 0.05)
    assert [one.verdict for one in found] == ["supported", "refuted"]
    assert found[0].effect == pytest.approx(values.mean())


def test_equality_supported_refuted_and_its_bound():
    values = np.random.default_rng(5).uniform(-0.17, 0.178, (1, 4000))
    evidence = estimate(values)
    wide, narrow = (Question("equal", "~", margin, None, evidence) for margin in (0.02, 0.0))
    found = answer([wide], 0.05)[0]
    assert found.verdict == "supported"
    assert found.bound == max(evidence.lower(0.95), evidence.upper(0.95), key=abs)
    far = answer([Question("equal", "~", 0.01, 0.5, evidence)], 0.05)[0]
    assert far.verdict == "refuted"
    assert far.bound == evidence.lower(0.95)
    # Against exactly 0, refuting is the two-sided test.
    two_sided = answer([narrow], 0.05)[0]
    assert two_sided.p_refuted == pytest.approx(stats.ttest_1samp(values[0], 0.0).pvalue, rel=1e-9)


def test_a_claim_that_was_not_judged_still_counts():
    question = order(">", -0.0003)
    alone = answer([question], 0.05)[0]
    among = answer([question, None, None], 0.05)
    assert among[0].p == alone.p
    assert alone.p is not None
    assert among[0].p_holm == pytest.approx(3 * alone.p)
    assert among[1].verdict == "inconclusive"
    assert among[1].p is None


def test_ties_everywhere_decide_nothing():
    same = estimate(np.ones((3, 20)), np.ones((3, 20)))
    for comparator in (">", "<"):
        assert answer([Question("order", comparator, 0.0, None, same)], 0.05)[0].verdict == "inconclusive"


def test_a_hundred_claims_are_corrected_together():
    found = answer([order(">", 0.0)] * 100, 0.05)
    assert {one.verdict for one in found} == {"inconclusive"}
    assert found[0].p is not None
    assert found[0].p < 0.05
    assert found[0].p_holm == 1.0
    assert answer([], 0.05) == []


@pytest.mark.parametrize(
    "question",
    [
        Question("order", "==", 0.0, None, estimate(PAIRED)),
        Question("level", ">", 0.0, None, estimate(PAIRED)),
        Question("equal", "~", -0.1, None, estimate(PAIRED)),
        Question("other", ">", 0.0, None, estimate(PAIRED)),  # type: ignore[arg-type]
    ],
)
def test_questions_that_are_none_are_refused(question):
    with pytest.raises(UsageError):
        answer([question], 0.05)
    with pytest.raises(UsageError, match="alpha"):
        answer([], 0.7)

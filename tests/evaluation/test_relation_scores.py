"""Relation scores: tables worked out by hand, and a second reading of SemEval-2010 Task 8's rules."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.evaluation.relation_scores import (
    macro_of,
    micro_of,
    relation_functions,
    relation_of,
    relation_scores,
    relation_statistics,
    relations_of,
)

LABELS = ("Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Component-Whole(e1,e2)", "Component-Whole(e2,e1)", "Other")
RELATIONS = relations_of(LABELS, "Other")


def numbers(*labels: str) -> np.ndarray[Any, Any]:
    return np.array([LABELS.index(label) for label in labels])


def test_a_table_worked_out_by_hand() -> None:
    """Cause-Effect: gold 4, said 4 (one the wrong way round), right 2. Component-Whole: gold 2, said 2, right 1."""
    ce, ec, cw, wc, other = LABELS
    gold = numbers(ce, ce, ec, ec, cw, wc, other, other)
    said = numbers(ce, ec, ec, other, cw, ce, other, cw)
    scores = relation_scores(gold, said, RELATIONS)
    cause, component = 2 * 2 / (4 + 4), 2 * 1 / (2 + 2)
    assert scores["macro_f1"] == pytest.approx((cause + component) / 2)
    assert scores["macro_precision"] == pytest.approx((2 / 4 + 1 / 2) / 2)
    assert scores["macro_recall"] == pytest.approx((2 / 4 + 1 / 2) / 2)
    assert scores["micro_f1"] == pytest.approx(2 * 3 / (6 + 6))


def test_the_wrong_direction_is_wrong_for_precision_and_recall() -> None:
    ce, ec = LABELS[:2]
    scores = relation_scores(numbers(ce, ce), numbers(ce, ec), RELATIONS)
    assert scores["macro_precision"] == scores["macro_recall"] == scores["macro_f1"] == 0.5


def test_other_is_not_averaged_but_costs_the_relations() -> None:
    ce, other = LABELS[0], LABELS[4]
    right = relation_scores(numbers(ce, other), numbers(ce, other), RELATIONS)
    assert right["macro_f1"] == 1.0
    wrong = relation_scores(numbers(ce, other), numbers(ce, ce), RELATIONS)
    assert wrong["macro_f1"] == pytest.approx(2 / 3)
    only_other = relation_scores(numbers(other), numbers(other), RELATIONS)
    assert only_other["macro_f1"] == 0.0


def test_figures_that_the_task_s_own_scorer_printed() -> None:
    """300 rows drawn from a fixed seed, given to semeval2010_task8_scorer-v1.2.pl: what it printed, to two places."""
    names = [f"{name}({way})" for name in NINE for way in ("e1,e2", "e2,e1")] + ["Other"]
    draw = np.random.default_rng(2010)
    gold = draw.integers(0, 19, 300)
    said = np.where(draw.random(300) < 0.6, gold, draw.integers(0, 19, 300))
    said = np.where(draw.random(300) < 0.1, (gold ^ 1) % 19, said)
    scores = relation_scores(gold, said, relations_of(names, "Other"))
    printed = [f"{100 * scores[f'{average}_{part}']:.2f}" for average in ("micro", "macro") for part in SCORES]
    assert printed == PRINTED


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_a_second_reading_of_the_rules_says_the_same(pairs: list[tuple[int, int]]) -> None:
    gold, said = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    scores = relation_scores(gold, said, RELATIONS)
    for average, values in confusion_reading([(LABELS[g], LABELS[s]) for g, s in pairs]).items():
        assert [scores[f"{average}_{part}"] for part in SCORES] == pytest.approx(values)


def confusion_reading(pairs: list[tuple[str, str]]) -> dict[str, list[float]]:
    """The rules as the scorer's output shows them: a confusion table of relations, with a column for wrong ways."""
    table: Counter[tuple[str, str]] = Counter()
    for gold, said in pairs:
        same = gold.split("(")[0] == said.split("(")[0]
        column = "wrong way" if same and gold != said else said.split("(")[0]
        table[gold.split("(")[0], column] += 1
    lines, sums = [], np.zeros(3)
    for name in sorted({gold.split("(")[0] for gold, _ in pairs} - {"Other"}):
        hits, wrong = table[name, name], table[name, "wrong way"]
        said_rows = sum(count for (_, column), count in table.items() if column == name) + wrong
        gold_rows = sum(count for (row, _), count in table.items() if row == name)
        lines.append(line(hits, said_rows, gold_rows))
        sums += (hits, said_rows, gold_rows)
    macro = [sum(values) / len(lines) for values in zip(*lines, strict=True)] if lines else [0.0, 0.0, 0.0]
    return {"macro": macro, "micro": line(*sums)}


def line(hits: float, said: float, gold: float) -> list[float]:
    precision, recall = hits / said if said else 0.0, hits / gold if gold else 0.0
    return [precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0]


def test_functions_of_sums_are_vectorised_and_scale_free() -> None:
    draw = np.random.default_rng(0)
    gold, said = draw.integers(0, 5, 200), draw.integers(0, 5, 200)
    sums = relation_statistics(gold, said, RELATIONS)
    halves = np.stack([sums[:100].sum(axis=0), sums[100:].sum(axis=0)])
    each = [relation_scores(gold[rows], said[rows], RELATIONS) for rows in (slice(100), slice(100, 200))]
    np.testing.assert_allclose(macro_of("f1", halves), [one["macro_f1"] for one in each])
    np.testing.assert_allclose(micro_of("recall", halves / 100), [one["micro_recall"] for one in each])
    functions = relation_functions(RELATIONS)
    assert set(functions) == {
        *(f"{average}_{part}" for average in ("macro", "micro") for part in SCORES),
        *(f"{part}:{name}" for part in SCORES for name in ("Cause-Effect", "Component-Whole")),
    }
    single = [float(functions[f"f1:{name}"](halves[0])) for name in RELATIONS.names]
    assert np.mean(single) == pytest.approx(each[0]["macro_f1"])


def test_a_relation_that_training_did_not_have_counts() -> None:
    """Its gold rows are missed rows; a gold number beyond the labels only makes its prediction wrong."""
    labels = (*LABELS, "Message-Topic(e1,e2)")
    known = relation_scores(np.array([0, 5]), np.array([0, 0]), relations_of(labels, "Other"))
    assert known["macro_f1"] == pytest.approx((2 * 1 / (2 + 1) + 0) / 2)
    beyond = relation_scores(np.array([0, 9]), np.array([0, 0]), RELATIONS)
    assert beyond["macro_precision"] == 0.5


@pytest.mark.parametrize(
    ("label", "relation"),
    [
        ("Cause-Effect(e1,e2)", "Cause-Effect"),
        ("Cause-Effect (E2, E1)", "Cause-Effect"),
        ("other", "other"),
        ("born_in", "born_in"),
        ("part(e1)", "part(e1)"),
    ],
)
def test_a_label_without_its_direction(label: str, relation: str) -> None:
    assert relation_of(label) == relation


SCORES = ("precision", "recall", "f1")
NINE = (
    "Cause-Effect",
    "Component-Whole",
    "Content-Container",
    "Entity-Destination",
    "Entity-Origin",
    "Instrument-Agency",
    "Member-Collection",
    "Message-Topic",
    "Product-Producer",
)
PRINTED = ["54.33", "54.90", "54.61", "55.83", "55.06", "55.21"]

"""Pairs of rows that share a label: which, how often, and which texts of a batch belong together."""

from __future__ import annotations

from collections import Counter
from math import comb

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.models.pair_drawing import UNCOUNTED, draw_pairs, pair_labels

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=40).map(np.asarray)
SEEDS = st.integers(0, 5)


def unordered(pairs: np.ndarray) -> Counter[tuple[int, int]]:
    return Counter(tuple(sorted(pair)) for pair in pairs.tolist())


@settings(deadline=None)
@given(LABELS, st.integers(1, 12), SEEDS)
def test_partners_share_a_label_and_rows_take_part_alike(labels: np.ndarray, rounds: int, seed: int) -> None:
    pairs = draw_pairs(labels, rounds=rounds, sampling="oversampling", seed=seed)
    assert (labels[pairs[:, 0]] == labels[pairs[:, 1]]).all()
    assert len(pairs) == rounds * len(labels)
    taken = Counter(pairs.ravel().tolist())
    assert taken == dict.fromkeys(range(len(labels)), 2 * rounds)
    alone = [label for label, count in Counter(labels.tolist()).items() if count == 1]
    assert all((first == second) == (labels[first] in alone) for first, second in pairs.tolist())


@settings(deadline=None)
@given(LABELS, st.integers(1, 12), SEEDS)
def test_unique_pairs_never_come_twice_and_are_all_there_in_the_end(labels: np.ndarray, rounds: int, seed: int) -> None:
    some = unordered(draw_pairs(labels, rounds=rounds, sampling="unique", seed=seed))
    assert set(some.values()) == {1}
    every = unordered(draw_pairs(labels, rounds=100, sampling="undersampling", seed=seed))
    sizes = Counter(labels.tolist()).values()
    assert len(every) == sum(comb(size, 2) if size > 1 else 1 for size in sizes)
    assert set(some) <= set(every)


def test_oversampling_goes_round_every_pair_before_it_repeats() -> None:
    labels = np.zeros(5, dtype=int)
    assert set(unordered(draw_pairs(labels, rounds=2, sampling="oversampling", seed=3)).values()) == {1}
    assert set(unordered(draw_pairs(labels, rounds=6, sampling="oversampling", seed=3)).values()) == {3}


def test_draws_depend_on_the_seed_alone() -> None:
    labels = np.arange(30) % 3
    one, same, other = (draw_pairs(labels, rounds=3, sampling="oversampling", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_several_labels_pair_by_each_of_them() -> None:
    having = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [0, 0]])
    pairs = unordered(draw_pairs(having, rounds=1, sampling="unique", seed=0))
    # By the first label, by the second, and the two rows that have none.
    assert set(pairs) == {(0, 1), (1, 2), (3, 4)}
    found = pair_labels(having, "oversampling", 0)
    assert {(i, j) for i in range(5) for j in range(i + 1, 5) if found[i, j] == 1} == set(pairs)


@settings(deadline=None)
@given(LABELS, SEEDS)
def test_labels_of_a_batch_say_which_belong_together(labels: np.ndarray, seed: int) -> None:
    found = pair_labels(labels, "unique", seed)
    for i in range(len(labels)):
        for j in range(len(labels)):
            assert found[i, j] == (UNCOUNTED if j <= i else int(labels[i] == labels[j]))
    under = pair_labels(labels, "undersampling", seed)
    together, apart = (found == 1).sum(), (found == 0).sum()
    assert (under == 1).sum() == together
    assert (under == 0).sum() == min(apart, max(1, together))
    np.testing.assert_array_equal(under, pair_labels(labels, "undersampling", seed))


def test_alone_with_its_label_a_row_is_its_own_partner() -> None:
    pairs = draw_pairs(np.array([0, 1, 1]), rounds=2, sampling="oversampling", seed=0)
    assert unordered(pairs) == {(0, 0): 2, (1, 2): 4}

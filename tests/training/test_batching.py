from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.training.batching import BatchPlan

lengths = st.lists(st.integers(1, 60), min_size=1, max_size=300)


def plan(sizes: list[int], **changes: object) -> BatchPlan:
    chosen = {"rows": 8, "tokens": 128, "epochs": 1.0, "accumulate": 1, "seed": 3, **changes}
    return BatchPlan(np.array(sizes), **chosen)  # type: ignore[arg-type]


@given(lengths, st.integers(1, 16), st.integers(16, 256))
@settings(max_examples=60, deadline=None)
def test_an_epoch_holds_every_feature_once_within_both_limits(sizes: list[int], rows: int, tokens: int) -> None:
    made = plan(sizes, rows=rows, tokens=tokens)
    batches = [batch for group in made.groups() for batch in group.batches]
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(sizes)))
    for batch in batches:
        padded = len(batch) * max(sizes[index] for index in batch)
        assert len(batch) <= rows
        assert padded <= tokens or len(batch) == 1


@given(lengths, st.integers(1, 4), st.floats(0.3, 3.0), st.data())
@settings(max_examples=60, deadline=None)
def test_going_on_from_any_step_gives_the_same_rest(
    sizes: list[int], accumulate: int, epochs: float, data: st.DataObject
) -> None:
    made = plan(sizes, accumulate=accumulate, epochs=epochs)
    whole = list(made.groups())
    assert len(whole) == made.steps
    start = data.draw(st.integers(0, made.steps))
    rest = list(plan(sizes, accumulate=accumulate, epochs=epochs).groups(start))
    assert [group.step for group in rest] == list(range(start, made.steps))
    for left, right in zip(whole[start:], rest, strict=True):
        assert left.epoch == right.epoch
        assert [batch.tolist() for batch in left.batches] == [batch.tolist() for batch in right.batches]


def test_orders_differ_between_epochs_and_seeds() -> None:
    sizes = [5] * 64
    orders = {
        (seed, group.epoch, tuple(group.batches[0].tolist()))
        for seed in (1, 2)
        for group in plan(sizes, seed=seed, epochs=2.0).groups()
        if group.step % 8 == 0
    }
    assert len({order for _, _, order in orders}) == 4


def test_sorting_inside_buckets_leaves_little_padding() -> None:
    sizes = np.random.default_rng(0).integers(5, 60, size=4000)
    batches = [group.batches[0] for group in plan(sizes.tolist(), rows=32, tokens=4096).groups()]
    padded = sum(len(batch) * sizes[batch].max() for batch in batches)
    assert padded / sizes.sum() < 1.05


def test_half_an_epoch_is_half_the_steps() -> None:
    assert plan([4] * 80, epochs=0.5).steps == 5
    assert plan([4] * 80, epochs=1.5).steps == 15


def test_accumulated_steps_round_up() -> None:
    made = plan([4] * 80, accumulate=4)  # 10 batches: 4 + 4 + 2
    assert [len(group.batches) for group in made.groups()] == [4, 4, 2]

"""Which items are computed together, by a clock that stands still until it is moved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provetune.serving.batcher import Batcher, BatchLimits, Entry

LIMITS = BatchLimits(tokens=100, rows=4, max_wait_s=0.002, queue=10)


def entry(tokens: int = 10, *, kind: object = None, ticket: object = None, alone: bool = False) -> Entry:
    return Entry("text", tokens, kind, ticket or object(), 0, alone=alone)


def test_one_caller_alone_never_waits() -> None:
    batcher = Batcher(LIMITS)
    for moment in (0.0, 5.0):
        batcher.put([entry()], moment)
        assert batcher.wait(moment) == 0.0
        assert len(batcher.take()) == 1
    assert batcher.wait(9.0) is None
    assert batcher.take() == []


def test_after_a_batch_of_three_callers_the_next_waits_for_as_many_but_not_longer_than_said() -> None:
    batcher = Batcher(LIMITS)
    for _ in range(3):
        batcher.put([entry()], 0.0)
    assert len(batcher.take()) == 3
    batcher.put([entry()], 1.0)
    assert abs(batcher.wait(1.0) - 0.002) < 1e-9
    assert abs(batcher.wait(1.0015) - 0.0005) < 1e-9
    assert batcher.wait(1.0021) == 0.0
    batcher.put([entry()], 1.001)
    batcher.put([entry()], 1.001)
    assert batcher.wait(1.001) == 0.0
    assert len(batcher.take()) == 3


def test_rows_are_limited_not_requests() -> None:
    batcher = Batcher(BatchLimits(10_000, 4, 0.002, 100))
    one, other = object(), object()
    batcher.put([entry(1, ticket=one) for _ in range(6)], 0.0)
    batcher.put([entry(1, ticket=other) for _ in range(3)], 0.0)
    sizes = []
    while batch := batcher.take():
        sizes.append(len(batch))
    assert sizes == [4, 4, 1]


def test_tokens_are_limited_and_an_item_too_large_for_company_goes_alone() -> None:
    batcher = Batcher(LIMITS)
    for tokens in (60, 50, 40, 10, 250, 5):
        batcher.put([entry(tokens)], 0.0)
    taken = []
    while batch := batcher.take():
        taken.append([each.tokens for each in batch])
    assert taken == [[60], [50, 40, 10], [250], [5]]
    assert (batcher.rows, batcher.tokens) == (0, 0)


def test_items_of_one_kind_go_together_and_none_is_passed_for_ever() -> None:
    batcher = Batcher(LIMITS)
    for kind in ("a", "b", "a", "b", "a"):
        batcher.put([entry(kind=kind)], 0.0)
    taken = []
    while batch := batcher.take():
        taken.append([each.kind for each in batch])
    assert taken == [["a", "a", "a"], ["b", "b"]]


def test_a_streamed_item_is_a_batch_of_its_own() -> None:
    batcher = Batcher(LIMITS)
    for alone in (True, True, False, True):
        batcher.put([entry(kind="s", alone=alone)], 0.0)
    sizes = [len(batcher.take()) for _ in range(4)]
    assert sizes == [1, 1, 1, 1]
    assert batcher.take() == []


def test_dropped_items_leave_the_queue_and_its_bound_at_once() -> None:
    batcher = Batcher(LIMITS)
    mine = [entry() for _ in range(8)]
    batcher.put(mine, 0.0)
    assert not batcher.has_room(3)
    assert batcher.drop(mine[1:]) == 7
    assert batcher.has_room(9)
    assert batcher.drop(mine[1:]) == 0
    assert batcher.take() == [mine[0]]
    assert batcher.drop(mine) == 0
    assert batcher.rows == 0


def test_where_the_machine_is_slow_batches_get_fewer_tokens() -> None:
    batcher = Batcher(LIMITS)
    batcher.batch_tokens = 25
    for _ in range(4):
        batcher.put([entry()], 0.0)
    assert [len(batcher.take()) for _ in range(2)] == [2, 2]


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "take", "drop"]), st.integers(1, 6), st.integers(1, 120), st.integers(0, 2)),
        max_size=60,
    )
)
def test_nothing_is_lost_doubled_or_over_a_limit(steps: list[tuple[str, int, int, int]]) -> None:
    batcher = Batcher(LIMITS)
    waiting: dict[int, Entry] = {}
    for what, count, tokens, kind in steps:
        if what == "put":
            entries = [entry(tokens, kind=kind) for _ in range(count)]
            batcher.put(entries, 0.0)
            waiting |= {id(each): each for each in entries}
        elif what == "drop" and waiting:
            gone = list(waiting.values())[:count]
            assert batcher.drop(gone) == len(gone)
            for each in gone:
                del waiting[id(each)]
        else:
            batch = batcher.take()
            assert len(batch) <= LIMITS.rows
            assert len(batch) == 1 or sum(each.tokens for each in batch) <= LIMITS.tokens
            assert len({each.kind for each in batch}) <= 1
            for each in batch:
                del waiting[id(each)]
        assert batcher.rows == len(waiting)
        assert batcher.tokens == sum(each.tokens for each in waiting.values())
    while batch := batcher.take():
        for each in batch:
            del waiting[id(each)]
    assert not waiting

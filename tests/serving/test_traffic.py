"""Shares of traffic."""

from __future__ import annotations

from math import sqrt

import pytest

from provetune.serving.traffic import falls_in

BODIES = [f'{{"input": "message number {number}"}}'.encode() for number in range(4000)]


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5, 0.9])
def test_a_share_is_met_as_if_drawn(share: float) -> None:
    found = sum(falls_in(share, body) for body in BODIES) / len(BODIES)
    assert abs(found - share) < 4 * sqrt(share * (1 - share) / len(BODIES))


def test_the_same_request_falls_on_the_same_side_and_larger_shares_hold_smaller_ones() -> None:
    small = {body for body in BODIES if falls_in(0.1, body)}
    assert small == {body for body in BODIES if falls_in(0.1, body)}
    assert small < {body for body in BODIES if falls_in(0.3, body)}


def test_nothing_and_all() -> None:
    assert not any(falls_in(0.0, body) for body in BODIES[:100])
    assert all(falls_in(1.0, body) for body in BODIES[:100])


def test_two_salts_draw_independently() -> None:
    one = {body for body in BODIES if falls_in(0.5, body)}
    other = {body for body in BODIES if falls_in(0.5, body, 1)}
    assert abs(len(one & other) / len(BODIES) - 0.25) < 4 * sqrt(0.25 * 0.75 / len(BODIES))

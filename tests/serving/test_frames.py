"""Frames between server and worker."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.serving.frames import BrokenFrame, Cutter, decode, encode, encode_row, read_frame

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(), lambda each: st.lists(each, max_size=3)
)


@given(st.lists(st.lists(JSON, max_size=4), min_size=1, max_size=4), st.integers(1, 7))
def test_frames_come_out_as_they_went_in_however_they_are_cut(frames: list[list[object]], step: int) -> None:
    stream = b"".join(encode({"op": "x", "id": k}, [encode_row(row) for row in rows]) for k, rows in enumerate(frames))
    cutter = Cutter()
    found = [body for at in range(0, len(stream), step) for body in cutter.feed(stream[at : at + step])]
    told = [decode(body) for body in found]
    assert [head["id"] for head, _ in told] == list(range(len(frames)))
    # A lone half of a character comes back as it was given.
    assert [[json.loads(row) for row in rows] for _, rows in told] == frames


def test_a_row_is_one_line_and_holds_no_number_that_json_has_not() -> None:
    assert encode_row({"text": "a\nb"}) == b'{"text":"a\\nb"}'
    assert json.loads(encode_row({"score": float("nan"), "more": [float("inf"), 1.5]})) == {
        "score": None,
        "more": [None, 1.5],
    }


def test_a_stream_that_ends_within_a_frame_is_told_from_one_that_ends() -> None:
    whole = encode({"op": "x"})
    stream = io.BytesIO(whole)
    assert decode(read_frame(lambda count: stream.read(min(count, 3))) or b"")[0] == {"op": "x"}
    assert read_frame(stream.read) is None
    with pytest.raises(BrokenFrame, match="within"):
        read_frame(io.BytesIO(whole[:-1]).read)
    with pytest.raises(BrokenFrame, match="within"):
        read_frame(io.BytesIO(whole[:3]).read)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(BrokenFrame):
        list(Cutter(most_bytes=10).feed(b"\xff\xff\xff\xff"))
    with pytest.raises(BrokenFrame):
        decode(b"[1]")
    with pytest.raises(BrokenFrame):
        decode(b"no json")

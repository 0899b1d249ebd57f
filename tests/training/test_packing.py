"""Packed batches: what each place has to say next, and that nothing is learned across a seam."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from provetune.training.packing import IGNORED, pack_texts, text_numbers, under_prefix


def test_labels_are_the_next_tokens_of_the_same_text() -> None:
    batch = pack_texts([[5, 6, 7], [8, 9]], [[0, 1, 2], [2, 2]])
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9]]
    assert batch["lengths"].tolist() == [3, 2]
    # The 8 begins a text: nobody says it, though it is marked.
    assert batch["labels"].tolist() == [[6, 7, IGNORED, 9, IGNORED]]
    assert batch["whose"].tolist() == [[1, 2, 0, 2, 0]]


def test_texts_are_told_by_number() -> None:
    batch = pack_texts([[5, 6, 7], [8, 9]], [[0, 1, 1], [0, 1]])
    wanted = batch["labels"][0] != IGNORED
    assert text_numbers(batch["lengths"], wanted).tolist() == [0, 0, 1]
    # Padding after the texts belongs to none.
    wide = torch.nn.functional.pad(wanted, (0, 3))
    assert text_numbers(batch["lengths"], wide).tolist() == [0, 0, 1]


def test_a_part_of_a_batch_by_its_prefix() -> None:
    batch = {**pack_texts([[1]], [[0]]), **pack_texts([[2, 3]], [[0, 1]], "rejected_")}
    assert set(under_prefix(batch, "rejected_")) == {"input_ids", "labels", "whose", "lengths"}
    assert under_prefix(batch, "rejected_")["labels"].tolist() == [[3, IGNORED]]


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 2)), min_size=1, max_size=8), min_size=1, max_size=6)
)
def test_every_marked_token_but_the_first_is_learned_once(texts: list[list[tuple[int, int]]]) -> None:
    ids, whose = [[token for token, _ in text] for text in texts], [[code for _, code in text] for text in texts]
    batch = pack_texts(ids, whose)
    learned = batch["labels"][0][batch["labels"][0] != IGNORED].tolist()
    assert learned == [token for text in texts for token, code in text[1:] if code]
    assert int((batch["whose"] > 0).sum()) == len(learned)
    assert np.concatenate(ids).tolist() == batch["input_ids"][0].tolist()

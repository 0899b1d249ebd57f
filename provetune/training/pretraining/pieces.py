"""Texts as tokens, cut into pieces that the model can take."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.training.pretraining.words import FindWords, word_numbers

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_CHUNK = 2_000


class TextPieces:
    """Pieces of texts, as the training loop takes features.

    Args:
        ids: tokens of each piece, int32.
        words: word of each of these tokens.
        rows: number of the text that each piece was cut from, (F,).
    """

    def __init__(self, ids: Sequence[Array], words: Sequence[Array], rows: Sequence[int]) -> None:
        self.ids, self.words = list(ids), list(words)
        self._rows: Array = np.asarray(rows, dtype=np.int64)
        self._lengths: Array = np.asarray([len(piece) for piece in ids], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Array:
        return self._lengths

    @property
    def rows(self) -> Array:
        return self._rows

    def take(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """One mapping a piece: its ``input_ids`` and its ``words``."""
        return [{"input_ids": self.ids[index], "words": self.words[index]} for index in indices]


def cut_texts(
    texts: Sequence[str],
    tokenizer: Any,
    max_length: int,
    *,
    find: FindWords | None = None,
    first_only: bool = False,
    ending: int | None = None,
) -> TextPieces:
    """Texts cut into pieces of `max_length` tokens at most, the tokenizer's special ones around each.

    Args:
        find: tells words in a text.
        first_only: one piece a text, of its beginning.
        ending: token that is put after a text's last piece.
    """
    # What the tokenizer puts around a text, which each piece gets: found by asking it for nothing.
    before, after = _around(tokenizer)
    room = max(1, max_length - len(before) - len(after) - (ending is not None))
    ids: list[Array] = []
    words: list[Array] = []
    rows: list[int] = []
    stream = iter(enumerate(texts))
    while chunk := list(islice(stream, _CHUNK)):
        encoded = tokenizer([text for _, text in chunk], add_special_tokens=False, verbose=False).encodings
        for (row, text), encoding in zip(chunk, encoded, strict=True):
            tokens = np.asarray(encoding.ids, dtype=np.int32)
            numbers = word_numbers(encoding, text, find)
            for start in range(0, len(tokens), room):
                last = start + room >= len(tokens)
                tail = [*after, *([ending] if ending is not None and last else [])]
                ids.append(np.asarray([*before, *tokens[start : start + room], *tail], dtype=np.int32))
                around = [-1] * len(before), [-1] * len(tail)
                words.append(np.asarray([*around[0], *numbers[start : start + room], *around[1]], dtype=np.int32))
                rows.append(row)
                if first_only:
                    break
    return TextPieces(ids, words, rows)


def pad_pieces(pieces: Sequence[Any], pad: int) -> Array:
    """Numbers of B pieces in rows of one length, int64 (B, T)."""
    width = max(len(piece) for piece in pieces)
    padded = np.full((len(pieces), width), pad, dtype=np.int64)
    for row, piece in enumerate(pieces):
        padded[row, : len(piece)] = piece
    return padded


def _around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Special tokens before and after a text."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    start = next((at for at in range(len(whole)) if whole[at : at + len(plain)] == plain), 0)
    return whole[:start], whole[start + len(plain) :]

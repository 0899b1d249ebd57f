"""Which tokens make a word together: the tokenizer's own words, or those that jieba finds in Chinese."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from provetune.core.errors import EnvironmentFault

if TYPE_CHECKING:
    from provetune.core.protocols import Array

NO_WORD = -1
FindWords: TypeAlias = Callable[[str], Sequence[tuple[int, int]]]
"""A text to its words, by where each begins and ends, in letters."""


def jieba_words() -> FindWords:
    """jieba's words.

    Raises:
        EnvironmentFault: the package is not installed.
    """
    try:
        with warnings.catch_warnings():
            # Its strings have escapes that newer Pythons warn of, and it asks setuptools where its dictionary lies.
            warnings.simplefilter("ignore")
            import jieba
    except ImportError as error:
        raise EnvironmentFault(
            "Masking whole Chinese words needs the package 'jieba'.", hint="Install it: pip install 'provetune[zh]'."
        ) from error
    jieba.setLogLevel(60)
    segmenter = jieba.Tokenizer()

    def find(text: str) -> list[tuple[int, int]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [(start, end) for _, start, end in segmenter.tokenize(text)]

    return find


def word_numbers(encoding: Any, text: str, find: FindWords | None) -> Array:
    """The word of each token, int32 (T,); -1 for tokens that are none of the text.

    Args:
        encoding: of the ``tokenizers`` package, with ``word_ids`` and ``offsets``.
        find: tells words; the tokenizer's own when left out.
    """
    own = np.asarray([NO_WORD if word is None else word for word in encoding.word_ids], dtype=np.int32)
    if find is None or not text:
        return own
    of_letter = np.zeros(len(text) + 1, dtype=np.int32)
    for number, (start, end) in enumerate(find(text)):
        of_letter[start:end] = number
    starts = np.asarray([start for start, _ in encoding.offsets], dtype=np.int64)
    numbers: Array = np.where(own == NO_WORD, NO_WORD, of_letter[starts]).astype(np.int32)
    return numbers

"""Texts to the words that ROUGE compares.

English: lower case, runs of a–z and 0–9, as Lin's original script and the rouge-score package have it. Chinese and
Japanese: every character by itself, other letters in runs. Every other language: runs of letters and digits, accents
kept, which the English rule would cut words at.
"""

from __future__ import annotations

import re

BY_CHARACTER = frozenset({"zh", "ja"})
_ENGLISH = re.compile(r"[a-z0-9]+")
_ANY = re.compile(r"[^\W_]+")
_ONE_EACH = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_DENSE = re.compile(rf"[{_ONE_EACH}]|[^\W_{_ONE_EACH}]+")


def words_of(text: str, language: str = "und") -> list[str]:
    """The words of a text in a language (ISO code), lower case, punctuation left out."""
    lower = text.lower()
    if language == "en":
        return _ENGLISH.findall(lower)
    return (_DENSE if language in BY_CHARACTER else _ANY).findall(lower)

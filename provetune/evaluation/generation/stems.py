"""Stemmers by language: Porter's for English, Snowball's for the languages that have one."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from provetune.evaluation.generation import porter

_SNOWBALL = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hi": "hindi",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}


def stemmer_for(language: str) -> Callable[[str], str] | None:
    """A function from a word to its stem, or None for a language (ISO code) without a stemmer."""
    if language == "en":
        return porter.stem
    return _snowball(_SNOWBALL[language]) if language in _SNOWBALL else None


@lru_cache
def _snowball(name: str) -> Callable[[str], str]:
    import snowballstemmer

    algorithm = snowballstemmer.stemmer(name)

    @lru_cache(maxsize=1 << 16)
    def stem(word: str) -> str:
        return str(algorithm.stemWord(word.lower()))

    return stem

"""Porter's stemmer for English (Porter 1980, Program 14.3), with the amendments that NLTK makes to it.

ROUGE and METEOR are defined with it, and published numbers come from NLTK's form. NLTK itself is not needed for these
two pages of rules; a test compares the two on every word of large texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

_Rule: TypeAlias = tuple[str, str, Callable[[str], bool]]

_IRREGULAR = {
    inflected: base
    for base, forms in (
        ("sky", "sky skies"),
        ("die", "dying"),
        ("lie", "lying"),
        ("tie", "tying"),
        ("inning", "inning innings"),
        ("outing", "outing outings"),
        ("canning", "canning cannings"),
        *((word, word) for word in ("news", "howe", "proceed", "exceed", "succeed")),
    )
    for inflected in forms.split()
}
_VOWELS = frozenset("aeiou")


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The stem of an English word, in lower case."""
    lower = word.lower()
    if lower in _IRREGULAR:
        return _IRREGULAR[lower]
    if len(lower) <= 2:
        return lower
    for step in (_plural, _past, _final_y, _double_suffix, _suffix, _ending, _final_e, _double_l):
        lower = step(lower)
    return lower


def _consonants(word: str) -> list[bool]:
    """Which letters are consonants: all but a, e, i, o, u, and a y after a consonant."""
    found: list[bool] = []
    for letter in word:
        found.append(not found[-1] if letter == "y" and found else letter not in _VOWELS)
    return found


def _measure(word: str) -> int:
    """How often a vowel is followed by a consonant: Porter's m."""
    found = _consonants(word)
    return sum(not before and after for before, after in pairwise(found))


def _measure_over(least: int) -> Callable[[str], bool]:
    return lambda rest: _measure(rest) > least


_SOME, _SEVERAL = _measure_over(0), _measure_over(1)


def _has_vowel(word: str) -> bool:
    return not all(_consonants(word))


def _ends_short(word: str) -> bool:
    """Whether it ends consonant, vowel, consonant other than w, x, y; or is a vowel and a consonant."""
    found = _consonants(word)
    if len(word) == 2:
        return found == [False, True]
    return len(word) > 2 and found[-3:] == [True, False, True] and word[-1] not in "wxy"


def _apply(word: str, rules: Sequence[_Rule]) -> str:
    """The first rule whose ending fits decides, also when its condition then says no."""
    for ending, replacement, condition in rules:
        if word.endswith(ending):
            rest = word.removesuffix(ending)
            return rest + replacement if condition(rest) else word
    return word


def _plural(word: str) -> str:
    if word.endswith("ies") and len(word) == 4:
        return word[:-1]
    for ending, replacement in (("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")):
        if word.endswith(ending):
            return word.removesuffix(ending) + replacement
    return word


def _past(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    ending = next((each for each in ("ed", "ing") if word.endswith(each) and _has_vowel(word.removesuffix(each))), None)
    return word if ending is None else _mend(word.removesuffix(ending))


def _mend(rest: str) -> str:
    """What is left after -ed or -ing, made a word again: hopp → hop, fil → file."""
    if rest.endswith(("at", "bl", "iz")):
        return rest + "e"
    if len(rest) >= 2 and rest[-1] == rest[-2] and _consonants(rest)[-1]:
        return rest if rest[-1] in "lsz" else rest[:-1]
    return rest + "e" if _measure(rest) == 1 and _ends_short(rest) else rest


def _final_y(word: str) -> str:
    return _apply(word, [("y", "i", lambda rest: len(rest) > 1 and _consonants(rest)[-1])])


def _double_suffix(word: str) -> str:
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _double_suffix(word[:-2])
    return _apply(word, _DOUBLE_SUFFIXES)


def _suffix(word: str) -> str:
    return _apply(word, _SUFFIXES)


def _ending(word: str) -> str:
    return _apply(word, _ENDINGS)


def _final_e(word: str) -> str:
    if not word.endswith("e"):
        return word
    rest = word[:-1]
    measure = _measure(rest)
    return rest if measure > 1 or (measure == 1 and not _ends_short(rest)) else word


def _double_l(word: str) -> str:
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word


def _pairs(text: str, condition: Callable[[str], bool]) -> list[_Rule]:
    """Rules written "ending:replacement ending:replacement …"."""
    parts = (rule.partition(":") for rule in text.split())
    return [(ending, replacement, condition) for ending, _, replacement in parts]


_DOUBLE_SUFFIXES: list[_Rule] = [
    *_pairs("ational:ate tional:tion enci:ence anci:ance izer:ize bli:ble alli:al entli:ent eli:e ousli:ous", _SOME),
    *_pairs("ization:ize ation:ate ator:ate alism:al iveness:ive fulness:ful ousness:ous aliti:al", _SOME),
    *_pairs("iviti:ive biliti:ble fulli:ful", _SOME),
    ("logi", "log", lambda rest: _measure(rest + "l") > 0),
]
_SUFFIXES = _pairs("icate:ic ative: alize:al iciti:ic ical:ic ful: ness:", _SOME)
_ENDINGS: list[_Rule] = [
    *_pairs("al: ance: ence: er: ic: able: ible: ant: ement: ment: ent:", _SEVERAL),
    ("ion", "", lambda rest: _measure(rest) > 1 and rest[-1] in "st"),
    *_pairs("ou: ism: ate: iti: ous: ive: ize:", _SEVERAL),
]

"""The same request as somebody else would type it: with typos, or with other words. English.

What is made of a text depends on the text and the kind alone, so every model is asked the same. Synonyms come of the
list below, written for everyday requests and not taken from a lexicon: words that decide what is asked for ("card",
"balance", "translate") are not in it, so that the label stays right.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
TYPO_SHARE = 0.2
"""Of the words with at least four letters, those that are mistyped; one a text at least."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "about": ("regarding", "concerning"),
    "afraid": ("worried",),
    "also": ("too",),
    "answer": ("reply",),
    "ask": ("inquire",),
    "bad": ("poor", "awful"),
    "begin": ("start",),
    "best": ("finest", "top"),
    "big": ("large", "huge"),
    "buy": ("purchase", "get"),
    "can": ("could",),
    "cheap": ("inexpensive",),
    "check": ("look at", "verify"),
    "could": ("can",),
    "currently": ("right now", "at present"),
    "describe": ("explain",),
    "difficult": ("hard",),
    "easy": ("simple",),
    "exactly": ("precisely",),
    "explain": ("describe",),
    "fast": ("quickly",),
    "find": ("locate", "look up"),
    "fix": ("repair",),
    "get": ("obtain", "receive"),
    "give": ("hand", "provide"),
    "good": ("decent", "fine"),
    "great": ("wonderful", "excellent"),
    "happen": ("occur",),
    "hard": ("difficult",),
    "help": ("assist", "aid"),
    "hey": ("hi", "hello"),
    "hi": ("hello", "hey"),
    "kind": ("sort", "type"),
    "know": ("find out", "learn"),
    "look": ("search",),
    "many": ("numerous",),
    "may": ("might",),
    "mean": ("signify",),
    "might": ("may",),
    "need": ("require", "want"),
    "now": ("at the moment", "presently"),
    "often": ("frequently",),
    "place": ("spot", "location"),
    "please": ("kindly",),
    "possible": ("feasible",),
    "problem": ("trouble", "issue"),
    "quick": ("fast", "speedy"),
    "really": ("truly",),
    "reason": ("cause",),
    "say": ("utter", "express"),
    "see": ("view",),
    "show": ("display", "present"),
    "sort": ("kind",),
    "start": ("begin",),
    "stop": ("halt", "quit"),
    "take": ("grab",),
    "tell": ("inform",),
    "thanks": ("thank you",),
    "think": ("believe", "reckon"),
    "today": ("this day",),
    "try": ("attempt",),
    "use": ("utilise", "employ"),
    "want": ("wish", "desire"),
    "way": ("method",),
    "whole": ("entire",),
}

_WORD = re.compile(r"[A-Za-z]+")


def with_typos(text: str) -> str:
    """Some words with a neighbouring key, two letters swapped, one lost or one doubled."""
    draw = random.Random(f"typos|{text}")
    places = [match.span() for match in _WORD.finditer(text) if match.end() - match.start() >= 4]
    if not places:
        return text
    hit = [place for place in places if draw.random() < TYPO_SHARE] or [draw.choice(places)]
    for start, end in reversed(hit):
        text = text[:start] + mistype(text[start:end], draw) + text[end:]
    return text


def mistype(word: str, draw: random.Random) -> str:
    """One slip of a word with at least three letters, after its first one."""
    at = draw.randrange(1, len(word) - 1)
    slip = draw.choice(("neighbour", "swap", "lose", "double"))
    if slip == "swap":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if slip == "lose":
        return word[:at] + word[at + 1 :]
    if slip == "double":
        return word[: at + 1] + word[at:]
    return word[:at] + draw.choice(neighbours(word[at])) + word[at + 1 :]


def neighbours(letter: str) -> list[str]:
    """Keys beside, above and below a letter's, in its case; the letter itself where it has no key."""
    for row, keys in enumerate(KEYBOARD):
        column = keys.find(letter.lower())
        if column >= 0:
            near = [(row, column - 1), (row, column + 1), (row - 1, column), (row - 1, column + 1)]
            near += [(row + 1, column - 1), (row + 1, column)]
            found = [KEYBOARD[r][c] for r, c in near if 0 <= r < len(KEYBOARD) and 0 <= c < len(KEYBOARD[r])]
            return [key.upper() if letter.isupper() else key for key in found]
    return [letter]


def with_synonyms(text: str) -> str:
    """Every word that the list knows, by another one of it."""
    draw = random.Random(f"synonyms|{text}")

    def other(match: re.Match[str]) -> str:
        known = SYNONYMS.get(match.group().lower())
        return match.group() if known is None else draw.choice(known)

    return _WORD.sub(other, text)


PERTURBED: dict[str, Callable[[str], str]] = {
    "clean": lambda text: text,
    "typos": with_typos,
    "synonyms": with_synonyms,
    "both": lambda text: with_typos(with_synonyms(text)),
}
"""Kinds of texts that models are asked."""

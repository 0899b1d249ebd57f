"""Words as the Penn Treebank splits them (MacIntyre's rules of 1995, with NLTK's additions): one sentence, lower case.

Punctuation stands alone, numbers keep the commas and points inside them, only the last full stop is one, clitics are
words (``do n't``, ``it 's``), straight double quotes become ```` `` ```` and ``''``. What each step leaves is what the
next one reads: their order is part of the rules.
"""

from __future__ import annotations

import re

_OPENING = (
    (re.compile("[«“‘„]|`+"), r" \g<0> "),
    (re.compile('^"'), " `` "),
    (re.compile(r"(?<=[ (\[{<])(?:\"|'')"), " `` "),
    (re.compile(r"(?<!\w)'(?!(?:re|ve|ll|[mtsdn])\b)(?=\w)"), "' "),
)
_PUNCTUATION = (
    # The last full stop, closing brackets and quotes behind it left out of account.
    (re.compile(r"(?<=[^.])\.(?=[\])}>\"' »”’]*\s*$)"), " . "),
    (re.compile(r"([:,])(\D)"), r" \1 \2"),
    (re.compile(r"[:,]$"), r" \g<0> "),
    (re.compile(r"\.{2,}|[;@#$%&?!*‒–—―]"), r" \g<0> "),
    (re.compile(r"(?<=[^'])' "), " ' "),
    (re.compile(r"[\]\[(){}<>]"), r" \g<0> "),
    (re.compile("--"), " -- "),
)
_CLOSING = (
    (re.compile("[»”’]"), r" \g<0> "),
    (re.compile("''|\""), " '' "),
    (re.compile(r"\s+"), " "),
    (re.compile(r"(?<=[^' ])'[smd]?(?= )"), r" \g<0>"),
    (re.compile(r"(?<=[^' ])(?:'ll|'re|'ve|n't)(?= )"), r" \g<0>"),
)
_TWO_WORDS = (
    re.compile(
        r"\b(can)(not)\b|\b(d)('ye)\b|\b(gim|lem)(me)\b|\b(gon)(na)\b|\b(got)(ta)\b|\b(more)('n)\b|\b(wan)(na)(?=\s)"
    ),
    re.compile(r"(?<= )('t)(is|was)\b"),
)


def treebank_words(text: str) -> list[str]:
    """The words and punctuation marks of a sentence in lower case."""
    for pattern, instead in (*_OPENING, *_PUNCTUATION):
        text = pattern.sub(instead, text)
    text = f" {text} "
    for pattern, instead in _CLOSING:
        text = pattern.sub(instead, text)
    for pattern in _TWO_WORDS:
        text = pattern.sub(_apart, text)
    return text.split()


def _apart(match: re.Match[str]) -> str:
    return " " + " ".join(part for part in match.groups() if part) + " "

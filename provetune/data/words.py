"""Where the words of a text are: the units that a tagger gives tags to.

They are cut as BERT's own first step cuts, or finer, so that pieces of its vocabulary do not cross them: a word is a
run of letters and digits; every sign stands alone, and so does each letter of a script that writes no spaces (Chinese,
Japanese kana, Thai, Lao, Burmese, Khmer), with the marks that belong to it. Only a web address is coarser: it is one
word, since no name begins within it and what looks like one there (``/r/ireland/``) is none.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
    r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
"""Letters that are units of their own."""
_CHINESE = re.compile(r"[\u2e80-\u303f\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]")
_ADDRESS = r"(?i:https?://|www\.)[!#-'*-;=?-Z_a-z~]*[A-Za-z0-9/]"
"""A web address up to a bracket or a quotation mark, without the signs that end the sentence around it."""
_SINGLE_SHARE = 0.95


def find_words(text: str) -> list[tuple[int, int]]:
    """Start and end of every word, in order; what lies between them is white space."""
    return [match.span() for match in _pattern().finditer(text)]


def has_unspaced(text: str) -> bool:
    """Whether a text has letters of a script without spaces."""
    return _unspaced().search(text) is not None


def find_stretches(text: str) -> list[tuple[int, int]]:
    """The text cut at white space and around each letter of a script without spaces.

    For tokenizers whose pieces run over several such letters (SentencePiece): cut so, a span can begin at each.
    """
    return [match.span() for match in _stretches().finditer(text)]


def join_tokens(tokens: list[str], *, single: bool) -> tuple[str, list[tuple[int, int]]]:
    """The text of tokens that a file has one by one, and where each of them is in it.

    Args:
        single: whether the tokens are single letters of Chinese, which nothing stands between. Otherwise a space does,
            except beside a Chinese letter or sign.
    """
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    at = 0
    before = ""
    for token in tokens:
        if before and not single and not (_CHINESE.match(before[-1]) or _CHINESE.match(token[:1])):
            parts.append(" ")
            at += 1
        parts.append(token)
        places.append((at, at + len(token)))
        at += len(token)
        before = token or before
    return "".join(parts), places


def are_single_letters(rows: list[list[str]]) -> bool:
    """Whether tokens are the single letters of Chinese texts: one letter each, nearly all, some of them Chinese."""
    count = sum(map(len, rows))
    single = sum(len(token) == 1 for tokens in rows for token in tokens)
    if count == 0 or single < _SINGLE_SHARE * count:
        return False
    return any(_CHINESE.match(token) for tokens in rows for token in tokens)


@cache
def _pattern() -> re.Pattern[str]:
    marks = _marks()
    letter = rf"(?:(?![{_UNSPACED}])[^\W_][{marks}]*)"
    # An address ends before other letters only if those stand alone: pieces would run across its end.
    return re.compile(rf"{_ADDRESS}(?!{letter}|[{marks}])|[{_UNSPACED}][{marks}]*|{letter}+|\S")


@cache
def _unspaced() -> re.Pattern[str]:
    return re.compile(f"[{_UNSPACED}]")


@cache
def _stretches() -> re.Pattern[str]:
    return re.compile(rf"[{_UNSPACED}][{_marks()}]*|(?:(?![{_UNSPACED}])\S)+")


@cache
def _marks() -> str:
    """A character class of all combining marks of the Basic Multilingual Plane, as ranges."""
    codes = [code for code in range(0x300, 0x10000) if unicodedata.category(chr(code)).startswith("M")]
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in ranges)

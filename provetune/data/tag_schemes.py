"""Tags of tokens into spans and back: BIO (also called IOB2), IOB1, IO, BIOES, BILOU, BMES, and plain labels.

Inside, a tag is a prefix of B, I, E, S or O and a label: M and L, U and W are other letters for I and E, S and S. A tag
that is a prefix alone, as in word segmentation, has the label ``"_"``. Spans count tokens: (start, end, label), the end
is the first token behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

Scheme: TypeAlias = Literal["BIO", "IOB1", "IO", "BIOES", "BILOU", "BMES", "plain"]
Span: TypeAlias = tuple[int, int, str]

OUTSIDE = "O"
UNNAMED = "_"
_LEAST_ENDS = 0.2
_LETTERS = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
_WRITTEN = {
    "BIO": "BIIB",
    "IO": "IIII",
    "BIOES": "BIES",
    "BILOU": "BILU",
    "BMES": "BMES",
}
"""The letters of each scheme for the first, the middle, the last and the only token of a span."""
_USED = {"BIO": "BI", "IOB1": "BI", "IO": "I", "BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES"}


@lru_cache(maxsize=4096)
def parse_tag(tag: str) -> tuple[str, str] | None:
    """A tag's prefix (B, I, E, S or O) and its label, or None where it has no known prefix."""
    if tag in ("", OUTSIDE):
        return (OUTSIDE, "") if tag else None
    prefix = _LETTERS.get(tag[0])
    if prefix is None:
        return None
    if len(tag) == 1:
        return prefix, UNNAMED
    return (prefix, tag[2:] or UNNAMED) if tag[1] in "-_" else None


def find_scheme(sequences: Iterable[Sequence[str]]) -> Scheme:
    """The scheme that tags are written in, by the letters that occur and by how spans begin.

    A few wrong letters make no other scheme: where spans are ended by a tag of their own (E, L, S, U, W), there are
    about as many of these as of those that begin one.
    """
    letters: Counter[str] = Counter()
    known = unknown = began = continued = 0
    for tags in sequences:
        before = OUTSIDE
        for tag in tags:
            parsed = parse_tag(tag)
            known += parsed is not None
            unknown += parsed is None
            if parsed is not None and tag != OUTSIDE:
                letters[tag[0]] += 1
                if before == OUTSIDE:
                    began += parsed[0] == "B"
                    continued += parsed[0] == "I"
            before = tag
    if unknown > known:
        return "plain"
    ends, begins = (sum(letters[one] for one in those) for those in ("ELSUW", "BSUW"))
    if ends and ends >= _LEAST_ENDS * begins:
        if letters["L"] + letters["U"] > letters["E"] + letters["S"] + letters["W"]:
            return "BILOU"
        return "BMES" if letters["M"] > letters["I"] else "BIOES"
    if letters["M"] > letters["I"]:
        return "BMES"
    if not letters["B"]:
        return "IO" if letters else "BIO"
    return "IOB1" if continued > began else "BIO"


def spans_of_tags(tags: Sequence[str], scheme: Scheme = "BIO") -> list[Span]:
    """The spans that tags mean, taken generously as `conlleval` does: a broken sequence still gives spans.

    A span begins at B and S, after E and S, and where the label changes or follows O. In the scheme ``"plain"`` each
    token with another tag than O is a span. A tag without a known prefix is outside.
    """
    if scheme == "plain":
        return [(k, k + 1, tag) for k, tag in enumerate(tags) if tag != OUTSIDE]
    spans: list[Span] = []
    start, open_label, before = 0, "", OUTSIDE
    for k, tag in enumerate([*tags, OUTSIDE]):
        prefix, label = parse_tag(tag) or (OUTSIDE, "")
        continues = prefix in "IE" and before in "BI" and label == open_label
        if not continues:
            if before != OUTSIDE:
                spans.append((start, k, open_label))
            start, open_label = k, label
        before = prefix
    return spans


def strict_spans(tags: Sequence[str], scheme: Scheme) -> list[Span]:
    """The spans that are written without a fault, as seqeval's strict mode has them; others do not count.

    Raises:
        ValueError: the scheme has no strict reading (``"IO"``, ``"plain"``).
    """
    if scheme not in ("BIO", "IOB1", "BIOES", "BILOU", "BMES"):
        raise ValueError(f"The scheme must be BIO, IOB1, BIOES, BILOU or BMES. Got {scheme!r} instead.")
    parsed = [parse_tag(tag) or (OUTSIDE, "") for tag in tags] + [(OUTSIDE, "")]
    ended = scheme in ("BIOES", "BILOU", "BMES")
    spans: list[Span] = []
    k, before = 0, (OUTSIDE, "")
    while k < len(tags):
        if not _starts(before, parsed[k], scheme):
            before = parsed[k]
            k += 1
            continue
        end = k + 1
        while parsed[end - 1][0] in "BI" and parsed[end][0] in "IE" and parsed[end][1] == parsed[k][1]:
            end += 1
        if _is_whole(parsed[end - 1], parsed[end], scheme, ended):
            spans.append((k, end, parsed[k][1]))
        k, before = end, parsed[end - 1]
    return spans


def tags_of_spans(spans: Iterable[Span], length: int, scheme: Scheme = "BIO") -> list[str]:
    """Tags of `length` tokens with these spans.

    Raises:
        ValueError: a span is outside the tokens, is empty or overlaps another.
    """
    tags = [OUTSIDE] * length
    last_label, last_end = "", -1
    for start, end, label in sorted(spans):
        if not 0 <= start < end <= length or start < last_end:
            raise ValueError(f"A span from {start} to {end} does not fit {length} tokens or overlaps another.")
        touches = start == last_end and label == last_label
        for k in range(start, end):
            tags[k] = _written(label, k == start, k == end - 1, touches, scheme)
        last_label, last_end = label, end
    return tags


def convert_tags(tags: Sequence[str], source: Scheme, target: Scheme) -> list[str]:
    """Tags of one scheme in another; broken ones come out right, as `spans_of_tags` takes them."""
    return tags_of_spans(spans_of_tags(tags, source), len(tags), target)


def broken_places(tags: Sequence[str], scheme: Scheme) -> Iterator[tuple[int, str]]:
    """Tags that cannot stand where they do: their number in the sequence, and what is wrong, in words."""
    if scheme == "plain":
        return
    used, ended = _USED[scheme], scheme in ("BIOES", "BILOU", "BMES")
    before, before_label, before_tag = OUTSIDE, "", OUTSIDE
    for k, tag in enumerate([*tags, OUTSIDE]):
        parsed = parse_tag(tag)
        if k < len(tags) and (parsed is None or (tag != OUTSIDE and tag[0] not in used)):
            yield k, f"'{tag}' is no tag of {scheme}"
        prefix, label = parsed or (OUTSIDE, "")
        follows = before in "BI" and label == before_label
        if ended and before in "BI" and not (follows and prefix in "IE"):
            yield k - 1, f"'{before_tag}' is not continued"
        if prefix in "IE" and not follows and scheme not in ("IO", "IOB1"):
            yield k, f"'{tag}' follows '{before_tag}'" if k else f"'{tag}' comes first"
        before, before_label, before_tag = prefix, label, tag


def _starts(before: tuple[str, str], tag: tuple[str, str], scheme: Scheme) -> bool:
    if scheme != "IOB1":
        return tag[0] in "BS"
    same = before[1] == tag[1]
    if tag[0] == "I":
        return before[0] in "OB" or not same
    return tag[0] == "B" and before[0] in "BI" and same


def _is_whole(last: tuple[str, str], behind: tuple[str, str], scheme: Scheme, ended: bool) -> bool:
    if ended:
        return last[0] in "ES"
    # In IOB1 a B stands only behind a span of its own label; seqeval drops one that another label's B follows.
    return not (scheme == "IOB1" and last[0] == "B" and behind[0] == "B" and behind[1] != last[1])


def _written(label: str, first: bool, last: bool, touches: bool, scheme: Scheme) -> str:
    if scheme == "plain":
        return label
    if scheme == "IOB1":
        letter = "B" if first and touches else "I"
    else:
        letters = _WRITTEN[scheme]
        letter = letters[3] if first and last else letters[0] if first else letters[2] if last else letters[1]
    return letter if label == UNNAMED else f"{letter}-{label}"

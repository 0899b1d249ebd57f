"""Chinese answers scored as CMRC 2018's script does: exact match without punctuation, F1 of the longest common run.

Cui et al. 2019 (arXiv:1810.07366), version 5 of their script. Chinese characters are segments of their own, what stands
between them is split as the Penn Treebank splits words; precision and recall count the segments of the longest run that
both answers have. Where no question may stay unanswered these are the script's figures; a question without a gold
answer, which the script does not know, is right exactly when the answer is empty, as in SQuAD 2.0.

Departure: the script lets NLTK look for sentences in what stands between Chinese characters before it splits words.
Here that is one sentence, which differs only where a full stop ends a sentence in the middle of a Latin passage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from provetune.evaluation.treebank_words import treebank_words

_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_HAN = re.compile("[\u4e00-\u9fa5]")


def segments(text: str) -> list[str]:
    """An answer's segments: each Chinese character, and words between them; the script's punctuation is left out."""
    found: list[str] = []
    between: list[str] = []
    for character in text.lower().strip():
        if character in _PUNCTUATION:
            continue
        if _HAN.match(character):
            found.extend(treebank_words("".join(between)))
            found.append(character)
            between.clear()
        else:
            between.append(character)
    found.extend(treebank_words("".join(between)))
    return found


def bare(text: str) -> str:
    """An answer in lower case without the script's punctuation."""
    return "".join(character for character in text.lower().strip() if character not in _PUNCTUATION)


def character_exact_match(answer: str, golds: Sequence[str]) -> float:
    """1 where the answer equals a gold answer but for case and punctuation, else 0."""
    said = bare(answer)
    return float(any(bare(gold) == said for gold in golds or [""]))


def character_f1(answer: str, golds: Sequence[str]) -> float:
    """F1 of the longest common run of segments, the best gold answer counting, 0 to 1."""
    if not golds:
        return float(not bare(answer))
    said = segments(answer)
    return max(_run_f1(said, segments(gold)) for gold in golds)


def longest_run(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest run of segments that stands in both."""
    places: dict[str, list[int]] = {}
    for place, segment in enumerate(second):
        places.setdefault(segment, []).append(place)
    best, ending = 0, dict[int, int]()
    for segment in first:
        ending = {place: ending.get(place - 1, 0) + 1 for place in places.get(segment, ())}
        best = max(best, max(ending.values(), default=0))
    return best


def _run_f1(said: Sequence[str], gold: Sequence[str]) -> float:
    shared = longest_run(said, gold)
    return 2 * shared / (len(said) + len(gold)) if shared else 0.0

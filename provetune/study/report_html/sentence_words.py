"""Sentences of tasks' own tables that have figures or names in them, in Chinese."""

from __future__ import annotations

import re
from typing import Final

_BETWEEN_SENTENCES = re.compile(r"(?<=[.。]) ")

PATTERNS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), chinese)
    for pattern, chinese in (
        (r"([-+\d.,e]+) to ([-+\d.,e]+)", r"\1 至 \2"),
        (r"over ([\d,]+)", r"超过 \1"),
        (r"([\d,]+) and on", r"\1 起"),
        (r"texts stopped at (\S+) tokens", r"写到 \1 个词元即停的文本"),
        (r"answers stopped at (\S+) tokens", r"写到 \1 个词元即停的回答"),
        (r"What is said by what is true of (.+)", r"各真实值区间的预测：\1"),
        (
            r"'(.+)' is no answer: such a row is wrong whenever it is answered\.",
            r"“\1”不是答案：这样的行只要作答就算错。",
        ),
        (r"This model answers (.+) of these rows\.", r"此模型回答其中 \1 的行。"),
        (r"'(.+)' is left out\.", r"不计“\1”。"),
        (
            r"Among ([\d,]+) documents; documents of the same score as a right one count as standing before it\.",
            r"共 \1 篇文档；与正确文档同分者算作排在其前。",
        ),
    )
)


def in_chinese(text: str, known: dict[str, str]) -> str:
    """A text sentence by sentence; one that nothing is known of stays as it is.

    Args:
        known: whole texts and sentences.
    """
    if text in known:
        return known[text]
    whole = _by_pattern(text)
    if whole is not None:
        return whole
    sentences = _BETWEEN_SENTENCES.split(text)
    if len(sentences) == 1:
        return text
    said = [known.get(one) or _by_pattern(one) or one for one in sentences]
    # Chinese sentences need no space between them.
    return "".join(f"{one} " if one.endswith(".") and one is not said[-1] else one for one in said)


def _by_pattern(text: str) -> str | None:
    for pattern, chinese in PATTERNS:
        match = pattern.fullmatch(text)
        if match is not None:
            return match.expand(chinese)
    return None

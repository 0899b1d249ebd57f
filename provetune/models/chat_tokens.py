"""Conversations to token numbers: which of them the assistant says, and what happens to a conversation too long.

A long conversation keeps its system line and its latest turns: the oldest exchanges go first, then the middle or the
end of the question, and the end of the answer last of all. What is lost is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provetune.models.chat_template import render_conversation, render_prompt
from provetune.models.encoding import HEAD_SHARE, fast_tokenizer

if TYPE_CHECKING:
    from provetune.data.conversations import Message

OTHER, EARLIER, LAST = 0, 1, 2
"""Whose a token is: not the assistant's, of an earlier answer, of the last one."""
_QUESTION_SHARE = 0.25


@dataclass(frozen=True)
class ConversationTokens:
    """A conversation in tokens.

    Attributes:
        ids: all tokens (T).
        whose: `OTHER`, `EARLIER` or `LAST` for each token (T).
        prompt: tokens that the model is given when it is asked for the last answer.
        cut: tokens that were lost.
        unlearned: assistant turns that the template does not let be learned.
    """

    ids: list[int]
    whose: list[int]
    prompt: list[int]
    cut: int = 0
    unlearned: int = 0


def encode_answers(
    tokenizer: Any, messages: Sequence[Message], answers: Sequence[str], most: int, long_texts: str = "head_tail"
) -> list[ConversationTokens]:
    """A conversation with each of its possible answers, all shortened alike.

    Args:
        messages: the conversation before the answer; it ends with the user.
        answers: none gives the prompt alone.
        most: tokens at most, answer included.
        long_texts: of a question too long by itself the head is kept, or ``"head_tail"``.

    Raises:
        UsageError: the tokenizer has no chat template, or it refuses the conversation.
    """
    found = _encode_each(tokenizer, messages, answers)
    whole = [len(each.ids) for each in found]
    kept = list(messages)
    if max(whole) > most:
        kept = _drop_oldest(kept, lambda left: _longest(_encode_each(tokenizer, left, answers)) <= most)
        found = _encode_each(tokenizer, kept, answers)
    while (over := _longest(found) - most) > 0:
        shorter = _shorten_question(tokenizer, kept, over, most, long_texts)
        if shorter is None:
            break
        kept = shorter
        found = _encode_each(tokenizer, kept, answers)
    return [_cut_hard(each, length, most) for each, length in zip(found, whole, strict=True)]


def _encode_each(tokenizer: Any, messages: Sequence[Message], answers: Sequence[str]) -> list[ConversationTokens]:
    fast = fast_tokenizer(tokenizer)
    prompt = fast.encode(render_prompt(tokenizer, messages), add_special_tokens=False).ids
    if not answers:
        return [ConversationTokens(prompt, [OTHER] * len(prompt), prompt)]
    return [
        _encode_whole(tokenizer, fast, [*messages, {"role": "assistant", "content": answer}], prompt)
        for answer in answers
    ]


def _encode_whole(tokenizer: Any, fast: Any, messages: Sequence[Message], prompt: list[int]) -> ConversationTokens:
    rendered = render_conversation(tokenizer, messages)
    encoded = fast.encode(rendered.text, add_special_tokens=False)
    ids, offsets = encoded.ids, encoded.offsets
    opening = fast.encode(rendered.text[: rendered.prompt], add_special_tokens=False).ids
    if ids[: len(opening)] != opening:
        # A token would reach across the beginning of the answer. The model is never asked that way: it gets the
        # prompt's own tokens, so the answer begins with a token of its own.
        rest = fast.encode(rendered.text[rendered.prompt :], add_special_tokens=False)
        moved = [(start + rendered.prompt, end + rendered.prompt) for start, end in rest.offsets]
        before = fast.encode(rendered.text[: rendered.prompt], add_special_tokens=False).offsets
        ids, offsets = [*opening, *rest.ids], [*before, *moved]
    whose = _whose(offsets, rendered.spans, rendered.prompt)
    return ConversationTokens(list(ids), whose, prompt, unlearned=rendered.unlearned)


def _whose(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]], prompt: int) -> list[int]:
    """A token is the assistant's where any of its letters is; one without letters belongs to the place it stands at."""
    found = [OTHER] * len(offsets)
    place = 0
    for number, (start, end) in enumerate(offsets):
        while place < len(spans) and spans[place][1] <= start:
            place += 1
        if place == len(spans):
            break
        first = spans[place][0]
        if end > first or (start == end and start >= first):
            found[number] = LAST if spans[place][1] > prompt else EARLIER
    return found


def _longest(found: Sequence[ConversationTokens]) -> int:
    return max(len(each.ids) for each in found)


def _drop_oldest(messages: list[Message], fits: Callable[[list[Message]], bool]) -> list[Message]:
    """The conversation without its oldest questions and answers, as few of them as will do; its last question stays.

    Looked for from the end, in steps that double: what a conversation of a hundred turns costs is what is kept of it.
    """
    first = 1 if messages[0]["role"] == "system" else 0
    most = (len(messages) - first - 1) // 2

    def left(exchanges: int) -> list[Message]:
        return [*messages[:first], *messages[len(messages) - 1 - 2 * exchanges :]]

    low, high = 0, 1
    while high < most and fits(left(high)):
        low, high = high, 2 * high
    high = min(high, most)  # all of them do not fit, or nobody would ask
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(left(middle)) else (low, middle)
    return left(low)


def _shorten_question(
    tokenizer: Any, messages: Sequence[Message], over: int, most: int, long_texts: str
) -> list[Message] | None:
    """The conversation with fewer tokens in its last question; None where it has given what it can."""
    content = messages[-1]["content"]
    encoded = fast_tokenizer(tokenizer).encode(content, add_special_tokens=False)
    count = len(encoded.ids)
    keep = max(count - over, int(_QUESTION_SHARE * most), 1)
    if keep >= count:
        return None
    head = keep if long_texts == "head" else max(1, int(HEAD_SHARE * keep))
    start = encoded.offsets[head - 1][1]
    tail = keep - head
    rest = content[encoded.offsets[count - tail][0] :] if tail else ""
    return [*messages[:-1], {**messages[-1], "content": content[:start] + rest}]


def _cut_hard(found: ConversationTokens, whole: int, most: int) -> ConversationTokens:
    """What is still too long loses the end of its answer, or, where it is a prompt alone, its beginning."""
    alone = len(found.prompt) == len(found.ids)
    prompt = found.prompt[-most:]
    ids, whose = (prompt, found.whose[-most:]) if alone else (found.ids[:most], found.whose[:most])
    return ConversationTokens(ids, whose, prompt, whole - len(ids), found.unlearned)

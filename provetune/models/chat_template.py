"""A conversation as the model's own chat template writes it, and which of its letters are the assistant's.

Where a template marks what the assistant says (``{% generation %}``), that decides. Any other is rendered turn by
turn: what a turn adds to the conversation before it, opened for the assistant, is that turn. Each turn is held against
the whole rendering letter by letter; one that the template writes otherwise in the middle of a conversation than at
its end is not learned, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError

if TYPE_CHECKING:
    from provetune.data.conversations import Message

COMPLETION_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}"
    "{% else %}{{ message['content'] }}{% endif %}{% endfor %}"
)
"""Texts one after the other, an end after each answer: for models that go on with texts and know of no turns."""

_TAGS = re.compile(r"\{%-?\s*generation\s*-?%\}")
_PROBE = ("a question", "an answer")


@dataclass(frozen=True)
class Rendering:
    """A conversation as text.

    Attributes:
        text: all of it.
        spans: first letter and the letter after the last of each assistant turn that can be learned, in order.
        prompt: letters that stand before the last answer when the model is asked for it.
        unlearned: assistant turns that are left out.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    prompt: int
    unlearned: int = 0


def render_prompt(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The conversation so far, opened for the assistant.

    Raises:
        UsageError: the tokenizer has no chat template, or the template refuses the conversation.
    """
    return _apply(tokenizer, messages, True)


def render_conversation(tokenizer: Any, messages: Sequence[Message]) -> Rendering:
    """A conversation that ends with the assistant.

    Raises:
        UsageError: the tokenizer has no chat template, or the template refuses the conversation.
    """
    prompt = _apply(tokenizer, messages[:-1], True)
    if marks_assistant(tokenizer):
        text, spans = _render_tagged(tokenizer, messages)
        turns = sum(message["role"] == "assistant" for message in messages)
        return Rendering(text, spans, _shared(prompt, text), max(0, turns - len(spans)))
    text = _apply(tokenizer, messages, False)
    found = [
        _find_turn(tokenizer, messages, number, text)
        for number, message in enumerate(messages)
        if message["role"] == "assistant"
    ]
    spans = tuple(span for span in found if span is not None)
    return Rendering(text, spans, _shared(prompt, text), len(found) - len(spans))


def marks_assistant(tokenizer: Any) -> bool:
    """Whether the template itself says which letters are the assistant's."""
    return bool(_TAGS.search(_template(tokenizer)))


def takes_system(tokenizer: Any) -> bool:
    """Whether the template has a place for a system line; some raise an error, some pass over it in silence."""
    line = "a line of the system"
    asked: list[Message] = [{"role": "system", "content": line}, {"role": "user", "content": _PROBE[0]}]
    try:
        return line in _apply(tokenizer, asked, True)
    except UsageError:
        return False


def closing_marks(tokenizer: Any) -> str:
    """What the template writes after an answer, e.g. ``"<|im_end|>"``; empty where it writes nothing."""
    question, answer = _PROBE
    asked: list[Message] = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    text = _apply(tokenizer, asked, False)
    return text[text.rfind(answer) + len(answer) :].strip()


def with_default_system(template: str, line: str) -> str:
    """A template that begins every conversation without a system line of its own with this one.

    Control attributes are no such line (`provetune.data.conversations.CONTROLS`): they come after it.
    """
    quoted = "'" + line.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    return (
        "{%- if messages[0]['role'] != 'system' -%}"
        "{%- set messages = [{'role': 'system', 'content': " + quoted + "}] + messages -%}"
        "{%- elif messages[0]['lines'] is defined and messages[0]['lines'] == 'controls' -%}"
        "{%- set first = {'role': 'system', 'content': " + quoted + " ~ '\\n' ~ messages[0]['content']} -%}"
        "{%- set messages = [first] + messages[1:] -%}{%- endif %}" + template
    )


def _find_turn(tokenizer: Any, messages: Sequence[Message], number: int, text: str) -> tuple[int, int] | None:
    """Where the assistant's message of this number stands in the whole rendering; None where it cannot be told."""
    before = _apply(tokenizer, messages[:number], True)
    after = _apply(tokenizer, messages[: number + 1], False)
    if not after.startswith(before):
        return None
    own = after[len(before) :]
    written = messages[number]["content"]
    # Many templates strip what they are given.
    content = written if written in own else written.strip()
    place = own.rfind(content)
    if place < 0:
        return None
    closing = own[place + len(content) :]
    if closing.strip():
        # Space after an end mark opens the next turn: nobody has to say it, generation has stopped by then.
        closing = closing.rstrip()
    start = _shared(before, text)
    if start < len(before):
        return None
    for said in (own[:place] + content + closing, content + closing):
        if text.startswith(said, start):
            return start, start + len(said)
    return None


def _render_tagged(tokenizer: Any, messages: Sequence[Message]) -> tuple[str, tuple[tuple[int, int], ...]]:
    from transformers.utils.chat_template_utils import render_jinja_template

    rendered, marked = render_jinja_template(
        conversations=[list(messages)],
        chat_template=_template(tokenizer),
        return_assistant_tokens_mask=True,
        **tokenizer.special_tokens_map,
    )
    return rendered[0], tuple((int(start), int(end)) for start, end in marked[0] if end > start)


def _apply(tokenizer: Any, messages: Sequence[Message], opened: bool) -> str:
    from jinja2 import TemplateError

    _template(tokenizer)
    try:
        found = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=opened)
    except (TemplateError, ValueError, TypeError, KeyError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise UsageError(f"The backbone's chat template refuses the conversation ({reason}).") from error
    return str(found)


def _template(tokenizer: Any) -> str:
    """The template of ordinary conversations, of several the one called "default"."""
    if not tokenizer.chat_template:
        raise UsageError(
            "The backbone has no chat template.", hint="Set options.format: completion, or take a chat model."
        )
    return str(tokenizer.get_chat_template())


def _shared(first: str, second: str) -> int:
    """Letters at the beginning that two texts share."""
    if second.startswith(first):
        return len(first)
    pairs = zip(first, second, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))

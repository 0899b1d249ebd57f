"""Conversations as files have them, made one form: a list of messages, each with a role and a content.

Read are messages (``role`` and ``content``, or ``from`` and ``value``), a prompt with its completion, and pairs of a
chosen and a rejected answer. A conversation may begin with a system line; then user and assistant take turns, the user
first, and no turn is empty. What is otherwise is a fault of the row, told with the number of the message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from provetune.core.suggest import nearest

Message: TypeAlias = dict[str, str]

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"
_ROLES = {
    **dict.fromkeys(("system", "developer"), SYSTEM),
    **dict.fromkeys(("user", "human", "prompter", "customer"), USER),
    **dict.fromkeys(("assistant", "gpt", "bot", "model", "chatgpt", "agent"), ASSISTANT),
}
_TOOLS = frozenset(
    ("tool", "function", "function_call", "function_response", "tool_call", "tool_response", "observation")
)
_CALLS = ("tool_calls", "function_call")
LINES, CONTROLS = "lines", "controls"
"""A system message with ``"lines": "controls"`` has nothing but control attributes: a line for all stands before it."""
_ROLE_KEYS, _CONTENT_KEYS = ("role", "from"), ("content", "value", "text")
_SHOWN = 40
_HUMAN = "Human:"
_SPEAKER = re.compile(r"\n\n(Human:|Assistant:)")


class ConversationFault(ValueError):
    """What is wrong with one conversation, one sentence."""


def read_messages(value: Any) -> list[Message]:
    """A conversation in any of the forms, roles under their usual names.

    Args:
        value: a list of messages, or JSON text of one; any other text is one message of the user.

    Raises:
        ConversationFault: it is no conversation, a role is unknown, or a message is empty.
    """
    found = _parsed(value)
    if isinstance(found, str):
        if not found.strip():
            raise ConversationFault("The text is empty.")
        return [{"role": USER, "content": found}]
    if isinstance(found, Mapping):
        found = [found] if _first(found, _ROLE_KEYS) else found.get("messages")
    if not isinstance(found, Sequence):
        raise ConversationFault(f"A conversation is a list of messages. Got {_shown(value)} instead.")
    if not found:
        raise ConversationFault("The conversation has no message.")
    return [_read_message(each, number) for number, each in enumerate(found, start=1)]


def check_turns(messages: Sequence[Message]) -> None:
    """Check that user and assistant take turns, the user first, after at most one system line.

    Raises:
        ConversationFault: names the first message that is out of order.
    """
    turns = messages[1:] if messages and messages[0]["role"] == SYSTEM else messages
    offset = len(messages) - len(turns)
    if not turns:
        raise ConversationFault("There is a system line and no turn.")
    for place, message in enumerate(turns):
        number = offset + place + 1
        expected = (USER, ASSISTANT)[place % 2]
        if message["role"] == SYSTEM:
            raise ConversationFault(f"Turns are out of order: message {number} is a system line, not the first.")
        if message["role"] != expected:
            before = f", like the one before it; {expected} was due" if place else f"; the {expected} begins"
            raise ConversationFault(f"Turns are out of order: message {number} is the {message['role']}'s{before}.")


def split_answer(messages: Sequence[Message]) -> tuple[list[Message], str]:
    """The conversation before its last answer, and that answer.

    Raises:
        ConversationFault: turns are out of order, or the last message is not the assistant's.
    """
    check_turns(messages)
    if messages[-1]["role"] != ASSISTANT:
        raise ConversationFault(f"The conversation ends with the {messages[-1]['role']}: there is no answer to it.")
    return list(messages[:-1]), messages[-1]["content"]


def check_prompt(messages: Sequence[Message]) -> None:
    """Check that a conversation waits for the assistant.

    Raises:
        ConversationFault: turns are out of order, or the last message is not the user's.
    """
    check_turns(messages)
    if messages[-1]["role"] != USER:
        raise ConversationFault("The conversation ends with the assistant: nothing is left to answer.")


def read_answer(value: Any) -> str:
    """An answer that stands in a column of its own: a text, or a list with the assistant's one message.

    Raises:
        ConversationFault: it is empty, or more than one message.
    """
    found = _parsed(value)
    if isinstance(found, str):
        if not found.strip():
            raise ConversationFault("The answer is empty.")
        return found
    messages = read_messages(found)
    if len(messages) != 1 or messages[0]["role"] != ASSISTANT:
        raise ConversationFault("An answer is a text, or one message of the assistant.")
    return messages[0]["content"]


def split_preference(chosen: Any, rejected: Any) -> tuple[list[Message], str, str]:
    """Two whole conversations that differ in their last answer: what comes before it, the better one, the other.

    Raises:
        ConversationFault: one is no conversation, or they differ earlier.
    """
    prompt, better = split_answer(read_messages(chosen))
    other, worse = split_answer(read_messages(rejected))
    if prompt != other:
        raise ConversationFault("The chosen and the rejected conversation differ before their last answers.")
    return prompt, better, worse


def with_system(messages: Sequence[Message], lines: Sequence[str]) -> list[Message]:
    """The conversation with these lines in its system message, before what stands there."""
    lines = [line for line in lines if line]
    if not lines:
        return list(messages)
    if messages and messages[0]["role"] == SYSTEM:
        return [{"role": SYSTEM, "content": "\n".join([*lines, messages[0]["content"]])}, *messages[1:]]
    return [{"role": SYSTEM, "content": "\n".join(lines)}, *messages]


def with_controls(messages: Sequence[Message], own: str, controls: Mapping[str, Any]) -> list[Message]:
    """The conversation with its own system line, if it has one, and its control attributes in the system message.

    Where there are attributes and nothing else, the message says so (`CONTROLS`), so that a system line that holds for
    every conversation is not left out on their account.
    """
    line = control_line(controls)
    alone = bool(line) and not own and not (messages and messages[0]["role"] == SYSTEM)
    found = with_system(messages, [own, line])
    return [{**found[0], LINES: CONTROLS}, *found[1:]] if alone else found


def control_line(controls: Mapping[str, Any]) -> str:
    """Control attributes as the model reads them: ``{"tone": "formal", "length": "short"}`` → one line.

    Attributes without a value are left out; without any the line is empty.
    """
    given = {name: str(value).strip() for name, value in controls.items() if value is not None}
    return "; ".join(f"{name}: {value}" for name, value in given.items() if value)


def to_text(messages: Sequence[Message]) -> str:
    """A conversation as one JSON text."""
    return json.dumps(list(messages), ensure_ascii=False, separators=(",", ":"))


def looks_like_messages(value: Any) -> bool:
    """Whether a cell holds a list of messages, whatever is wrong with them."""
    found = _parsed(value)
    return (
        isinstance(found, list)
        and bool(found)
        and all(isinstance(each, Mapping) and _first(each, _ROLE_KEYS) for each in found)
    )


def turns_of_texts(value: Any) -> list[Message] | None:
    """A list of two texts and more as turns, the user's first; None where it is anything else.

    So conversations are published whose speakers have no names (DailyDialog, Li et al. 2017).
    """
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(each, str) for each in value):
        return None
    return [{"role": (USER, ASSISTANT)[place % 2], "content": text} for place, text in enumerate(value)]


def waits_for_answer(value: Any) -> bool:
    """Whether a cell holds messages of which the user's is the last."""
    if not looks_like_messages(value):
        return False
    last = _parsed(value)[-1]
    return _ROLES.get(str(last[_first(last, _ROLE_KEYS)]).strip().casefold()) == USER


def _read_message(value: Any, number: int) -> Message:
    if not isinstance(value, Mapping):
        raise ConversationFault(
            f"Message {number} must be an object with role and content. Got {_shown(value)} instead."
        )
    key = _first(value, _ROLE_KEYS)
    if key is None:
        raise ConversationFault(f"Message {number} has no role.")
    named = str(value[key]).strip().casefold()
    role = _ROLES.get(named)
    if named in _TOOLS:
        raise ConversationFault(
            f"Message {number} is a tool's ('{named}'), and only what system, user and assistant say can be learned."
        )
    if role is None:
        guess = nearest(str(value[key]), _ROLES)
        advice = f" Did you mean '{guess}'?" if guess else " Known: system, user, assistant."
        raise ConversationFault(f"Message {number} has the unknown role '{str(value[key])[:_SHOWN]}'.{advice}")
    found = {"role": role, "content": _read_content(value, number, role)}
    return {**found, LINES: CONTROLS} if role == SYSTEM and value.get(LINES) == CONTROLS else found


def _read_content(value: Mapping[str, Any], number: int, role: str) -> str:
    key = _first(value, _CONTENT_KEYS)
    content = None if key is None else value[key]
    if isinstance(content, Sequence) and not isinstance(content, str):
        content = _joined_parts(content, number)
    if content is not None and not isinstance(content, str):
        raise ConversationFault(f"Message {number} ({role}) must have a text. Got {_shown(content)} instead.")
    if content is None or not content.strip():
        if _first(value, _CALLS):
            raise ConversationFault(f"Message {number} ({role}) calls a tool and says nothing.")
        raise ConversationFault(f"Message {number} ({role}) is empty.")
    return content


def _joined_parts(parts: Sequence[Any], number: int) -> str:
    """The texts of a content that is a list of parts, ``{"type": "text", "text": …}`` each."""
    texts = []
    for part in parts:
        if not isinstance(part, Mapping) or not isinstance(part.get("text"), str):
            kind = part.get("type", "something else") if isinstance(part, Mapping) else _shown(part)
            raise ConversationFault(f"Message {number} holds {kind}, and only texts can be read.")
        texts.append(part["text"])
    return "\n".join(texts)


def _parsed(value: Any) -> Any:
    """JSON text and transcripts as what they stand for, anything else as it is."""
    if isinstance(value, str) and (turns := _turns_of_transcript(value)):
        return turns
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            found = json.loads(value)
        except (json.JSONDecodeError, RecursionError):
            return value
        return found if _is_conversation(found) else value
    return value


def _turns_of_transcript(text: str) -> list[Message]:
    """The messages of a conversation that is written down, ``Human: …`` and ``Assistant: …`` in paragraphs by turns.

    So Anthropic's preference pairs are published (Bai et al. 2022). None where the text is no such thing.
    """
    if not text.lstrip().startswith(_HUMAN) or not _SPEAKER.search(text):
        return []
    parts = _SPEAKER.split("\n\n" + text.strip())[1:]
    return [
        {"role": USER if speaker == _HUMAN else ASSISTANT, "content": said.strip()}
        for speaker, said in zip(parts[::2], parts[1::2], strict=True)
    ]


def _is_conversation(value: Any) -> bool:
    """Whether JSON that stood in a text is meant as messages rather than as the text itself."""
    if isinstance(value, Mapping):
        return _first(value, _ROLE_KEYS) is not None or isinstance(value.get("messages"), list)
    return isinstance(value, list) and any(isinstance(each, Mapping) and _first(each, _ROLE_KEYS) for each in value)


def _first(value: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    return next((key for key in keys if value.get(key) is not None), None)


def _shown(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", type(None): "nothing", bool: "true or false", str: "a text"}
    kind = kinds.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
    return f"{kind} ({str(value)[:_SHOWN]})"

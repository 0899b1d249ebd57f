"""Conversations in every form that files have them, and what can be wrong with one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.data.conversations import (
    ConversationFault,
    check_prompt,
    check_turns,
    control_line,
    looks_like_messages,
    read_answer,
    read_messages,
    split_answer,
    split_preference,
    to_text,
    with_controls,
    with_system,
)

ASKED = {"role": "user", "content": "Where is my parcel?"}
TOLD = {"role": "assistant", "content": "On its way."}


@pytest.mark.parametrize(
    "value",
    [
        [ASKED, TOLD],
        json.dumps([ASKED, TOLD]),
        {"messages": [ASKED, TOLD]},
        [{"from": "human", "value": "Where is my parcel?"}, {"from": "gpt", "value": "On its way."}],
        [
            {"role": "User", "content": [{"type": "text", "text": "Where is my parcel?"}]},
            {"role": "bot", "text": "On its way."},
        ],
    ],
)
def test_every_form_becomes_the_same(value: Any) -> None:
    assert read_messages(value) == [ASKED, TOLD]
    assert split_answer(read_messages(value)) == ([ASKED], "On its way.")


@pytest.mark.parametrize("text", ["Hello", "[1, 2] is a list", '{"not": "a message"}', "[not json", "[]"])
def test_plain_text_is_one_message_of_the_user(text: str) -> None:
    assert read_messages(text) == [{"role": "user", "content": text}]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "has no message"),
        ("  ", "text is empty"),
        (7, r"list of messages. Got a number \(7\)"),
        ([ASKED, {"role": "asistant", "content": "x"}], r"Message 2 has the unknown role 'asistant'.*'assistant'"),
        ([ASKED, {"role": "tool", "content": "42"}], r"Message 2 is a tool's \('tool'\)"),
        ([ASKED, {"from": "observation", "value": "42"}], r"Message 2 is a tool's \('observation'\)"),
        ([{"role": "assistant", "content": None, "tool_calls": [{"id": 1}]}], r"\(assistant\) calls a tool and says"),
        ([{"role": "narrator", "content": "x"}], r"unknown role 'narrator'\. Known: system, user, assistant"),
        ([ASKED, {"role": "assistant", "content": "  "}], r"Message 2 \(assistant\) is empty"),
        ([ASKED, {"role": "assistant"}], r"Message 2 \(assistant\) is empty"),
        ([{"content": "x"}], "Message 1 has no role"),
        ([ASKED, "On its way."], r"Message 2 must be an object.*a text \(On its way\.\)"),
        ([{"role": "user", "content": 3}], r"Message 1 \(user\) must have a text. Got a number"),
        ([{"role": "user", "content": [{"type": "image", "url": "x"}]}], "Message 1 holds image, and only texts"),
    ],
)
def test_what_is_wrong_with_messages_is_said(value: Any, said: str) -> None:
    with pytest.raises(ConversationFault, match=said):
        read_messages(value)


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ("aua", "message 1 is the assistant's; the user begins"),
        ("uua", "message 2 is the user's, like the one before it; assistant was due"),
        ("suaa", "message 4 is the assistant's, like the one before it; user was due"),
        ("uas", "message 3 is a system line, not the first"),
        ("s", "a system line and no turn"),
    ],
)
def test_turns_out_of_order(roles: str, said: str) -> None:
    names = {"u": "user", "a": "assistant", "s": "system"}
    with pytest.raises(ConversationFault, match=said):
        check_turns([{"role": names[letter], "content": "x"} for letter in roles])


def test_who_has_the_last_word() -> None:
    check_prompt([ASKED])
    with pytest.raises(ConversationFault, match="ends with the user: there is no answer"):
        split_answer([ASKED, TOLD, ASKED])
    with pytest.raises(ConversationFault, match="ends with the assistant: nothing is left"):
        check_prompt([ASKED, TOLD])


def test_answers_of_their_own_column() -> None:
    assert read_answer("Soon.") == "Soon."
    assert read_answer([TOLD]) == "On its way."
    assert read_answer('{"json": "is an answer too"}') == '{"json": "is an answer too"}'
    with pytest.raises(ConversationFault, match="The answer is empty"):
        read_answer(" ")
    with pytest.raises(ConversationFault, match="one message of the assistant"):
        read_answer([ASKED])


def test_preferences_share_everything_but_the_last_answer() -> None:
    worse = {"role": "assistant", "content": "No idea."}
    assert split_preference([ASKED, TOLD], [ASKED, worse]) == ([ASKED], "On its way.", "No idea.")
    with pytest.raises(ConversationFault, match="differ before their last answers"):
        split_preference([ASKED, TOLD], [{"role": "user", "content": "?"}, worse])


def test_system_lines_and_controls() -> None:
    line = control_line({"tone": "formal", "length": " short ", "style": None, "mood": ""})
    assert line == "tone: formal; length: short"
    assert with_system([ASKED], ["Be kind.", line])[0] == {"role": "system", "content": f"Be kind.\n{line}"}
    own = [{"role": "system", "content": "Own."}, ASKED]
    assert with_system(own, ["Be kind."]) == [{"role": "system", "content": "Be kind.\nOwn."}, ASKED]
    assert with_system(own, ["", control_line({})]) == own


def test_control_attributes_alone_are_marked_and_the_mark_survives_being_text() -> None:
    tone = {"tone": "formal"}
    alone = with_controls([ASKED], "", tone)
    assert alone == [{"role": "system", "content": "tone: formal", "lines": "controls"}, ASKED]
    assert read_messages(to_text(alone)) == alone
    assert with_controls([ASKED], "Be kind.", tone)[0] == {"role": "system", "content": "Be kind.\ntone: formal"}
    own = [{"role": "system", "content": "Own."}, ASKED]
    assert with_controls(own, "", tone)[0] == {"role": "system", "content": "tone: formal\nOwn."}
    assert with_controls([ASKED], "", {"tone": None}) == [ASKED]


@given(st.lists(st.text(min_size=1).filter(lambda text: text.strip()), min_size=1, max_size=5))
def test_a_conversation_survives_being_text(contents: list[str]) -> None:
    messages = [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(contents)]
    assert read_messages(to_text(messages)) == messages
    assert looks_like_messages(to_text(messages))
    assert not looks_like_messages("Where?")

"""Which letters and tokens of a conversation are the assistant's, by templates of every kind."""

from __future__ import annotations

from typing import Any

import pytest
from chat_tokenizers import CHATML, COUNTING, PLAIN, TAGGED, THINKING, make_chat_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.core.errors import UsageError
from provetune.data.conversations import with_controls
from provetune.models import chat_tokens
from provetune.models.chat_template import (
    COMPLETION_TEMPLATE,
    closing_marks,
    marks_assistant,
    render_conversation,
    render_prompt,
    takes_system,
    with_default_system,
)
from provetune.models.chat_tokens import EARLIER, LAST, ConversationTokens, encode_answers


def turns(*contents: str, system: str | None = None) -> list[dict[str, str]]:
    found = [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(contents)]
    return found if system is None else [{"role": "system", "content": system}, *found]


def said(tokenizer: Any, messages: list[dict[str, str]]) -> list[str]:
    rendered = render_conversation(tokenizer, messages)
    return [rendered.text[start:end] for start, end in rendered.spans]


def learned(tokenizer: Any, found: ConversationTokens, code: int) -> str:
    ids = [token for token, whose in zip(found.ids, found.whose, strict=True) if whose == code]
    return str(tokenizer.decode(ids))


@pytest.mark.parametrize("template", [CHATML, TAGGED])
def test_assistant_turns_and_nothing_else(template: str) -> None:
    tokenizer = make_chat_tokenizer(template)
    messages = turns("hi", "hello", "hello?", "yes", system="be kind")
    assert said(tokenizer, messages) == ["hello<|end|>", "yes<|end|>"]
    rendered = render_conversation(tokenizer, messages)
    assert rendered.text[: rendered.prompt] == render_prompt(tokenizer, messages[:-1])
    assert rendered.unlearned == 0
    assert marks_assistant(tokenizer) is (template == TAGGED)
    assert closing_marks(tokenizer) == "<|end|>"


def test_the_two_ways_agree_with_transformers_own_mask() -> None:
    tokenizer = make_chat_tokenizer(TAGGED)
    messages = turns("where is it", "here", "and that", "there ab")
    theirs = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    for template in (TAGGED, CHATML):
        (mine,) = encode_answers(make_chat_tokenizer(template), messages[:-1], ["there ab"], 1000)
        assert mine.ids == theirs["input_ids"]
        assert [int(whose > 0) for whose in mine.whose] == theirs["assistant_masks"]


def test_a_template_that_adds_thoughts_to_the_last_turn_alone() -> None:
    tokenizer = make_chat_tokenizer(THINKING)
    assert said(tokenizer, turns("a", "one", "b", "two")) == ["one<|end|>", "(thought)\ntwo<|end|>"]


def test_turns_that_cannot_be_told_are_counted_not_learned() -> None:
    rendered = render_conversation(make_chat_tokenizer(COUNTING), turns("a", "one", "b", "two"))
    assert rendered.spans == ()
    assert rendered.unlearned == 2


def test_without_marks_the_line_end_is_what_stops() -> None:
    tokenizer = make_chat_tokenizer(PLAIN)
    assert said(tokenizer, turns("hi", " hello ", "so?", "so")) == ["hello\n", "so\n"]
    assert closing_marks(tokenizer) == ""
    assert not takes_system(tokenizer)
    assert takes_system(make_chat_tokenizer(CHATML))
    with pytest.raises(UsageError, match=r"refuses the conversation \(no system\)"):
        render_prompt(tokenizer, turns("hi", system="be kind"))


def test_an_answer_begins_with_a_token_of_its_own() -> None:
    """': a' is one token, but the model is asked with ': ' and has to say 'a'."""
    tokenizer = make_chat_tokenizer(PLAIN)
    (found,) = encode_answers(tokenizer, turns("q"), ["abc"], 1000)
    assert found.ids[: len(found.prompt)] == found.prompt
    assert learned(tokenizer, found, LAST) == "abc\n"
    assert tokenizer.decode(found.ids) == "user: q\nassistant: abc\n"
    assert (
        tokenizer("assistant: abc")["input_ids"]
        != tokenizer("assistant: ")["input_ids"] + tokenizer("abc")["input_ids"]
    )


def test_completions_are_texts_one_after_the_other() -> None:
    tokenizer = make_chat_tokenizer(COMPLETION_TEMPLATE)
    (found,) = encode_answers(tokenizer, turns("two and two is"), [" four"], 1000)
    assert tokenizer.decode(found.ids) == "two and two is four<|end|>"
    assert learned(tokenizer, found, LAST) == " four<|end|>"
    assert tokenizer.decode(found.prompt) == "two and two is"


def test_a_default_system_line_joins_the_template() -> None:
    line = 'Don\'t \\ "shout"\nor cry.'
    tokenizer = make_chat_tokenizer(with_default_system(CHATML, line))
    assert (
        render_prompt(tokenizer, turns("hi"))
        == f"<|start|>system\n{line}<|end|>\n<|start|>user\nhi<|end|>\n<|start|>assistant\n"
    )
    assert "shout" not in render_prompt(tokenizer, turns("hi", system="mine"))


@pytest.mark.parametrize("template", [CHATML, with_default_system(CHATML, "Be kind.")])
def test_control_attributes_come_after_the_default_system_line(template: str) -> None:
    asked = with_controls(turns("hi"), "", {"tone": "formal"})
    prompt = render_prompt(make_chat_tokenizer(template), asked)
    default = "" if template == CHATML else "Be kind.\n"
    assert prompt.startswith(f"<|start|>system\n{default}tone: formal<|end|>\n<|start|>user\nhi<|end|>")


def test_no_template_is_said() -> None:
    with pytest.raises(UsageError, match=r"no chat template.*options\.format: completion"):
        render_prompt(make_chat_tokenizer(None), turns("hi"))


@settings(max_examples=60, deadline=None)
@given(
    contents=st.lists(st.text(alphabet="ab: hello\n", min_size=1).filter(str.strip), min_size=1, max_size=4),
    template=st.sampled_from([CHATML, TAGGED, THINKING, PLAIN]),
)
def test_what_is_learned_is_what_was_said(contents: list[str], template: str) -> None:
    tokenizer = make_chat_tokenizer(template)
    messages = turns(*[part for content in contents for part in ("q", content)])
    (found,) = encode_answers(tokenizer, messages[:-1], [contents[-1]], 10_000)
    assert tokenizer.decode(found.ids) == render_conversation(tokenizer, messages).text
    stripped = [content.strip() if template == PLAIN else content for content in contents]
    last = learned(tokenizer, found, LAST)
    assert stripped[-1] in last
    earlier = learned(tokenizer, found, EARLIER)
    assert all(content in earlier for content in stripped[:-1])
    assert len(last) <= len(stripped[-1]) + len("(thought)\n<|end|>")


def test_long_conversations_keep_the_latest_turns() -> None:
    tokenizer = make_chat_tokenizer()
    messages = turns("first", "1", "second", "2", "third", system="s")
    (whole,) = encode_answers(tokenizer, messages, ["3"], 10_000)
    (found,) = encode_answers(tokenizer, messages, ["3"], len(whole.ids) - 1)
    text = tokenizer.decode(found.ids)
    assert "first" not in text
    assert all(part in text for part in ("system\ns", "second", "third", "3"))
    assert found.cut == len(whole.ids) - len(found.ids)
    assert learned(tokenizer, found, EARLIER) == "2<|end|>"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 13, 40])
@pytest.mark.parametrize("system", [None, "s"])
def test_as_few_of_the_oldest_turns_go_as_will_do(count: int, system: str | None, monkeypatch: Any) -> None:
    tokenizer = make_chat_tokenizer()
    messages = turns(*(f"{number}{'x' * (number % 3)}" for number in range(2 * count - 1)), system=system)
    start = 0 if system is None else 1
    latest = [[*messages[:start], *messages[start + 2 * gone :]] for gone in range(count)]
    lengths = [len(encode_answers(tokenizer, each, ["!"], 10_000)[0].ids) for each in latest]
    asked: list[int] = []
    monkeypatch.setattr(chat_tokens, "render_prompt", lambda *given: asked.append(1) or render_prompt(*given))
    for gone in range(count):
        (found,) = encode_answers(tokenizer, messages, ["!"], lengths[gone])
        assert found.ids == encode_answers(tokenizer, latest[gone], ["!"], 10_000)[0].ids
        assert found.cut == lengths[0] - lengths[gone]
    # One conversation of forty turns is not written forty times to find that one turn can be kept.
    asked.clear()
    encode_answers(tokenizer, messages, ["!"], lengths[-1])
    assert len(asked) <= 4


@pytest.mark.parametrize(("long_texts", "kept"), [("head", "ccccc"), ("head_tail", "c")])
def test_a_long_question_is_shortened_in_its_middle_or_at_its_end(long_texts: str, kept: str) -> None:
    tokenizer = make_chat_tokenizer()
    question = turns("c" * 30 + "d" * 30 + "e" * 9)
    (found,) = encode_answers(tokenizer, question, ["yes"], 60, long_texts)
    assert len(found.ids) == 60
    text = tokenizer.decode(found.ids)
    assert learned(tokenizer, found, LAST) == "yes<|end|>"
    assert text.startswith(f"<|start|>user\n{kept}")
    assert ("e<|end|>\n" in text) is (long_texts == "head_tail")
    assert found.cut > 0


def test_an_answer_too_long_loses_its_end_and_answers_share_their_prompt() -> None:
    tokenizer = make_chat_tokenizer()
    long, short = encode_answers(tokenizer, turns("q" * 40), ["x" * 200, "y"], 80)
    assert len(long.ids) == 80
    assert learned(tokenizer, long, LAST).startswith("xxx")
    assert long.prompt == short.prompt
    assert len(short.prompt) < 60
    assert long.cut > short.cut > 0


def test_a_prompt_alone_is_what_the_model_is_asked() -> None:
    tokenizer = make_chat_tokenizer()
    (found,) = encode_answers(tokenizer, turns("hi"), [], 1000)
    (whole,) = encode_answers(tokenizer, turns("hi"), ["yes"], 1000)
    assert found.ids == found.prompt == whole.prompt == whole.ids[: len(found.ids)]
    assert not any(found.whose)

"""Which columns of a file are conversations, prompts and answers, told by their names and by what their cells hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from provetune.core.protocols import Detected
from provetune.data.column_names import name_words
from provetune.tasks.chat.reading import holds_messages, holds_turns, lacks_answers

if TYPE_CHECKING:
    from provetune.data.table import RawTable

_CONVERSATIONS = ("messages", "conversations", "conversation", "dialog", "dialogue", "turns", "chat", "history")
_PROMPTS = ("prompt", "instruction", "instructions", "question", "query", "user", "input", "指令", "问题", "提示")
_ANSWERS = ("completion", "response", "output", "answer", "reply", "assistant", "回答", "答案", "输出")
_ABOUT = ("input", "context", "输入")
_CHOSEN = ("chosen", "preferred", "accepted", "better", "winner", "chosen_value", "chosen_content")
_REJECTED = ("rejected", "dispreferred", "worse", "loser", "rejected_value", "rejected_content")
_SYSTEM = ("system", "system_prompt")
_CONTROLS = ("controls.", "control.", "attributes.")
# These say what the column is for; a question with an answer may be many things.
_TELLING = frozenset(("prompt", "instruction", "instructions", "completion", "response", "指令", "提示"))
_MESSAGES_FIT, _PAIRS_FIT, _INSTRUCTED_FIT, _COMPLETION_FIT, _VAGUE_FIT = 0.97, 0.96, 0.95, 0.75, 0.35
_SAMPLE_LETTERS = 200

_Columns = dict[str, str | list[str]]


def find_columns(raw: RawTable, named: Mapping[str, str | list[str]]) -> Detected:
    """Columns for the parts that are not named: conversations, pairs of answers, or prompts with completions."""
    taken = {name for value in named.values() for name in ([value] if isinstance(value, str) else value)}
    free = [name for name in raw.names if name not in taken]
    lists = [name for name in raw.names if holds_messages(raw, name) or _holds_named_turns(raw, name)]
    columns, reasons, fit, why = _find_pairs(free, lists, named)
    if not columns:
        columns, reasons, fit, why = _find_conversation(raw, free, lists, named)
    if not columns:
        columns, reasons, fit, why = _find_completion(free, named)
    system = _called(free, _SYSTEM)
    if columns and system is not None and "system" not in named:
        columns["system"], reasons["system"] = system, f"The column is called '{system}'."
    controls = [name for name in free if name.casefold().startswith(_CONTROLS)]
    if columns and controls and "controls" not in named:
        columns["controls"], reasons["controls"] = controls, "One object holds these."
    reasons.setdefault("text", "No column holds conversations, and none is called like a prompt.")
    found = {role: column for role, column in columns.items() if role not in named}
    return Detected(found, reasons, _samples(raw, found), fit, why)


_Found = tuple[_Columns, dict[str, str], float, str]


def _find_pairs(free: Sequence[str], lists: Sequence[str], named: Mapping[str, str | list[str]]) -> _Found:
    rejected = _one(named.get("rejected")) or _called(free, _REJECTED)
    chosen = _one(named.get("label")) or _called(free, _CHOSEN)
    if rejected is None or chosen is None:
        return {}, {}, 0.0, ""
    why = f"'{chosen}' and '{rejected}' are called like a preferred answer and another."
    others = [name for name in lists if name not in (chosen, rejected)]
    prompt = _one(named.get("text")) or _called(free, _PROMPTS) or next(iter(others), None)
    reasons = {"rejected": f"'{rejected}' is called like the worse of two answers."}
    if prompt is None and chosen in lists:
        reasons["text"] = f"'{chosen}' holds whole conversations."
        return {"text": chosen, "rejected": rejected}, reasons, _PAIRS_FIT, why
    if prompt is None:
        return {}, {}, 0.0, ""
    reasons |= {"text": f"'{prompt}' is what both answer.", "label": f"'{chosen}' is called like the better of two."}
    return {"text": prompt, "label": chosen, "rejected": rejected}, reasons, _PAIRS_FIT, why


def _holds_named_turns(raw: RawTable, name: str) -> bool:
    """Lists of texts may be anything, words of a sentence among it: their column must be called a conversation."""
    return _called([name], _CONVERSATIONS) is not None and holds_turns(raw, name)


def _find_conversation(
    raw: RawTable, free: Sequence[str], lists: Sequence[str], named: Mapping[str, str | list[str]]
) -> _Found:
    text = _one(named.get("text"))
    fitting = [name for name in lists if name in free] if text is None else [name for name in lists if name == text]
    if not fitting:
        return {}, {}, 0.0, ""
    found = _called(fitting, _CONVERSATIONS) or fitting[0]
    why = f"'{found}' holds lists of messages."
    answer = _called([name for name in free if name != found], (*_ANSWERS, *_CHOSEN))
    if answer is None or "label" in named or not lacks_answers(raw, found):
        return {"text": found}, {"text": why}, _MESSAGES_FIT, why
    reasons = {"text": why, "label": f"The conversations end with the user; '{answer}' is called like an answer."}
    return {"text": found, "label": answer}, reasons, _MESSAGES_FIT, f"{why} '{answer}' is called like their answer."


def _find_completion(free: Sequence[str], named: Mapping[str, str | list[str]]) -> _Found:
    prompt = _one(named.get("text")) or _called(free, _PROMPTS)
    answer = _one(named.get("label")) or _called([name for name in free if name != prompt], _ANSWERS)
    if prompt is None or answer is None:
        return {}, {}, 0.0, ""
    text: str | list[str] = prompt
    about = _called([name for name in free if name not in (prompt, answer)], _ABOUT)
    if name_words(prompt)[-1:] == ["instruction"] and about is not None:
        text = [prompt, about]
        why = f"'{prompt}', '{about}' and '{answer}' are called like an instruction, what it is about, and its answer."
        reasons = {"text": f"'{prompt}' and '{about}' are called so.", "label": f"'{answer}' is called like an answer."}
        return {"text": text, "label": answer}, reasons, _INSTRUCTED_FIT, why
    why = f"'{prompt}' is called like a prompt and '{answer}' like its completion."
    reasons = {"text": f"'{prompt}' is called like a prompt.", "label": f"'{answer}' is called like an answer."}
    telling = _TELLING & {*name_words(prompt), *name_words(answer)}
    return {"text": text, "label": answer}, reasons, _COMPLETION_FIT if telling else _VAGUE_FIT, why


def _called(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The column whose name is one of these, the likeliest first."""
    folded = {"_".join(name_words(name)): name for name in reversed(names)}
    return next((folded[word] for word in wanted if word in folded), None)


def _one(value: str | list[str] | None) -> str | None:
    return value if isinstance(value, str) or value is None else next(iter(value), None)


def _samples(raw: RawTable, columns: Mapping[str, str | list[str]]) -> tuple[Mapping[str, str | None], ...]:
    names = [name for value in columns.values() for name in ([value] if isinstance(value, str) else value)]
    rows = raw.table.slice(0, 3).select(list(dict.fromkeys(names))).to_pylist()
    return tuple({name: cell and cell[:_SAMPLE_LETTERS] for name, cell in row.items()} for row in rows)

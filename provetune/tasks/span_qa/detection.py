"""Whether a file holds questions whose answers stand in a passage, and in which columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from provetune.core.protocols import Detected
from provetune.tasks.span_qa.answer_cells import NOWHERE, AnswerFault, locate, read_answers

if TYPE_CHECKING:
    from provetune.data.table import RawTable

_NAMES: dict[str, tuple[str, ...]] = {
    "text": ("question", "query", "query_text", "question_text", "q", "问题"),
    "context": ("context", "passage", "paragraph", "context_text", "document", "article", "text", "文章", "原文"),
    "label": ("answers", "answers.text", "answer", "answer.text", "answer_text", "label", "答案"),
    "group": ("title", "article_id", "document_id", "doc_id", "context_id", "标题"),
}
_OFFSETS = ("answer_start", "start", "answers.answer_start", "answer.answer_start", "answers.start", "offset")
_WORDS = {"text": "a question", "context": "a passage", "label": "answers", "group": "what a passage belongs to"}
_SAMPLE = 300
_LEAST_REPEATS = 1.2


def detect_questions(raw: RawTable, named: Mapping[str, str | list[str]]) -> Detected:
    """Columns called like a question, a passage and its answers; the fit is how often the answers stand in it."""
    from provetune.data.columns import flat_names, sample_rows

    taken = set(flat_names(list(named.values())))
    columns: dict[str, str | list[str]] = {}
    reasons: dict[str, str] = {}
    for role, names in _NAMES.items():
        if role in named:
            continue
        found = _called(raw, names, taken)
        if role == "group":
            found = _group(raw, found, str({**columns, **named}.get("context", "")))
        reasons[role] = (
            f"'{found}' is called like {_WORDS[role]}." if found else f"No column looks like {_WORDS[role]}."
        )
        if found is None:
            continue
        columns[role] = found
        taken.add(found)
    everything = {**columns, **named}
    label = everything.get("label")
    offset = _called(raw, _OFFSETS, taken)
    # Answers in a list have their offsets with them, unless these are a list as well.
    if isinstance(columns.get("label"), str) and offset and _are_lists(raw, str(label)) == _are_lists(raw, offset):
        columns["label"] = everything["label"] = [str(label), offset]
        reasons["label"] += f" '{offset}' says where they stand."
    if columns.get("group") == everything.get("context"):
        reasons["group"] = "Questions about one passage stay together."
    fit, why = _judge(raw, everything)
    return Detected(columns, reasons, sample_rows(raw, columns), fit, why)


def _called(raw: RawTable, names: Sequence[str], taken: set[str]) -> str | None:
    free = {name.casefold(): name for name in raw.names if name not in taken}
    return next((free[name] for name in names if name in free), None)


def _are_lists(raw: RawTable, name: str) -> bool:
    from provetune.data.table import Kind

    return bool(raw.kind_of(name).max(initial=0) >= Kind.LIST)


def _group(raw: RawTable, found: str | None, context: str) -> str | None:
    """The column of titles where they come back, else the passages themselves where these do."""
    for name in (found, context):
        if name and name in raw.names:
            cells = raw.table[name].drop_null()
            if len(cells) and raw.rows / max(1, len(cells.unique())) >= _LEAST_REPEATS and len(cells.unique()) > 1:
                return name
    return None


def _judge(raw: RawTable, columns: Mapping[str, str | list[str]]) -> tuple[float, str]:
    question, context, label = (columns.get(role) for role in ("text", "context", "label"))
    if not isinstance(question, str) or not isinstance(context, str):
        return 0.0, "There is no question beside a passage."
    if label is None:
        return 0.3, f"'{question}' and '{context}' are called like a question and a passage, but there are no answers."
    answers, *offsets = [label] if isinstance(label, str) else label
    head = raw.table.slice(0, _SAMPLE)
    asked = stands = 0
    for row in head.to_pylist():
        try:
            given = read_answers(row[answers], row[offsets[0]] if offsets else None)
        except AnswerFault:
            continue
        for one in given or ():
            asked += 1
            stands += locate(one, row[context] or "").nearest != NOWHERE
    share = stands / asked if asked else 0.0
    if share < 0.5:
        return 0.2, f"'{answers}' is called like answers, but these do not stand in '{context}'."
    return 0.98, f"The answers of '{answers}' stand in '{context}'."

"""Questions about passages in SQuAD's nesting (articles, paragraphs, questions) as one flat record a question.

Read are SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016 and 2018), the files made after them (XQuAD, MLQA, DRCD, CMRC 2018 in
either of its forms), and JSON lines that hold an article or a paragraph each. What a question lacks is a missing cell:
which of that is a fault is for the task to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from provetune.core.errors import DataError

_CONTEXTS = ("context", "context_text")
_QUESTIONS = ("question", "query_text")
_IDS = ("id", "qid", "query_id")
_WANTED = 'A paragraph is {"context": "…", "qas": [{"question": "…", "answers": [{"text": "…", "answer_start": 0}]}]}.'


def flat_questions(
    entries: Iterable[tuple[int, Mapping[str, Any]]], location: str, unit: str
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Entries with their numbers; an article or a paragraph becomes its questions, other entries stay as they are.

    Answers written as ``{"text": […], "answer_start": […]}`` become a list of objects in either.

    Args:
        unit: what `entries` are numbered by, for errors: ``"line"`` or ``"entry"``.

    Raises:
        DataError: a part of the nesting is no list of objects; names the article or paragraph.
    """
    for number, entry in entries:
        if holds_questions(entry):
            yield from ((number, question) for question in _questions(entry, f"{location}, {unit} {number}"))
        else:
            yield number, _with_answer_list(entry)


def holds_questions(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is an article (``paragraphs``) or a paragraph (``qas``)."""
    paragraphs = entry.get("paragraphs")
    if isinstance(paragraphs, list):
        return any(isinstance(paragraph, Mapping) and "qas" in paragraph for paragraph in paragraphs)
    return isinstance(entry.get("qas"), list) and any(name in entry for name in _CONTEXTS)


def _questions(entry: Mapping[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """``id, title, context, question, answers`` of each question, and its plain extras.

    ``answers`` is a list of ``{"text", "answer_start"}``, the latter left out where the file has no offsets; None where
    the file has no answers at all and does not say that there are none.
    """
    title = entry.get("title")
    paragraphs = entry.get("paragraphs", [entry])
    for number, paragraph in enumerate(_objects(paragraphs, "paragraphs", where), start=1):
        place = f"{where}, paragraph {number}" if "paragraphs" in entry else where
        context = _first(paragraph, _CONTEXTS)
        for question in _objects(paragraph.get("qas", []), "qas", place):
            yield {
                "id": _first(question, _IDS),
                "title": title,
                "context": context,
                "question": _first(question, _QUESTIONS),
                "answers": _answers(question),
                **_extras(question),
            }


def _with_answer_list(record: Mapping[str, Any]) -> Mapping[str, Any]:
    answers = record.get("answers")
    if not isinstance(answers, Mapping) or set(answers) != {"text", "answer_start"}:
        return record
    texts, starts = answers["text"], answers["answer_start"]
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        return record
    pairs = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]
    return {**record, "answers": pairs}


def _objects(entries: Any, name: str, where: str) -> list[Mapping[str, Any]]:
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise DataError(f"'{name}' must be a list of objects.", where=where, hint=_WANTED)
    return entries


def _answers(question: Mapping[str, Any]) -> list[Any] | None:
    """The answers of a question. One that lacks them is not labelled, which is not the same as having no answer."""
    given = _with_answer_list(question).get("answers")
    if given is None:
        return [] if question.get("is_impossible") is True else None
    return [_answer(answer) for answer in (given if isinstance(given, list) else [given])]


def _answer(answer: Any) -> Any:
    """An answer without what is no part of it; a bare text gets its key."""
    if isinstance(answer, str):
        return {"text": answer}
    if isinstance(answer, Mapping):
        return {name: answer[name] for name in ("text", "answer_start") if name in answer}
    return answer


def _extras(question: Mapping[str, Any]) -> dict[str, Any]:
    """What else is said of a question in one word or number, e.g. ``is_impossible``."""
    known = {*_IDS, *_QUESTIONS, "answers", "title", "context"}
    return {
        name: value
        for name, value in question.items()
        if name not in known and isinstance(value, str | int | float | bool | None)
    }


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((record[name] for name in names if name in record), None)

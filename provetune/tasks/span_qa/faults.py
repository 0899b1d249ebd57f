"""Faults that only questions about passages have: answers that are not where they should be, and contradictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import Finding
from provetune.data.places import plural
from provetune.evaluation.answer_scores import normalised

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 5
_MARK = "raw.is_impossible"
_MARKS = {"true": True, "1": True, "false": False, "0": False}


@dataclass
class _Found:
    """Rows with one fault."""

    count: int = 0
    places: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, place: Mapping[str, Any]) -> None:
        self.count += 1
        if place and len(self.places) < _SHOWN:
            self.places.append(place)

    def told(self, kind: str, severity: Any, message: str) -> Iterator[Finding]:
        if self.count:
            yield Finding(kind, severity, self.count, message, tuple(self.places))


def find_answer_faults(splits: Mapping[str, pa.Table]) -> Iterator[Finding]:
    """Answers that are not at their offset, stand nowhere or are empty, and questions answered in two ways or marked
    otherwise than they are answered."""
    yield from _displaced(splits)
    yield from _nowhere(splits)
    yield from _empty(splits)
    yield from _marked_otherwise(splits)
    yield from _contradicting(splits)


def _displaced(splits: Mapping[str, pa.Table]) -> Iterator[Finding]:
    found = _rows_with(splits, lambda answer: answer["text"] and answer["start"] < 0 <= answer["nearest"])
    message = (
        f"{_rows(found.count)} an answer that is not at its offset, but elsewhere in the passage. They are not learned "
        "from there; mend the offsets, or let options.offsets: repair take the nearest place."
    )
    yield from found.told("answer_not_at_offset", "warning", message)


def _nowhere(splits: Mapping[str, pa.Table]) -> Iterator[Finding]:
    found = _rows_with(splits, lambda answer: answer["text"] and answer["nearest"] < 0)
    message = (
        f"{_rows(found.count)} an answer that does not stand in the passage. It cannot be learned, nor ever be "
        "predicted; copy answers from the passage as they stand there."
    )
    yield from found.told("answer_not_in_passage", "warning", message)


def _empty(splits: Mapping[str, pa.Table]) -> Iterator[Finding]:
    found = _rows_with(splits, lambda answer: not answer["text"].strip() or not normalised(answer["text"]))
    message = (
        f"{_rows(found.count)} an answer that is empty, or only punctuation and articles. It counts as no answer; "
        "write an empty list where a question has none."
    )
    yield from found.told("empty_answers", "warning", message)


def _marked_otherwise(splits: Mapping[str, pa.Table]) -> Iterator[Finding]:
    """Questions that SQuAD 2.0's ``is_impossible`` says something else of than their answers do."""
    found = _Found()
    for split, table in splits.items():
        if _MARK not in table.column_names:
            continue
        cells = zip(table.column(_MARK).to_pylist(), table.column("label").to_pylist(), strict=True)
        for number, (mark, label) in enumerate(cells):
            marked = _MARKS.get(str(mark).strip().casefold())
            if label is not None and marked is not None and marked == any(answer["text"].strip() for answer in label):
                found.add(_place(table, number, split))
    message = (
        f"{_rows(found.count)} 'is_impossible' that says otherwise than the answers do. The answers count: without any "
        "the question has none. Correct one of the two."
    )
    yield from found.told("answers_unlike_is_impossible", "warning", message)


def _contradicting(splits: Mapping[str, pa.Table]) -> Iterator[Finding]:
    found, questions = _Found(), 0
    for split, table in splits.items():
        seen: dict[tuple[str, str], list[tuple[int, frozenset[str]]]] = {}
        columns = (table.column(name).to_pylist() for name in ("text", "text_pair", "label"))
        for number, (question, context, label) in enumerate(zip(*columns, strict=True)):
            if question is None or context is None or label is None:
                continue
            answers = frozenset(normalised(answer["text"]) for answer in label) - {""}
            seen.setdefault((" ".join(question.split()).casefold(), context), []).append((number, answers))
        for rows in seen.values():
            if len({answers for _, answers in rows}) > 1:
                questions += 1
                for number, _ in rows:
                    found.add(_place(table, number, split))
    message = (
        f"{plural(questions, 'question is', 'questions are')} asked of one passage more than once with "
        "different answers. Write them as one row with several answers."
    )
    yield from found.told("different_answers", "warning", message)


def _rows_with(splits: Mapping[str, pa.Table], is_so: Callable[[Mapping[str, Any]], Any]) -> _Found:
    found = _Found()
    for split, table in splits.items():
        for number, label in enumerate(_labels(table)):
            if any(is_so(answer) for answer in label):
                found.add(_place(table, number, split))
    return found


def _labels(table: pa.Table) -> Iterable[list[dict[str, Any]]]:
    return (label or [] for label in table.column("label").to_pylist())


def _place(table: pa.Table, number: int, split: str) -> dict[str, Any]:
    if not {"_file", "_row"} <= set(table.column_names):
        return {}
    return {"file": table.column("_file")[number].as_py(), "row": table.column("_row")[number].as_py(), "split": split}


def _rows(count: int) -> str:
    return plural(count, "row has", "rows have")

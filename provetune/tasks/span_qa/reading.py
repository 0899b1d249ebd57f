"""Rows of a file into questions, passages and gold answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provetune.core.errors import DataError
from provetune.core.protocols import BadRow, RowParts
from provetune.data.masked_places import mask_keeping_places
from provetune.tasks.span_qa.answer_cells import Answer, AnswerFault, locate, read_answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from provetune.data.table import RawTable
    from provetune.problem.syntax import Columns, Data

ANSWERED, UNANSWERED = "answered", "unanswered"


def label_type() -> pa.DataType:
    """Gold answers of a row: a list, empty where there is none, of words with their places (`Answer`)."""
    import pyarrow as pa

    return pa.list_(pa.struct([("text", pa.string()), ("start", pa.int32()), ("nearest", pa.int32())]))


def read_questions(raw: RawTable, data: Data, columns: Columns) -> RowParts:
    """``text`` (the question), ``text_pair`` (the passage), ``label`` (its answers), ``stratum`` (has it one?).

    Personal data are masked here, since answers point into the passage.

    Raises:
        DataError: no question or passage column is named, or one is not one column of text.
    """
    import pyarrow as pa

    question, context = single_column(raw, columns, "text"), single_column(raw, columns, "context")
    answers = _answer_cells(raw, columns)
    texts = [raw.table[name].to_pylist() for name in (question, context)]
    rows: list[tuple[str | None, str | None, list[dict[str, Any]] | None]] = []
    bad: list[BadRow] = []
    for number, (asked, passage) in enumerate(zip(*texts, strict=True)):
        try:
            gold = read_answers(answers[0][number], answers[1][number]) if answers else None
        except AnswerFault as fault:
            bad.append(BadRow(number, _label_names(columns)[0], f"{str(fault)[:1].upper()}{str(fault)[1:]}."))
            rows.append((None, None, None))
            continue
        if not asked or not asked.strip() or not passage or not passage.strip():
            rows.append((None, None, None))  # set aside like any row without text
            continue
        located = None if gold is None else [locate(one, passage) for one in gold]
        rows.append(_masked(asked, passage, located, data.mask))
    asked_column, passages, labels = zip(*rows, strict=True) if rows else ((), (), ())
    strata = [None if label is None else ANSWERED if _has_answer(label) else UNANSWERED for label in labels]
    found = {
        "text": pa.array(asked_column, pa.string()),
        "text_pair": pa.array(passages, pa.string()),
        "label": pa.array(labels, label_type()),
        "stratum": pa.array([stratum or "" for stratum in strata], pa.string()),
    }
    return RowParts({name: pa.chunked_array([column]) for name, column in found.items()}, tuple(bad), masked=True)


def single_column(raw: RawTable, columns: Columns, part: str) -> str:
    """The one column of a part.

    Raises:
        DataError: none is named, or several.
    """
    named = columns.part(part)
    if not isinstance(named, str):
        what = {"text": "question", "context": "passage"}[part]
        raise DataError(
            f"The {what} is read from one column.", where=raw.location, hint=f"Name it with data.columns.{part}."
        )
    return named


def _label_names(columns: Columns) -> list[str]:
    named = columns.label
    return [] if named is None else [named] if isinstance(named, str) else list(named)


def _answer_cells(raw: RawTable, columns: Columns) -> tuple[Sequence[str | None], Sequence[str | None]] | None:
    """The cells of the answers and, where they have a column of their own, of their offsets."""
    names = _label_names(columns)
    if not names:
        return None
    if len(names) > 2:
        raise DataError(
            f"Answers are one column, or two with their offsets. Got {len(names)}.",
            where=raw.location,
            hint="Name them with data.columns.label.",
        )
    cells = [raw.table[name].to_pylist() for name in names]
    return cells[0], cells[1] if len(cells) == 2 else [None] * raw.rows


def _masked(
    question: str, context: str, answers: list[Answer] | None, kinds: Sequence[str]
) -> tuple[str, str, list[dict[str, Any]] | None]:
    asked, passage = mask_keeping_places(question, kinds), mask_keeping_places(context, kinds)
    if answers is None:
        return asked.text, passage.text, None
    moved = []
    for answer in answers:
        places = []
        text = answer.text if not kinds else mask_keeping_places(answer.text, kinds).text
        for place in (answer.start, answer.nearest):
            if place >= 0 and passage.finds:
                start, end = passage.span(place, place + len(answer.text))
                text, place = passage.text[start:end], start
            places.append(place)
        moved.append({"text": text, "start": places[0], "nearest": places[1]})
    return asked.text, passage.text, moved


def _has_answer(label: list[dict[str, Any]]) -> bool:
    return any(answer["text"].strip() for answer in label)

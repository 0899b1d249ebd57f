"""A file in, a file out: windows of rows, so that memory stays the same for ten rows and ten million.

Inside a window texts are sorted by length, which saves padding; answers come back in the file's order. All
rows are looked at before the first is answered, so that a fault in the last one costs seconds. The output is
written beside and renamed: a failed run leaves nothing.
"""

from __future__ import annotations

import csv
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from provetune.core.errors import DataError, UsageError
from provetune.core.files import atomic_path
from provetune.core.suggest import advice
from provetune.inference.inputs import Missing, TextColumns, prepare
from provetune.inference.sources import STANDARD, Row, Source, open_source

if TYPE_CHECKING:
    from provetune.inference.predictor import Predictor

WINDOW = 4096
ANSWER_KEYS = ("label", "score", "labels")
_ENDINGS = {".csv": ",", ".tsv": "\t", ".jsonl": None, ".ndjson": None}

Listener: TypeAlias = Callable[[int, int | None], None]


@dataclass(frozen=True)
class FileReport:
    """What was done: rows answered, rows without text that were kept, seconds."""

    rows: int
    missing: int
    seconds: float
    output: str


def predict_file(
    predictor: Predictor,
    source: str | Path,
    output: str | Path,
    *,
    top_k: int | None = None,
    proba: bool = False,
    missing: Missing = "refuse",
    columns: Sequence[str] | None = None,
    progress: Listener | None = None,
    window: int = WINDOW,
) -> FileReport:
    """Answer every row of a file, keeping its order and all its columns.

    The answer's columns are ``label``, ``score`` and, with `proba` or `top_k`, ``labels`` (JSON in a csv); where
    the input has a column of that name, the answer's is called ``predicted_label`` and so on.

    Args:
        source: csv, tsv, json, jsonl, parquet, xlsx or txt; ``"-"`` for the standard input (texts or JSON objects, a
            line each).
        output: csv, tsv or jsonl by its ending; ``"-"`` for jsonl on the standard output.
        missing: what to do about rows without text.
        columns: the text columns, where the file names them otherwise than the training file did.
        progress: told rows done and rows in all (None where that is not known beforehand).
        window: rows held in memory at a time.

    Raises:
        DataError: the file cannot be read, lacks the text column, or a row has no text.
        UsageError: the output's format is unknown, or it is the input itself.
    """
    started = time.perf_counter()
    _check_output(source, output)
    opened = open_source(source)
    wanted = _find_columns(opened, predictor.columns, columns)
    total = _survey(opened, wanted, missing) if opened.repeatable else None
    done = absent = 0
    with _writer(output, opened, _separator(predictor.record)) as write:
        rows = opened.rows()
        while part := list(islice(rows, window)):
            prepared = prepare((row for _, row in part), wanted, missing=missing, where=[place for place, _ in part])
            answers = predictor.answer(prepared, top_k=top_k, proba=proba)
            for (_, row), answer in zip(part, answers, strict=True):
                write(row, answer)
            done += len(part)
            absent += len(part) - len(prepared.places)
            if progress is not None:
                progress(done, total)
    return FileReport(done, absent, time.perf_counter() - started, str(output))


def _survey(source: Source, columns: TextColumns, missing: Missing) -> int:
    """Rows of the source, each looked at for faults."""
    count = 0
    unmasked = replace(columns, mask=(), candidate_mask=())
    for place, row in source.rows():
        if unmasked.texts_of(row, place) is None and missing == "refuse":
            raise DataError(
                "There is no text in this row.",
                where=place,
                hint="Fill it in, or keep such rows unanswered (--keep-empty).",
            )
        count += 1
    if count == 0:
        raise DataError("There are no rows to answer.", hint="The file has a header at most.")
    return count


def _find_columns(source: Source, trained: TextColumns, asked: Sequence[str] | None) -> TextColumns:
    """Which columns hold the text: those asked for, those of the training file, or the only one there is."""
    names = tuple(asked) if asked else trained.names
    if asked and len(names) != len(trained.names):
        raise UsageError(f"This bundle takes {len(trained.names)} text columns. Got {len(names)} instead.")
    columns = replace(trained, names=names)
    # A nested object's columns are dotted: those of 'mail' are 'mail.subject' and 'mail.body'.
    if not source.names or all(name in source.names or name.split(".")[0] in source.names for name in names):
        return columns
    if len(names) == 1 and not asked:
        if len(source.names) == 1:
            return replace(columns, names=source.names)
        if "text" in source.names:
            return replace(columns, names=("text",))
    lacking = next(name for name in names if name not in source.names)
    raise DataError(f"There is no column '{lacking}'.", hint=f"{advice(lacking, source.names)} Name it with --text.")


def _check_output(source: str | Path, output: str | Path) -> None:
    if str(output) == STANDARD:
        return
    path = Path(output)
    if path.suffix.lower() not in _ENDINGS:
        raise UsageError(f"The output must end in {', '.join(_ENDINGS)}. Got '{path.name}' instead.")
    if path.is_dir():
        raise UsageError("The output is a folder.", where=str(path), hint="Name a file in it.")
    if str(source) != STANDARD and path.exists() and path.samefile(Path(source).expanduser()):
        raise UsageError("The output is the input itself.", where=str(path), hint="Choose another name.")


_Write: TypeAlias = Callable[[Row, Mapping[str, Any]], None]


@contextmanager
def _writer(output: str | Path, source: Source, separator: str) -> Iterator[_Write]:
    if str(output) == STANDARD:
        yield _json_writer(sys.stdout)
        sys.stdout.flush()
        return
    path = Path(output)
    delimiter = _ENDINGS[path.suffix.lower()]
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        yield _json_writer(stream) if delimiter is None else _cell_writer(stream, delimiter, source.names, separator)


def _json_writer(stream: IO[str]) -> _Write:
    def write(row: Row, answer: Mapping[str, Any]) -> None:
        whole = {**row, **_renamed(answer, row)}
        stream.write(f"{_to_json(whole)}\n")

    return write


def _cell_writer(stream: IO[str], delimiter: str, names: Sequence[str], separator: str) -> _Write:
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    header: list[str] = []

    def write(row: Row, answer: Mapping[str, Any]) -> None:
        if not header:
            known = list(names) or list(row)
            header.extend([*known, *_renamed(answer, dict.fromkeys(known))])
            writer.writerow(header)
        whole = {**row, **_renamed(answer, dict.fromkeys(names) if names else row)}
        strange = [name for name in whole if name not in header]
        if strange:
            raise DataError(
                f"A row has the column '{strange[0]}', which the first row lacks.",
                hint="Write .jsonl, where every row has its own columns.",
            )
        writer.writerow([_to_cell(whole.get(name), separator) for name in header])

    return write


def _renamed(answer: Mapping[str, Any], row: Row) -> dict[str, Any]:
    return {f"predicted_{key}" if key in row else key: value for key, value in answer.items()}


def _to_cell(value: Any, separator: str) -> Any:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return separator.join(value)
    return _to_json(value) if isinstance(value, dict | list) else value


def _to_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    except ValueError:
        return json.dumps(_without_nan(value), ensure_ascii=False, allow_nan=False, default=str)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_nan(part) for key, part in value.items()}
    return [_without_nan(part) for part in value] if isinstance(value, list | tuple) else value


def _separator(record: Mapping[str, Any]) -> str:
    return str(((record.get("problem") or {}).get("data") or {}).get("label_separator") or "|")

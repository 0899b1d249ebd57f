"""Rows of a source text and a target text: how the columns are found, and how rows are read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.core.protocols import BadRow, Detected, RowParts
from provetune.data.column_names import LABEL_NAMES, name_score
from provetune.data.labels import MISSING_WORDS
from provetune.data.language import detect_language
from provetune.data.parallel_names import (
    HEADLINE_NAMES,
    LANGUAGE_NAMES,
    LONG_TEXT_NAMES,
    SIDES,
    SUMMARY_NAMES,
    TITLE_NAMES,
    TITLED_NAMES,
    last_word,
    whole_name,
)
from provetune.data.profiles import Profile, profile_column
from provetune.data.table import Kind, RawTable
from provetune.problem.syntax import Columns

SOURCE, TARGET = "text", "label"
# OPUS and WMT keep both texts under one key: {"translation": {"en": …, "hr": …}}.
_TRANSLATION = re.compile(r"translation\.(?P<code>[a-z]{2,3})(?:[_-]\w+)?$")
_MOST_REPEATS = 3
_LABEL_REPEATS = 4
_BESIDE_LABELS = 0.55
_SUMMARY_FIT, _HEADLINE_FIT, _TITLE_FIT = 0.85, 0.4, 0.45
_SAMPLE_ROWS = 400
_SAMPLE_LETTERS = 200
_SHOWN_LETTERS = 40
_WORDS = {Kind.NUMBER: "a number", Kind.BOOLEAN: "true or false", Kind.LIST: "a list", Kind.OBJECT: "an object"}


@dataclass(frozen=True)
class _Find:
    """A pair of columns, how well it suits, and why."""

    source: str
    target: str
    fit: float
    why: str


def detect_parallel(raw: RawTable, named: Mapping[str, str | list[str]]) -> Detected:
    """The columns of source and target, by their names or by the languages of their texts.

    Args:
        named: columns that are settled already, by part.
    """
    taken = {name for value in named.values() for name in ([value] if isinstance(value, str) else value)}
    settled = {part: value for part, value in named.items() if part in (SOURCE, TARGET) and isinstance(value, str)}
    profiles = [profile_column(raw, name) for name in raw.names if name not in taken]
    texts = [profile for profile in profiles if profile.filled > 0 and profile.lists < 0.5 and profile.dates < 0.8]
    found = _beside_labels(_by_name(texts) or _by_language(raw, texts), profiles)
    if settled:
        found = _complete(settled, texts, found)
    if found is None:
        reason = "No two columns look like a source and a target."
        return Detected({}, {SOURCE: reason, TARGET: reason}, (), 0.0, reason)
    pair = {SOURCE: found.source, TARGET: found.target}
    columns: dict[str, str | list[str]] = {part: name for part, name in pair.items() if part not in settled}
    return Detected(columns, dict.fromkeys(pair, found.why), _samples(raw, list(pair.values())), found.fit, found.why)


def read_parallel(raw: RawTable, columns: Columns) -> RowParts:
    """``text`` (the source) and ``label`` (the target; null where its cell is empty). Cells without text are bad rows.

    Raises:
        DataError: source or target column is not one column.
    """
    found: dict[str, pa.ChunkedArray] = {}
    bad: list[BadRow] = []
    for part in (SOURCE, TARGET):
        name = columns.part(part)
        if isinstance(name, list) and len(name) == 1:
            name = name[0]
        if name is None and part == TARGET:
            found[part] = pa.chunked_array([pa.nulls(raw.rows, pa.string())])
            continue
        if not isinstance(name, str):
            what = "source" if part == SOURCE else "target"
            raise DataError(
                f"The {what} must be one column.", where=raw.location, hint=f"Name it with data.columns.{part}."
            )
        found[part], faults = _read_column(raw, name, blank_is_missing=part == TARGET)
        bad += faults
    if bad:
        rows = pa.array(np.isin(np.arange(raw.rows), [fault.row for fault in bad]))
        nothing = pa.scalar(None, pa.string())
        found = {part: pc.if_else(rows, nothing, cells) for part, cells in found.items()}
    return RowParts(found, tuple(sorted(bad, key=lambda fault: fault.row)))


def _read_column(raw: RawTable, name: str, *, blank_is_missing: bool) -> tuple[pa.ChunkedArray, list[BadRow]]:
    cells = raw.table[name]
    kinds = raw.kind_of(name)
    bad = []
    for row in np.flatnonzero(kinds > Kind.MISSING).tolist():
        shown = (cells[row].as_py() or "")[:_SHOWN_LETTERS]
        bad.append(BadRow(row, name, f"There is {_WORDS[Kind(int(kinds[row]))]} where text is wanted: {shown}."))
    missing = pc.is_in(cells, pa.array(MISSING_WORDS))
    if blank_is_missing:
        missing = pc.or_(missing, pc.match_substring_regex(cells, r"^[\s\x{a0}\x{3000}]*$"))
    return pc.if_else(pc.fill_null(missing, True), pa.scalar(None, pa.string()), cells), bad


def _by_name(texts: Sequence[Profile]) -> _Find | None:
    names = [profile.name for profile in texts]
    wordy = [profile.name for profile in texts if profile.can_be_text and profile.repeat < _MOST_REPEATS]
    # "id" is Indonesian, and far more often an identifier.
    told = {name: _TRANSLATION.match(name) for name in wordy}
    languages = [
        (name, match["code"] if (match := told[name]) else LANGUAGE_NAMES[whole_name(name)])
        for name in wordy
        if told[name] or whole_name(name) in LANGUAGE_NAMES
    ]
    if len(languages) > 1 and languages[0][1] != languages[1][1]:
        (source, _), (target, _) = languages[:2]
        return _Find(source, target, 0.95, f"'{source}' and '{target}' are called after languages.")
    for sources, targets in SIDES:
        first = next((name for name in names if whole_name(name) in sources), None)
        second = next((name for name in names if whole_name(name) in targets and name != first), None)
        if first and second and _is_varied(texts, second):
            return _Find(first, second, 0.8, f"'{first}' and '{second}' are called like a source and a target.")
    return _summary(texts)


def _summary(texts: Sequence[Profile]) -> _Find | None:
    """A long text and a shorter one called like a summary of it, or else like its title."""
    for profile in sorted(texts, key=lambda each: last_word(each.name) in TITLE_NAMES):
        name = last_word(profile.name)
        if name not in SUMMARY_NAMES | TITLE_NAMES or profile.repeat > 1.5:
            continue
        longer = [
            other
            for other in texts
            if last_word(other.name) in (TITLED_NAMES if name in TITLE_NAMES else LONG_TEXT_NAMES)
            and other.name != profile.name
            and other.mean_length > 1.5 * profile.mean_length
        ]
        if longer:
            source = max(longer, key=lambda other: other.mean_length).name
            fit = _TITLE_FIT if name in TITLE_NAMES else _HEADLINE_FIT if name in HEADLINE_NAMES else _SUMMARY_FIT
            what = "a title" if name in TITLE_NAMES else "a summary"
            why = f"'{profile.name}' is called like {what} and is shorter than '{source}'."
            return _Find(source, profile.name, fit, why)
    return None


def _by_language(raw: RawTable, texts: Sequence[Profile]) -> _Find | None:
    """The first two columns of varied texts in different languages."""
    varied = [
        profile for profile in texts if profile.can_be_text and profile.codes < 0.5 and profile.repeat < _MOST_REPEATS
    ]
    told = [(profile.name, detect_language(_sample(raw, profile.name))) for profile in varied]
    known = [(name, language) for name, language in told if language != "und"]
    for k, (source, first) in enumerate(known):
        for target, second in known[k + 1 :]:
            if first != second:
                return _Find(source, target, 0.7, f"'{source}' is in '{first}', '{target}' in '{second}'.")
    return None


def _beside_labels(found: _Find | None, profiles: Sequence[Profile]) -> _Find | None:
    """Less sure of a pair where another column looks like what the rows are there for: labels that come back."""
    if found is None:
        return None
    others = [each for each in profiles if each.name not in (found.source, found.target) and each.can_be_label]
    labels = [each.name for each in others if each.repeat >= _LABEL_REPEATS and name_score(each.name, LABEL_NAMES) > 0]
    if not labels:
        return found
    return replace(found, fit=min(found.fit, _BESIDE_LABELS), why=f"{found.why} But '{labels[0]}' looks like a label.")


def _complete(settled: Mapping[str, str], texts: Sequence[Profile], found: _Find | None) -> _Find | None:
    """The other side of the one that is named: as found, else the column with the longest texts."""
    if len(settled) == 2:
        return _Find(settled[SOURCE], settled[TARGET], 0.5, "You said so.")
    if found is None:
        wordy = [profile for profile in texts if profile.can_be_text]
        if not wordy:
            return None
        other = max(wordy, key=lambda profile: profile.mean_length).name
    else:
        other = found.target if SOURCE in settled else found.source
    source, target = (settled[SOURCE], other) if SOURCE in settled else (other, settled[TARGET])
    return _Find(source, target, found.fit if found else 0.3, f"'{other}' looks like the other side.")


def _is_varied(texts: Sequence[Profile], name: str) -> bool:
    return next(profile for profile in texts if profile.name == name).repeat < _MOST_REPEATS


def _sample(raw: RawTable, name: str) -> list[str]:
    places = np.unique(np.linspace(0, max(0, raw.rows - 1), min(raw.rows, _SAMPLE_ROWS)).astype(np.int64))
    return [cell for cell in pc.take(raw.table[name], pa.array(places)).to_pylist() if cell]


def _samples(raw: RawTable, names: Sequence[str]) -> tuple[Mapping[str, str | None], ...]:
    rows = raw.table.select(list(dict.fromkeys(names))).slice(0, 3).to_pylist()
    return tuple({name: None if cell is None else cell[:_SAMPLE_LETTERS] for name, cell in row.items()} for row in rows)

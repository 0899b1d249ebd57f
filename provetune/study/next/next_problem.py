"""The problem file of a step: the person's own with what the step changes, else the resolved one with it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from provetune.problem.document import SyntaxFault, dump_document, read_document
from provetune.problem.syntax import Problem
from provetune.study.members import with_members
from provetune.study.next.file_edits import CannotEdit, add_items, comment_out, put
from provetune.study.next.step import TABLE, Change

_PATHS = ("train", "validation", "test")


@dataclass(frozen=True)
class Source:
    """What a new problem file is made from.

    Attributes:
        path: the person's problem file.
        text: its text; None where it does not hold the study's candidates any more.
        resolved: the study's problem with every choice made.
    """

    path: Path
    text: str | None
    resolved: Problem


def read_source(path: Path, resolved: Problem) -> Source:
    """The file of a study, where it still says what was run."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = read_document(text)
    except (OSError, UnicodeDecodeError, SyntaxFault):
        return Source(path, None, resolved)
    value = document.value
    named = value.get("candidates") if isinstance(value, dict) else None
    if document.faults or not isinstance(named, dict) or not _same_candidates(named, resolved):
        return Source(path, None, resolved)
    return Source(path, text.replace("\r\n", "\n"), resolved)


def write_problem_text(source: Source, change: Change, table: str | None, folder: Path) -> str:
    """The text of a new problem file.

    Args:
        table: name of the file beside it that stands where `change` says ``TABLE``.
        folder: where it will lie; relative names in it are made to fit.
    """
    change = _with_members(change, source.resolved)
    if source.text is not None:
        value = read_document(source.text).value
        wanted = _changed(value, source.resolved, change, table)
        _fit_paths(wanted, source.path.parent, folder)
        try:
            text = _edited(source.text, value, wanted, change)
            if read_document(text).value == wanted:
                return _with_head(text, change, table)
        except (CannotEdit, SyntaxFault):
            pass
        return _with_head(dump_document(wanted), change, table)
    wanted = _changed(source.resolved.model_dump(), source.resolved, change, table)
    _fit_paths(wanted, source.path.parent, folder)
    return _with_head(dump_document(wanted), change, table)


def _with_members(change: Change, resolved: Problem) -> Change:
    """The change that also keeps what the candidates that it keeps are made of."""
    known = [name for name in change.keep if name in resolved.candidates]
    needed = with_members(known, resolved.candidates)
    more = tuple(name for name in resolved.candidates if name in needed and name not in change.keep)
    return replace(change, keep=(*change.keep, *more))


def _same_candidates(named: Mapping[str, Any], resolved: Problem) -> bool:
    """Whether a file's candidates are those that were run; the baseline may have been added to them."""
    for name, one in resolved.candidates.items():
        written = named.get(name)
        if written is None and one.method == "tfidf":
            continue
        if not isinstance(written, dict) or written.get("method") != one.method:
            return False
    return set(named) <= set(resolved.candidates)


def _changed(value: Mapping[str, Any], resolved: Problem, change: Change, table: str | None) -> dict[str, Any]:
    """The file's content as it is to be."""
    wanted: dict[str, Any] = copy.deepcopy(dict(value))
    named: dict[str, Any] = wanted.get("candidates") or {}
    candidates = {name: each for name, each in named.items() if name in change.keep}
    for name in change.keep:
        candidates.setdefault(name, _as_written(name, named, resolved))
    for name, (base, fields) in change.add.items():
        start = {} if base is None else copy.deepcopy(_as_written(base, named, resolved))
        if fields.get("method", start.get("method")) != start.get("method"):
            # Another method has other settings; what it learns from stays.
            start = {key: start[key] for key in ("data",) if key in start}
        candidates[name] = _merged(start, _with_table(fields, table))
    wanted["candidates"] = candidates
    wanted["claims"] = list(change.claims)
    for keys, new in change.put:
        here = wanted
        for key in keys[:-1]:
            if not isinstance(here.get(key), dict):
                here[key] = {}
            here = here[key]
        here[keys[-1]] = new
    return wanted


def _as_written(name: str, named: Mapping[str, Any], resolved: Problem) -> dict[str, Any]:
    """A candidate as the file has it; one that was added to the file's, as the study ran it."""
    if isinstance(named.get(name), dict):
        return dict(named[name])
    return {"method": resolved.candidates[name].method} if name in resolved.candidates else {}


def _merged(start: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in fields.items():
        known = start.get(key)
        start[key] = {**known, **value} if isinstance(known, dict) and isinstance(value, Mapping) else value
    return start


def _with_table(fields: Mapping[str, Any], table: str | None) -> dict[str, Any]:
    return {
        key: _with_table(value, table) if isinstance(value, Mapping) else (table if value == TABLE else value)
        for key, value in fields.items()
    }


def _fit_paths(wanted: dict[str, Any], before: Path, folder: Path) -> None:
    """Make names of files that are relative to the old file's folder absolute, where the new one lies elsewhere."""
    if before.resolve() == folder.resolve():
        return
    data = wanted.get("data")
    places = [(data, key) for key in _PATHS] if isinstance(data, dict) else []
    for candidate in wanted["candidates"].values():
        places.append((candidate, "backbone"))
        if isinstance(candidate.get("data"), dict):
            places.append((candidate["data"], "corrections"))
    for section, key in places:
        name = section.get(key)
        if isinstance(name, str) and not name.startswith("hub:") and (before / name).exists():
            section[key] = str((before / name).resolve())


def _edited(text: str, value: Mapping[str, Any], wanted: Mapping[str, Any], change: Change) -> str:
    """The old text turned into one that says `wanted`, one edit after another."""
    old, new = value.get("candidates") or {}, wanted["candidates"]
    for name, each in new.items():
        if name not in old:
            text = put(text, ("candidates", name), each)
        elif old[name] != each:
            text = _edit_section(text, ("candidates", name), old[name], each)
    for name in old:
        if name not in new:
            text = comment_out(text, ("candidates", name))
    text = _edit_claims(text, value.get("claims"), wanted["claims"])
    for section in (key for key in wanted if key not in ("candidates", "claims")):
        if wanted[section] != value.get(section):
            text = _edit_section(text, (section,), value.get(section), wanted[section])
    return text


def _edit_section(text: str, keys: tuple[str, ...], old: Any, new: Any) -> str:
    if isinstance(old, dict) and isinstance(new, dict) and set(old) <= set(new):
        for key, value in new.items():
            if old.get(key) != value or key not in old:
                text = _edit_section(text, (*keys, key), old.get(key), value)
        return text
    return put(text, keys, new)


def _edit_claims(text: str, old: Any, new: list[str]) -> str:
    if not isinstance(old, list) or not old:
        return put(text, ("claims",), new)
    try:
        text = add_items(text, ("claims",), [claim for claim in new if claim not in old])
    except CannotEdit:
        return put(text, ("claims",), new)
    for number, claim in reversed(list(enumerate(old))):
        if claim not in new:
            text = comment_out(text, ("claims", number))
    return text


def _with_head(text: str, change: Change, table: str | None) -> str:
    lines = [f"# {line.replace(TABLE, table or '')}" for line in change.head]
    return "\n".join([*lines, text]) if lines else text

"""Which column plays which part: found by name and by content, or as the problem file says.

An identifier is never taken for a label: a column whose values do not come back cannot be learned.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from provetune.core.errors import DataError
from provetune.core.protocols import Detected, Role
from provetune.core.suggest import advice
from provetune.data.column_names import (
    EITHER_NAMES,
    LABEL_NAMES,
    TEXT_NAMES,
    TITLE_NAMES,
    find_partner,
    name_score,
)
from provetune.data.profiles import Profile, profile_column
from provetune.data.table import RawTable
from provetune.problem.syntax import Columns

_SAMPLE_LETTERS = 200
_GROUP = "group"
# In a file of so few rows, a label comes back less often; a short cell is one of a few words.
_FEW_ROWS = 20
_SHORT = 30
# Two columns of texts this close (the same text in two languages, say) are told apart by nothing but their order.
_NEAR_TIE = 0.5
# So many columns of 0 and 1 are one for each label; two or one may be anything.
_LEAST_FLAGS = 3


class Detects(Protocol):
    """A task, as far as finding columns goes (`provetune.core.protocols.Task`)."""

    roles: tuple[Role, ...]

    def detect(self, raw: RawTable, named: Mapping[str, str | list[str]]) -> Detected: ...


def detect_columns(raw: RawTable, roles: Sequence[Role], *, taken: Collection[str] = ()) -> Detected:
    """Find a column for every role.

    Args:
        roles: ``text`` and ``label`` are found by name and content, others by their exact name.
        taken: columns that already have a part.
    """
    profiles = {name: profile_column(raw, name) for name in raw.names if name not in taken}
    columns: dict[str, str | list[str]] = {}
    reasons: dict[str, str] = {}
    # The label first: what is certainly a label is not a text.
    for role in sorted(roles, key=lambda role: role.name != "label"):
        free = [profile for name, profile in profiles.items() if name not in flat_names(columns.values())]
        found: str | list[str] | None
        if role.name == "label":
            found, reason = _find_label(free, many=role.many)
        elif role.name == "text":
            found, reason = _find_text(free, many=role.many)
        else:
            found = role.name if role.name in profiles else None
            reason = f"The column is called '{role.name}'." if found else f"No column is called '{role.name}'."
        reasons[role.name] = reason
        if found is not None:
            columns[role.name] = found
    return Detected(columns, reasons, sample_rows(raw, columns))


def resolve_columns(raw: RawTable, columns: Columns, task: Detects) -> Columns:
    """The columns as named in the problem file, the rest found by the task.

    Raises:
        DataError: a named column does not exist (names the nearest), one column has two parts, or no column
            was found for a role that is required.
    """
    named = columns.named()
    check_named(raw, named, [role.name for role in task.roles])
    known = {role.name for role in task.roles} | {"id", "time"}
    detected = task.detect(raw, {field: value for field, value in named.items() if field in known})
    for role in task.roles:
        if role.required and role.name not in named and role.name not in detected.columns:
            raise DataError(
                f"{detected.reasons[role.name]} Needed is: {role.description}",
                where=raw.location,
                hint=f"Name it with data.columns.{role.name}. Columns: {', '.join(raw.names[:20])}.",
            )
    roles = {role.name for role in task.roles}
    found = {name: value for name, value in detected.columns.items() if name in roles and name not in named}
    return Columns.model_validate({**columns.model_dump(), **found})


def check_named(raw: RawTable, named: Mapping[str, str | list[str]], roles: Sequence[str]) -> None:
    """Columns that a person named are there, each with one part; what rows are kept together by may be one of these.

    Raises:
        DataError: one is not (names the nearest), or has two parts.
    """
    for field, value in named.items():
        for name in flat_names([value]):
            if name not in raw.names:
                raise DataError(
                    f"There is no column '{name}' (data.columns.{field}).",
                    where=raw.location,
                    hint=advice(name, raw.names),
                )
    taken = flat_names([named[role] for role in roles if role in named and role != _GROUP])
    twice = [name for name in taken if taken.count(name) > 1]
    if twice:
        raise DataError(
            f"Column '{twice[0]}' is named for two parts.", where=raw.location, hint="Name one column for each part."
        )


def _find_label(profiles: Sequence[Profile], *, many: bool) -> tuple[str | list[str] | None, str]:
    flags = [profile.name for profile in profiles if profile.flags == 1.0 and profile.filled > 0]
    called = any(p.can_be_label and p.distinct > 1 and name_score(p.name, LABEL_NAMES) > 2 for p in profiles)
    if many and len(flags) >= _LEAST_FLAGS and not called:
        return flags, f"{len(flags)} columns hold 0 or 1, one for each label: a row may have several."
    scores = {profile.name: _label_score(profile) for profile in profiles if profile.can_be_label}
    scores = {name: score for name, score in scores.items() if score > 0}
    if not scores:
        refused = next((p for p in profiles if p.is_identifier and name_score(p.name, LABEL_NAMES) > 1), None)
        if refused:
            return None, f"'{refused.name}' is called like a label but looks like an identifier."
        return None, "No column looks like a label."
    name = max(scores, key=lambda name: scores[name])
    profile = next(profile for profile in profiles if profile.name == name)
    why = "is called like a label and" if name_score(name, LABEL_NAMES) > 0 else "looks like a label: it"
    values = f"{profile.distinct} different values in {profile.rows} rows"
    rest = [other for other in scores if other != name]
    more = f" Other candidates: {', '.join(rest)}." if rest else ""
    return name, f"'{name}' {why} has {values}.{more}"


def _label_score(profile: Profile) -> float:
    by_name = max(name_score(profile.name, LABEL_NAMES), _either_score(profile))
    if by_name == 0 and not _looks_like_label(profile):
        return 0.0
    if by_name < 2 and profile.repeat < 2:
        return 0.0
    if profile.distinct < 2 and profile.rows > 1:
        return 0.01  # nothing can be learned from it: better any other
    by_content = min(1.0, math.log10(max(1.0, profile.repeat)) / 3) + (0.3 if profile.distinct > 1 else 0.0)
    quantity = 1.0 if profile.decimals > 0.5 or (profile.numbers > 0.9 and profile.distinct > 20) else 0.0
    text_like = 1.0 if by_name == 0 and name_score(profile.name, TEXT_NAMES) > 2 else 0.0
    return max(0.01, 2 * by_name + by_content - quantity - text_like)


def _looks_like_label(profile: Profile) -> bool:
    """Whether cells alone, whatever the column is called, speak for a label: few values that come back often."""
    if profile.distinct < 2 or profile.decimals > 0.5 or profile.named_identifier:
        return False
    if profile.lists > 0.5:
        return profile.name_lists == 1.0 and profile.repeat >= 4
    if profile.rows < _FEW_ROWS:
        return profile.repeat >= 2 and profile.mean_length <= _SHORT
    return profile.repeat >= 4


def _either_score(profile: Profile) -> float:
    """How much a name that is a text's as well as a label's speaks for a label: nothing unless the cells do."""
    named = name_score(profile.name, EITHER_NAMES)
    return min(1.0, named) if profile.distinct > 1 and profile.repeat >= 2 and profile.mean_length <= _SHORT else 0.0


def _find_text(profiles: Sequence[Profile], *, many: bool) -> tuple[str | list[str] | None, str]:
    scores = {profile.name: _text_score(profile) for profile in profiles if profile.can_be_text}
    if not scores:
        return None, "No column looks like text."
    highest = max(scores.values())
    best = next(name for name in scores if scores[name] > highest - _NEAR_TIE)
    if many:
        for first in sorted(scores, key=lambda name: -scores[name]):
            second = find_partner(first, list(scores))
            if second and best in (first, second):
                return [first, second], f"'{first}' and '{second}' are called like a pair."
    profile = next(profile for profile in profiles if profile.name == best)
    why = "is called like a text" if name_score(best, TEXT_NAMES) > 0 else "has the longest, most varied cells"
    rest = [name for name in scores if name != best and _is_wordy(next(p for p in profiles if p.name == name))]
    more = f" Other text columns: {', '.join(rest)}." if rest else ""
    return best, f"'{best}' {why} (mean length {profile.mean_length:.0f}).{more}"


def _text_score(profile: Profile) -> float:
    by_name = max(name_score(profile.name, TEXT_NAMES), 0.3 * name_score(profile.name, TITLE_NAMES))
    varied = profile.distinct / max(1.0, profile.filled * profile.rows)
    return 3 * by_name + math.log(1 + profile.mean_length) * profile.filled + 2 * varied


def _is_wordy(profile: Profile) -> bool:
    return profile.mean_length >= 15 and profile.repeat < 2 and profile.codes < 0.5


def sample_rows(raw: RawTable, columns: Mapping[str, str | list[str]]) -> tuple[Mapping[str, str | None], ...]:
    """The first three rows of the columns that have a part, cells cut to 200 letters."""
    head = raw.table.slice(0, 3)
    rows = []
    for number in range(head.num_rows):
        cells = {name: head[name][number].as_py() for name in flat_names(columns.values())}
        rows.append({name: None if cell is None else cell[:_SAMPLE_LETTERS] for name, cell in cells.items()})
    return tuple(rows)


def flat_names(values: Collection[str | list[str]]) -> list[str]:
    """Column names, of those that stand alone and of those in lists."""
    return [name for value in values for name in ([value] if isinstance(value, str) else value)]

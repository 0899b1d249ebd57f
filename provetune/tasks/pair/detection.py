"""Whether a file holds pairs of texts with a label on each, and in which columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provetune.core.protocols import Detected, Role
from provetune.data.column_names import name_words
from provetune.data.columns import detect_columns, flat_names
from provetune.data.pair_texts import find_pair
from provetune.data.profiles import profile_column
from provetune.data.table import RawTable

_MOST_KINDS = 20
_DECIMALS = 0.2
_LETTERS = 200
_ORIGINS = frozenset(("genre", "domain", "source", "type", "kind", "department", "dataset", "split"))


def detect_pair(raw: RawTable, named: Mapping[str, str | list[str]], roles: Sequence[Role]) -> Detected:
    """Columns of the two texts and the label that are not named."""
    columns: dict[str, str | list[str]] = {}
    reasons: dict[str, str] = {}
    called = True
    if "text" not in named:
        pair, reasons["text"], called = find_pair(raw, flat_names(list(named.values())))
        if pair is not None:
            columns["text"] = pair
    if "label" not in named:
        taken = flat_names([*named.values(), *columns.values()])
        found = detect_columns(raw, [role for role in roles if role.name == "label"], taken=taken)
        columns, reasons = {**columns, **found.columns}, {**reasons, **found.reasons}
    fit, why = _judge_fit(raw, {**named, **columns}, called)
    names = flat_names(list(columns.values()))
    rows = raw.table.slice(0, 3).select(names).to_pylist() if names else []
    samples = tuple({name: None if cell is None else cell[:_LETTERS] for name, cell in row.items()} for row in rows)
    return Detected(columns, reasons, samples, fit, why)


def _judge_fit(raw: RawTable, columns: Mapping[str, str | list[str]], called: bool) -> tuple[float, str]:
    text, label = columns.get("text"), columns.get("label")
    if not isinstance(text, list) or len(text) != 2:
        return 0.0, "There are no two columns of texts."
    if not isinstance(label, str):
        return 0.1, f"'{text[0]}' and '{text[1]}' may be pairs, but no column looks like a label."
    profile = profile_column(raw, label)
    if profile.decimals > _DECIMALS:
        return 0.2, f"'{label}' holds numbers with decimals: a score rather than a label."
    if profile.distinct > _MOST_KINDS:
        return 0.25, f"'{label}' has {profile.distinct:,} different values, which is many for pairs."
    why = f"'{text[0]}' and '{text[1]}' are two texts, and '{label}' says one of {profile.distinct} things about them."
    # Where texts are from is seldom what is asked about a pair of them.
    return (0.8 if called and not set(name_words(label)) <= _ORIGINS else 0.5), why

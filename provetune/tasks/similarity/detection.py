"""Whether a file holds pairs of texts with a number on each, and in which columns."""

from __future__ import annotations

from collections.abc import Mapping

from provetune.core.protocols import Detected
from provetune.data.column_names import name_score
from provetune.data.columns import flat_names
from provetune.data.pair_texts import find_pair
from provetune.data.profiles import Profile, profile_column
from provetune.data.table import RawTable

_NAMES = [
    *("similarity", "relatedness", "score", "sim", "value", "rating", "grade", "label"),
    *("相似度", "相关度", "分数", "得分", "评分"),
]
_NUMBERS, _DECIMALS, _FEW = 0.9, 0.2, 4
_LETTERS = 200


def detect_similarity(raw: RawTable, named: Mapping[str, str | list[str]]) -> Detected:
    """Columns of the two texts and the number that are not named."""
    columns: dict[str, str | list[str]] = {}
    reasons: dict[str, str] = {}
    called = True
    if "text" not in named:
        pair, reasons["text"], called = find_pair(raw, flat_names(list(named.values())))
        if pair is not None:
            columns["text"] = pair
    if "label" not in named:
        taken = flat_names([*named.values(), *columns.values()])
        profiles = [profile_column(raw, name) for name in raw.names if name not in taken]
        numbers = [each for each in profiles if _may_be_value(each)]
        best = max(numbers, key=_value_score, default=None)
        reasons["label"] = "No column holds numbers." if best is None else f"'{best.name}' holds numbers."
        if best is not None:
            columns["label"] = best.name
    fit, why = _judge_fit(raw, {**named, **columns}, called)
    names = flat_names(list(columns.values()))
    rows = raw.table.slice(0, 3).select(names).to_pylist() if names else []
    samples = tuple({name: None if cell is None else cell[:_LETTERS] for name, cell in row.items()} for row in rows)
    return Detected(columns, reasons, samples, fit, why)


def _may_be_value(profile: Profile) -> bool:
    """Whole numbers of which none comes back count the rows; with decimals, or called so, they measure something."""
    if profile.numbers <= _NUMBERS or profile.distinct < 2 or profile.named_identifier:
        return False
    return profile.repeat > 1.2 or profile.decimals > _DECIMALS or name_score(profile.name, _NAMES) > 0


def _value_score(profile: Profile) -> float:
    return 2 * name_score(profile.name, _NAMES) + (1.0 if profile.decimals > _DECIMALS else 0.0)


def _judge_fit(raw: RawTable, columns: Mapping[str, str | list[str]], called: bool) -> tuple[float, str]:
    text, label = columns.get("text"), columns.get("label")
    if not isinstance(text, list) or len(text) != 2:
        return 0.0, "There are no two columns of texts."
    if not isinstance(label, str):
        return 0.0, "No column holds numbers."
    profile = profile_column(raw, label)
    if profile.numbers <= _NUMBERS:
        return 0.0, f"'{label}' is no number."
    sides = f"'{text[0]}' and '{text[1]}' are two texts"
    if profile.decimals > _DECIMALS:
        return (0.75 if called else 0.6), f"{sides}, and '{label}' holds numbers with decimals."
    if profile.distinct > _FEW:
        return (0.6 if called else 0.4), f"{sides}, and '{label}' holds {profile.distinct} different whole numbers."
    return 0.2, f"{sides}, but '{label}' holds {profile.distinct} whole numbers, which may be kinds."

"""Which column of a file is the number to predict: by name and by what its cells hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from provetune.core.protocols import Detected, Role
from provetune.data.column_names import name_score
from provetune.data.columns import detect_columns, flat_names
from provetune.data.profiles import Profile, profile_column
from provetune.data.table import RawTable

VALUE_NAMES = [
    *("score", "value", "rating", "relatedness", "similarity", "label", "target", "y", "sentiment", "polarity"),
    *("valence", "arousal", "intensity", "strength", "grade", "mark", "points", "price", "amount", "temperature"),
    *("level", "stars", "quality", "difficulty", "readability", "probability"),
    *("分数", "得分", "评分", "打分", "分值", "数值", "情感值", "强度", "程度", "相似度"),
    *("价格", "金额", "星级", "温度", "难度", "热度"),
]
_FEW = 20
_NUMBERS, _FRACTIONS = 0.9, 0.2


def detect_values(raw: RawTable, named: Mapping[str, str | list[str]], roles: Sequence[Role]) -> Detected:
    """Columns of the text and the number that are not named, and how well numbers suit the file."""
    columns: dict[str, str | list[str]] = {}
    reasons: dict[str, str] = {}
    label = named.get("label")
    if label is None:
        found, reasons["label"] = _find_value(raw, flat_names(list(named.values())))
        if found is not None:
            columns["label"] = label = found
    taken = flat_names([*named.values(), *columns.values()])
    if "text" not in named:
        text = detect_columns(raw, [role for role in roles if role.name == "text"], taken=taken)
        columns, reasons = {**columns, **text.columns}, {**reasons, **text.reasons}
    settled = {**columns, **{name: named[name] for name in ("text", "label") if name in named}}
    fit, why = _judge_fit(raw, settled)
    return Detected(columns, reasons, _samples(raw, columns), fit, why)


def _find_value(raw: RawTable, taken: Collection[str]) -> tuple[str | None, str]:
    profiles = [profile_column(raw, name) for name in raw.names if name not in taken]
    scores = {one.name: _value_score(raw, one) for one in profiles if _may_be_value(raw, one)}
    if not scores:
        return None, "No column looks like a number to predict."
    name = max(scores, key=lambda name: scores[name])
    profile = next(one for one in profiles if one.name == name)
    rest = [other for other in scores if other != name]
    more = f" Other columns of numbers: {', '.join(rest)}." if rest else ""
    return name, f"'{name}' holds numbers, {profile.distinct} different ones in {profile.rows} rows.{more}"


def _may_be_value(raw: RawTable, profile: Profile) -> bool:
    if profile.named_identifier or profile.distinct < 2:
        return False
    if profile.numbers < _NUMBERS or profile.dates > 0.5:
        return False
    # Whole numbers of which none comes back count the rows; with fractions they measure something.
    return profile.repeat > 1.2 or _fractions(raw, profile.name) > 0 or name_score(profile.name, VALUE_NAMES) > 0


def _value_score(raw: RawTable, profile: Profile) -> float:
    by_content = 1.0 if _fractions(raw, profile.name) > _FRACTIONS else 0.0
    return 2 * name_score(profile.name, VALUE_NAMES) + by_content + (0.5 if profile.distinct > _FEW else 0.0)


def _fractions(raw: RawTable, name: str) -> float:
    """Share of the filled cells, in the first thousand, whose number is not whole."""
    from provetune.data.values import read_values

    head = RawTable(raw.table.slice(0, 1000), raw.location, raw.format)
    values = np.asarray(read_values(head, name)[0].drop_null().to_numpy(zero_copy_only=False), dtype=np.float64)
    return float((values != np.round(values)).mean()) if len(values) else 0.0


def _judge_fit(raw: RawTable, columns: Mapping[str, str | list[str]]) -> tuple[float, str]:
    """Decimals of many kinds are hardly anything else; whole numbers may be kinds or steps as well."""
    if "text" not in columns:
        return 0.0, "There is no text to judge."
    label = columns.get("label")
    if label is None:
        return 0.0, "No column holds numbers to predict."
    profiles = [profile_column(raw, name) for name in flat_names([label])]
    if any(one.numbers < _NUMBERS and one.lists < 0.5 for one in profiles):
        return 0.0, "The label is no number."
    pair = isinstance(columns["text"], list)
    broken = [one for one in profiles if one.lists >= 0.5 or _fractions(raw, one.name) > _FRACTIONS]
    many = all(one.distinct > min(_FEW, one.rows / 2) or one.lists >= 0.5 for one in profiles)
    what = "' and '".join(one.name for one in profiles)
    if len(broken) == len(profiles) and many:
        return (0.55 if pair else 0.75), f"'{what}' holds numbers with decimals."
    if many:
        return 0.45, f"'{what}' holds whole numbers of many kinds."
    return 0.2, f"'{what}' holds numbers of few kinds."


def _samples(
    raw: RawTable, columns: Mapping[str, str | list[str]], letters: int = 200
) -> tuple[Mapping[str, str | None], ...]:
    names = flat_names(list(columns.values()))
    rows = raw.table.slice(0, 3).select(names).to_pylist() if names else []
    return tuple({name: None if cell is None else cell[:letters] for name, cell in row.items()} for row in rows)

"""Label Studio's JSON export as flat records: the task's data, and a column for each control of the labelling page.

A column of spans holds a list of them, one of choices a name, or names where several were chosen; ratings, numbers and
texts are as they stand. Of several annotations of a task the first counts that was not cancelled, or the one that is
marked as ground truth. Predictions and relations are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_LISTS = ("annotations", "completions")
_SPANS = ("labels", "hypertextlabels")
_PLAIN = ("choices", "rating", "number", "textarea")


def is_export(records: Sequence[Any]) -> bool:
    """Whether records are tasks with annotations."""
    first = records[0] if records else None
    return (
        isinstance(first, Mapping)
        and isinstance(first.get("data"), Mapping)
        and any(isinstance(first.get(name), list) for name in _LISTS)
    )


def flat_tasks(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A record a task; one that was never annotated has nothing in the columns of the controls."""
    found = [_results(record) for record in records]
    controls = {str(one.get("from_name")): one.get("type") for results in found for one in results or () if _known(one)}
    rows = []
    for record, results in zip(records, found, strict=True):
        data = record.get("data")
        row: dict[str, Any] = {"id": record.get("id"), **(data if isinstance(data, Mapping) else {})}
        texts = [value for value in row.values() if isinstance(value, str)]
        for control, kind in controls.items():
            name = f"annotation.{control}" if control in row else control
            own = [one for one in results or () if str(one.get("from_name")) == control and _known(one)]
            row[name] = None if results is None else _value(own, str(kind), texts)
        rows.append(row)
    return rows


def _results(record: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """What was said of a task; None where nobody looked at it."""
    given: list[Any] = next((record[name] for name in _LISTS if isinstance(record.get(name), list)), [])
    kept = [each for each in given if isinstance(each, Mapping) and not each.get("was_cancelled")]
    chosen = next((each for each in kept if each.get("ground_truth")), kept[0] if kept else None)
    results = None if chosen is None else chosen.get("result")
    return [one for one in results if isinstance(one, Mapping)] if isinstance(results, list) else None


def _known(one: Mapping[str, Any]) -> bool:
    return one.get("type") in _SPANS + _PLAIN and isinstance(one.get("value"), Mapping)


def _value(results: Sequence[Mapping[str, Any]], kind: str, texts: Sequence[str]) -> Any:
    values = [one["value"] for one in results]
    if kind in _SPANS:
        return [span for value in values for span in _spans(value, kind, texts)]
    if kind in ("rating", "number"):
        return values[0].get(kind) if values else None
    said = [one for value in values for one in _listed(value.get("choices" if kind == "choices" else "text"))]
    return said[0] if len(said) == 1 else said or None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _spans(value: Mapping[str, Any], kind: str, texts: Sequence[str]) -> list[dict[str, Any]]:
    start, end, said = value.get("start"), value.get("end"), value.get("text")
    offsets = value.get("globalOffsets")
    if isinstance(offsets, Mapping):
        start, end = offsets.get("start"), offsets.get("end")
    if isinstance(start, int) and isinstance(end, int) and isinstance(said, str):
        start, end = _in_letters(start, end, said, texts)
    return [{"start": start, "end": end, "label": label, "text": said} for label in _listed(value.get(kind))]


def _in_letters(start: int, end: int, said: str, texts: Sequence[str]) -> tuple[int, int]:
    """A place that the page counted in UTF-16 units, where a letter such as an emoji is two, counted in letters."""
    if any(text[start:end] == said for text in texts):
        return start, end
    for text in texts:
        units = text.encode("utf-16-le", "surrogatepass")
        if units[2 * start : 2 * end] == said.encode("utf-16-le", "surrogatepass"):
            before = len(units[: 2 * start].decode("utf-16-le", "replace"))
            return before, before + len(said)
    return start, end

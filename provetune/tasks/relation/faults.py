"""Faults that only relations have: entities inside one another, labels that do not say their direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from provetune.core.protocols import Finding
from provetune.data.places import plural
from provetune.evaluation.relation_scores import DIRECTION, relation_of
from provetune.tasks.relation.markers import are_nested, entity_texts

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 5


def find_relation_faults(splits: Mapping[str, pa.Table], other: str | None) -> Iterator[Finding]:
    """Everything that is wrong with the marked texts and the labels of all splits.

    Args:
        other: the label that means no relation, if there is one.
    """
    yield from _find_texts(splits, "nested_entities", are_nested, "one entity inside the other")
    yield from _find_texts(splits, "same_entity_twice", _are_one, "the same words as both entities")
    train = splits.get("train")
    if train is not None and len(train):
        yield from _find_labels(train, other)


def _find_texts(
    splits: Mapping[str, pa.Table], kind: str, is_so: Callable[[str], bool], what: str
) -> Iterator[Finding]:
    rows: list[dict[str, object]] = []
    count = 0
    for split, table in splits.items():
        for number, text in enumerate(table.column("text").to_pylist()):
            if text is not None and is_so(text):
                count += 1
                if len(rows) < _SHOWN and "_row" in table.column_names:
                    place = {name: table.column(f"_{name}")[number].as_py() for name in ("file", "row")}
                    rows.append({**place, "split": split})
    if count:
        message = f"{plural(count, 'text marks', 'texts mark')} {what}. They are learned from; see that it is meant."
        yield Finding(kind, "warning", count, message, tuple(rows))


def _are_one(text: str) -> bool:
    first, second = entity_texts(text)
    return first.casefold() == second.casefold() and not are_nested(text)


def _find_labels(train: pa.Table, other: str | None) -> Iterator[Finding]:
    counts: dict[str, int] = {}
    for label in train.column("label").drop_null().to_pylist():
        counts[label] = counts.get(label, 0) + 1
    named = {label: relation_of(label) for label in counts if label != other}
    both = sorted({relation for label, relation in named.items() if label != relation and relation in named})
    if both:
        rows = sum(counts[relation] for relation in both)
        message = (
            f"{plural(len(both), 'relation has', 'relations have')} labels with and without a direction, e.g. "
            f"'{both[0]}': {plural(rows, 'row does', 'rows do')} not say which entity is which. Add the direction, or "
            "merge the labels with data.merge."
        )
        yield Finding("direction_missing", "warning", rows, message)
    if named and not any(DIRECTION.search(label) for label in named):
        message = (
            "No label has a direction such as '(e1,e2)': relations are scored without one. That is right where the "
            "order of the markers says it already."
        )
        yield Finding("no_directions", "note", len(train), message)

"""Faults that only tagged texts have: broken tags, spans that overlap or cut words, labels that hardly occur."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import Finding
from provetune.data.places import SHOWN, names_shown, plural
from provetune.data.span_words import Span, crossed_words, spans_of_cell, split_overlaps
from provetune.data.tag_schemes import Scheme, broken_places, find_scheme
from provetune.data.words import find_words
from provetune.tasks.tagging.reading import IMPLIED, MISMATCH, TRIMMED

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class _Row:
    """One example and where it is from."""

    place: Mapping[str, Any]
    text: str
    spans: list[Span]
    tags: list[str] | None
    remarks: list[str]


def find_faults(splits: Mapping[str, pa.Table]) -> list[Finding]:
    """What is wrong with tags and spans in all splits, worst first."""
    rows = list(_rows(splits))
    scheme = find_scheme([row.tags for row in rows if row.tags is not None])
    return [
        *_broken_tags(rows, scheme),
        *_by_row(rows, "overlapping_spans", "warning", _overlaps, _OVERLAPS),
        *_by_row(rows, "spans_inside_words", "warning", _crossed, _CROSSED),
        *_by_row(rows, "other_text_in_span", "warning", _remarks(MISMATCH), _MISMATCHES),
        *_by_row(rows, "spans_trimmed", "note", _remarks(TRIMMED), _TRIMMED_SPANS),
        *_by_row(rows, "spans_left_out", "note", _remarks(IMPLIED), _LEFT_OUT),
        *_rare_labels(splits, rows),
        *_unlearned_labels(splits),
    ]


_VERBS = {True: {"s": "s", "have": "has"}, False: {"s": "", "have": "have"}}
_OVERLAPS = (
    "{count} overlap{s} another of the same text. Tags hold one at each place: the longer one is learned, the other "
    "counts as not found."
)
_CROSSED = (
    "{count} begin{s} or end{s} inside a word, where no tag can say so; the whole word is learned, and the span counts "
    "as not found. Check the offsets."
)
_MISMATCHES = "{count} cover{s} other letters than the file says. Check whether offsets count letters or bytes."
_TRIMMED_SPANS = "{count} had white space at their edges, which was cut off."
_LEFT_OUT = (
    "{count} without spans {have} no cell for them. As no row has an empty list, they were taken as texts in which "
    "there is nothing to find."
)


def _rows(splits: Mapping[str, pa.Table]) -> Iterator[_Row]:
    wanted = ("_file", "_row", "text", "label", "tags", "remarks")
    for split, examples in splits.items():
        table = examples.select([name for name in wanted if name in examples.column_names])
        for batch in table.to_batches(max_chunksize=4096):
            for row in batch.to_pylist():
                place = {"file": row.get("_file"), "row": row.get("_row"), "split": split}
                spans = spans_of_cell(row["label"])
                yield _Row(place, row["text"], spans, row.get("tags"), row.get("remarks") or [])


def _broken_tags(rows: list[_Row], scheme: Scheme) -> Iterator[Finding]:
    shown: list[Mapping[str, Any]] = []
    count = 0
    for row in rows:
        # A tag that does not follow the one before and is not continued either is still one tag.
        places: dict[int, str] = {}
        for number, why in broken_places(row.tags or [], scheme):
            places.setdefault(number, why)
        for number, why in sorted(places.items()):
            count += 1
            if len(shown) < SHOWN:
                shown.append({**row.place, "token": number + 1, "message": why})
    if count:
        first = shown[0]
        message = (
            f"{plural(count, 'tag breaks', 'tags break')} the order of {scheme} tags. The first: in row "
            f"{first['row']}, token {first['token']}, {first['message']}. They were read as a new span each."
        )
        yield Finding("broken_tags", "warning", count, message, tuple(shown))


def _by_row(
    rows: list[_Row], kind: str, severity: Any, find: Callable[[_Row], list[str]], message: str
) -> Iterator[Finding]:
    """A finding of everything that `find` says of the rows."""
    shown: list[Mapping[str, Any]] = []
    count = 0
    for row in rows:
        found = find(row)
        count += len(found)
        shown += [{**row.place, "message": what} for what in found[: SHOWN - len(shown)]]
    if count:
        noun = plural(count, "row", "rows") if kind == "spans_left_out" else plural(count, "span", "spans")
        yield Finding(kind, severity, count, message.format(count=noun, **_VERBS[count == 1]), tuple(shown))


def _overlaps(row: _Row) -> list[str]:
    return [_named(span, row) for span in split_overlaps(row.spans)[1]]


def _crossed(row: _Row) -> list[str]:
    return [_named(span, row) for span in crossed_words(row.spans, find_words(row.text))] if row.spans else []


def _remarks(kind: str) -> Callable[[_Row], list[str]]:
    return lambda row: [remark for remark in row.remarks if remark.partition(":")[0] == kind]


def _named(span: Span, row: _Row) -> str:
    return f"'{row.text[span[0] : span[1]][:40]}' ({span[2]}, {span[0]} to {span[1]})"


def _rare_labels(splits: Mapping[str, pa.Table], rows: list[_Row]) -> Iterator[Finding]:
    counts = Counter(name for row in rows if row.place["split"] == "train" for _, _, name in row.spans)
    once = sorted(name for name, count in counts.items() if count == 1)
    if once:
        places = [
            row.place for row in rows if row.place["split"] == "train" and any(name in once for _, _, name in row.spans)
        ]
        message = (
            f"{plural(len(once), 'label occurs', 'labels occur')} once in the training rows: {names_shown(once)}. "
            "They cannot be learned and cannot be judged; add spans or merge them (data.merge)."
        )
        yield Finding("labels_that_occur_once", "warning", len(once), message, tuple(places[:SHOWN]))


def _unlearned_labels(splits: Mapping[str, pa.Table]) -> Iterator[Finding]:
    """Labels that only rows for validation or the test have."""
    names = {split: _names(table) for split, table in splits.items()}
    missing = sorted(set().union(*names.values()) - names.get("train", set()))
    if missing and "train" in names:
        message = (
            f"{plural(len(missing), 'label', 'labels')} in validation or test rows, but not in training rows: "
            f"{names_shown(missing)}. None of their spans can be found."
        )
        yield Finding("labels_not_in_training", "warning", len(missing), message)


def _names(examples: pa.Table) -> set[str]:
    return {name for cell in examples.column("label").to_pylist() for _, _, name in spans_of_cell(cell)}

"""Raw rows into texts with spans: tokens and tags, or texts and spans of letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from provetune.core.errors import DataError
from provetune.core.protocols import BadRow, RowParts
from provetune.data.masked_places import mask_keeping_places
from provetune.data.span_cells import CellFault, GivenSpan, fault_of_span, list_cell, spans_cell, words_cell
from provetune.data.span_words import Span
from provetune.data.tag_schemes import UNNAMED, Scheme, find_scheme, spans_of_tags
from provetune.data.words import are_single_letters, join_tokens

if TYPE_CHECKING:
    from provetune.data.table import RawTable

Form: TypeAlias = Literal["tags", "spans", "none"]

WORD = "word"
"""Label of spans whose tags have none, as in word segmentation."""
IMPLIED, TRIMMED, MISMATCH = "implied", "trimmed", "mismatch"
"""What `remarks` may say of a row that was read: that it has no spans because the file leaves them out, that white
space at the edges of a span was cut off, that the file names other letters than stand where a span is."""
_FAULTS = "faults"


@dataclass
class _Row:
    """What was made of one row."""

    text: str | None = None
    spans: list[Span] | None = None
    tags: list[str] | None = None
    tokens: list[tuple[int, int]] | None = None
    remarks: list[str] = field(default_factory=list)


def read_rows(
    raw: RawTable, text: str, label: str | None, merge: Mapping[str, Sequence[str]], mask: Sequence[str] = ()
) -> RowParts:
    """The rows of a file.

    Args:
        text: column with texts, or with tokens (lists).
        label: column with tags (lists, or separated by white space) or with spans; None where there is none.
        merge: common name → labels that get it.
        mask: kinds of personal data that are replaced; spans move with the letters.

    Returns:
        ``text``; ``label`` (list of start, end and label; null where a row has none); ``tags`` and ``token_starts`` and
        ``token_ends`` (lists, null where the file has no tokens); ``remarks`` (list of strings); ``stratum`` (the label
        of the row that is rarest in the file).
    """
    texts = raw.table[text].to_pylist()
    labels = [None] * raw.rows if label is None else raw.table[label].to_pylist()
    faults = raw.table[_FAULTS].to_pylist() if raw.format == "conll" and _FAULTS in raw.names else [None] * raw.rows
    reader = _RowReader(texts, labels, text, label or "label", merge)
    rows: list[_Row] = []
    bad: list[BadRow] = []
    for number, fault in enumerate(faults):
        try:
            if fault is not None:
                raise _Bad(text, fault)
            rows.append(_masked(reader.row(number), mask))
        except _Bad as found:
            rows.append(_Row())
            bad.append(BadRow(number, found.field, found.message))
    return RowParts(_to_columns(rows), tuple(bad), masked=True)


def form_of_labels(cells: Sequence[str | None]) -> Form:
    """Whether cells hold tags or spans, by the first that holds anything."""
    empty: Form = "none"
    for cell in cells:
        if cell is None or not cell.strip():
            continue
        found = list_cell(cell)
        if found is None:
            return "tags"
        if found:
            return "tags" if all(one is None or isinstance(one, str) for one in found) else "spans"
        empty = "spans"
    return empty


def _are_numbers(cells: Sequence[str | None]) -> bool:
    found = next((found for found in map(list_cell, cells) if found), [])
    return bool(found) and all(type(one) is int for one in found)


def holds_tokens(cells: Sequence[str | None]) -> bool:
    """Whether cells hold lists of tokens, by the first that is filled."""
    first = next((cell for cell in cells if cell is not None and cell.strip()), None)
    found = list_cell(first)
    return bool(found) and all(isinstance(one, str) for one in found or ())


def text_of_cell(cell: Any, where: str) -> tuple[str] | None:
    """The text of what is to be predicted: a string, or a list of tokens; None where there is nothing in it.

    Raises:
        DataError: it is something else.
    """
    found = list_cell(cell) if isinstance(cell, str) and cell.lstrip()[:2] in ('["', "['") else cell
    if isinstance(found, list) and found and all(isinstance(one, str) for one in found):
        return (join_tokens(found, single=are_single_letters([found]))[0],)
    if cell is None or cell == [] or (isinstance(cell, float) and cell != cell):
        return None
    if not isinstance(cell, str):
        raise DataError(f"A text or a list of tokens is wanted. Got {str(cell)[:40]} instead.", where=where)
    return (cell,) if cell.strip() else None


class _Bad(Exception):
    """A row that cannot be used."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message[:1].lower() + message[1:] + "."


class _RowReader:
    """Reads rows one by one, by what the columns as a whole hold."""

    def __init__(
        self,
        texts: Sequence[str | None],
        labels: Sequence[str | None],
        text: str,
        label: str,
        merge: Mapping[str, Sequence[str]],
    ) -> None:
        self.texts, self.labels, self.text, self.label = texts, labels, text, label
        self.form = form_of_labels(labels)
        self.tokens = holds_tokens(texts)
        if self.tokens and self.form == "spans" and _are_numbers(labels):
            raise DataError(
                f"'{label}' holds numbers, and nothing in the file says which tags they are.",
                hint="Write the tags' names in their place (O, B-PER, …); exports of the datasets library have them as "
                "features['ner_tags'].feature.names.",
            )
        if self.tokens and self.form == "spans":
            raise DataError(
                f"'{text}' holds tokens and '{label}' spans of letters: it is open what the spans count.",
                hint="Name the column with the texts as data.columns.text, or one with tags as data.columns.label.",
            )
        self.names = {name: common for common, parts in merge.items() for name in parts}
        self.single = self.tokens and are_single_letters([_tokens_or_none(cell) for cell in texts])
        self.scheme: Scheme = find_scheme(map(_tokens_or_none, labels)) if self.form == "tags" else "BIO"
        # Some formats leave out what is empty. Where no row says that it has no spans, one without them says so.
        lists = self.form == "spans" and any(cell is not None for cell in labels)
        self.implied = lists and not any(cell is not None and list_cell(cell) == [] for cell in labels)

    def row(self, number: int) -> _Row:
        """One row.

        Raises:
            _Bad: it cannot be used.
        """
        cell, label = self.texts[number], self.labels[number]
        if cell is None:
            return _Row()
        if self.form == "tags" or self.tokens:
            return self._tagged(cell, label)
        row = _Row(text=cell)
        given = self._spans(label)
        if given is None and self.implied:
            given = []
            row.remarks.append(IMPLIED)
        if given is not None:
            row.spans = [self._placed(one, row) for one in given]
        return row

    def _tagged(self, cell: str, label: str | None) -> _Row:
        tags = self._words(label, self.label)
        if self.tokens:
            tokens = self._words(cell, self.text) or []
            text, places = join_tokens(tokens, single=self.single)
        else:
            text, places = cell, _split(cell, tags)
        row = _Row(text=text, tokens=places)
        if tags is None:
            return row
        if len(tags) != len(places):
            raise _Bad(self.label, f"there are {len(places)} tokens but {len(tags)} tags")
        if "" in tags:
            raise _Bad(self.label, f"tag {tags.index('') + 1} is empty")
        row.tags = tags
        row.spans = [
            (*_trim(text, places[first][0], places[end - 1][1]), self._name(WORD if name == UNNAMED else name))
            for first, end, name in spans_of_tags(tags, self.scheme)
            if text[places[first][0] : places[end - 1][1]].strip()
        ]
        return row

    def _words(self, cell: str | None, column: str) -> list[str] | None:
        try:
            return words_cell(cell)
        except CellFault as fault:
            raise _Bad(column, str(fault)) from None

    def _spans(self, cell: str | None) -> list[GivenSpan] | None:
        try:
            return spans_cell(cell)
        except CellFault as fault:
            raise _Bad(self.label, str(fault)) from None

    def _placed(self, given: GivenSpan, row: _Row) -> Span:
        text, (start, end, name) = row.text or "", given.span
        fault = fault_of_span(given.span, text)
        if fault is not None:
            raise _Bad(self.label, fault)
        if given.value is not None and given.value.strip() != text[start:end].strip():
            row.remarks.append(f"{MISMATCH}: '{given.value[:40]}' is said to be where '{text[start:end][:40]}' is")
        trimmed = _trim(text, start, end)
        if trimmed != (start, end):
            row.remarks.append(TRIMMED)
        return (*trimmed, self._name(name))

    def _name(self, label: str) -> str:
        return self.names.get(label, label)


def _masked(row: _Row, kinds: Sequence[str]) -> _Row:
    """The row with personal data replaced: a span that touches a find has all of its placeholder.

    Tokens of which a find took several in one are given up, with their tags: the text's words stand in for them.
    """
    if not kinds or row.text is None:
        return row
    masked = mask_keeping_places(row.text, kinds)
    if not masked.finds:
        return row
    spans, tokens, tags = row.spans, row.tokens, row.tags
    if spans is not None:
        spans = list(dict.fromkeys((*masked.span(start, end), name) for start, end, name in spans))
    if tokens is not None:
        tokens = [masked.span(start, end) for start, end in tokens]
        if len(set(tokens)) < len(tokens):
            tokens = tags = None
    return _Row(masked.text, spans, tags, tokens, row.remarks)


def _tokens_or_none(cell: str | None) -> list[str]:
    try:
        return words_cell(cell) or []
    except CellFault:
        return []


def _split(text: str, tags: list[str] | None) -> list[tuple[int, int]]:
    """Tokens of a text that the file has whole: at white space, or letter by letter where there are as many tags."""
    places: list[tuple[int, int]] = []
    at = 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        places.append((start, at))
    if tags is not None and len(places) != len(tags) == len(text):
        return [(k, k + 1) for k in range(len(text))]
    return places


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without the white space at its edges."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _to_columns(rows: Sequence[_Row]) -> dict[str, Any]:
    import pyarrow as pa

    span = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())])
    counts = Counter(name for row in rows for _, _, name in row.spans or ())
    spans = [
        None if row.spans is None else [{"start": a, "end": b, "label": name} for a, b, name in row.spans]
        for row in rows
    ]
    numbers = pa.list_(pa.int32())
    return {
        "text": pa.array([row.text for row in rows], pa.string()),
        "label": pa.array(spans, pa.list_(span)),
        "tags": pa.array([row.tags for row in rows], pa.list_(pa.string())),
        "token_starts": pa.array([_side(row.tokens, 0) for row in rows], numbers),
        "token_ends": pa.array([_side(row.tokens, 1) for row in rows], numbers),
        "remarks": pa.array([row.remarks for row in rows], pa.list_(pa.string())),
        "stratum": pa.array([_rarest(row.spans, counts) for row in rows], pa.string()),
    }


def _side(tokens: list[tuple[int, int]] | None, side: int) -> list[int] | None:
    return None if tokens is None else [place[side] for place in tokens]


def _rarest(spans: list[Span] | None, counts: Mapping[str, int]) -> str:
    names = sorted({name for _, _, name in spans or ()}, key=lambda name: (counts[name], name))
    return names[0] if names else ""

"""Which columns of a file hold tokens and tags, or texts and spans, judged by what is in their cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import Detected
from provetune.data.span_cells import are_spans, list_cell
from provetune.data.tag_schemes import find_scheme, parse_tag
from provetune.tasks.tagging.reading import holds_tokens

if TYPE_CHECKING:
    from provetune.data.table import RawTable

_LOOKED_AT = 200
_SAMPLE_LETTERS = 200
_CERTAIN, _LIKELY, _PLAIN = 0.95, 0.85, 0.55
_MOST_TAGS_SHARE = 0.5
_MOST = 0.9
"""Share of the rows that must look right."""


def detect_spans(raw: RawTable, named: Mapping[str, str | list[str]]) -> Detected:
    """Columns for ``text`` and ``label`` that are not named, and how well a file suits tagging."""
    cells = {name: raw.table[name].slice(0, _LOOKED_AT).to_pylist() for name in raw.names}
    taken = {one for role, value in named.items() if role not in ("text", "label") for one in _names(value)}
    free = [name for name in raw.names if name not in taken]
    text, label, fit, why = _find(cells, free, _one(named.get("text")), _one(named.get("label")), raw.format)
    columns: dict[str, str | list[str]] = {}
    reasons = {"text": "No column looks like texts or tokens.", "label": "No column looks like tags or spans."}
    for role, column in (("text", text), ("label", label)):
        if column is None:
            continue
        reasons[role] = f"'{column}' {_looks(cells[column], role)}."
        if role not in named:
            columns[role] = column
    samples = tuple(
        {name: None if cells[name][k] is None else cells[name][k][:_SAMPLE_LETTERS] for name in (text, label) if name}
        for k in range(min(3, raw.rows))
    )
    return Detected(columns, reasons, samples, fit, why)


def _find(
    cells: Mapping[str, list[str | None]], free: Sequence[str], text: str | None, label: str | None, format: str
) -> tuple[str | None, str | None, float, str]:
    """Text column, label column, fit and why."""
    texts = [text] if text is not None and text in cells else list(free)
    labels = [label] if label is not None and label in cells else list(free)
    tokens = [name for name in texts if holds_tokens(cells[name])]
    # Lists of one and the same word (the language of each token, say) are no texts beside others.
    tokens = [name for name in tokens if _different(cells[name])[0] > 1] or tokens
    tags = [name for name in labels if _holds_tags(cells[name])]
    pairs = [(one, other) for one in tokens for other in tags if one != other and _match(cells[one], cells[other])]
    if pairs:
        # Of several lists of tags (part of speech, chunk, entity) those with O and prefixes are the entities.
        # and of several that could be the tokens those with the most different values are.
        one, other = max(
            pairs,
            key=lambda pair: (_prefixed(cells[pair[1]]), _named_tags(pair[1]), _different(cells[pair[0]])),
        )
        named = _prefixed(cells[other]) or _named_tags(other)
        certain = 1.0 if format == "conll" else _CERTAIN if named else _PLAIN
        return one, other, certain, f"'{one}' holds tokens and '{other}' a tag for each."
    numbered = [
        (one, other)
        for one in tokens
        for other in labels
        if _holds_numbers(cells[other]) and _match(cells[one], cells[other])
    ]
    if numbered:
        one, other = max(numbered, key=lambda pair: _named_tags(pair[1]))
        return one, other, _LIKELY, f"'{one}' holds tokens and '{other}' a number for each."
    spans = [name for name in labels if _holds_spans(cells[name])]
    plain = [name for name in texts if name not in spans and _longest_text(cells[name]) > 0]
    if spans and plain:
        other = spans[0]
        fitting = [name for name in plain if _spans_fit(cells[name], cells[other])]
        if fitting:
            one = max(fitting, key=lambda name: _longest_text(cells[name]))
            return one, other, _CERTAIN, f"'{other}' holds spans with start, end and label."
    for other in labels:
        for one in texts:
            if one != other and _prefixed_words(cells[one], cells[other]):
                return one, other, _LIKELY, f"'{other}' has a tag for each word of '{one}'."
    found = tokens[0] if tokens else text
    return found, label, 0.0, "No column holds tags of tokens or spans of letters."


def _holds_tags(cells: Sequence[str | None]) -> bool:
    lists = [found for found in map(list_cell, cells) if found]
    sound = _strings(cells)
    return bool(sound) and len(sound) >= _MOST * len(lists) and _few_values(sound)


def _holds_numbers(cells: Sequence[str | None]) -> bool:
    """Whether cells hold lists of whole numbers: tags whose names are elsewhere."""
    lists = [found for found in map(list_cell, cells) if found]
    return bool(lists) and all(type(one) is int for found in lists for one in found)


def _strings(cells: Sequence[str | None]) -> list[list[str]]:
    """The lists in cells that hold strings alone. One bad row among many must not hide what a column is."""
    return [found for found in map(list_cell, cells) if found and all(isinstance(one, str) for one in found)]


def _few_values(lists: Sequence[Sequence[str]]) -> bool:
    """Tags come back: there are far fewer of them than places."""
    places = sum(map(len, lists))
    values = {one for found in lists for one in found}
    if len(values) == 1 and parse_tag(next(iter(values))) is None:
        return False  # the language of each token, say
    if len(values) <= _MOST_TAGS_SHARE * places:
        return True
    return all(parse_tag(value) is not None for value in values)


def _holds_spans(cells: Sequence[str | None]) -> bool:
    lists = [found for found in map(list_cell, cells) if found]
    return bool(lists) and sum(map(are_spans, lists)) >= _MOST * len(lists)


def _match(tokens: Sequence[str | None], tags: Sequence[str | None]) -> bool:
    """Whether nearly all rows have as many tags as tokens."""
    pairs = [(list_cell(one), list_cell(other)) for one, other in zip(tokens, tags, strict=True)]
    both = [(one, other) for one, other in pairs if one is not None and other is not None]
    return bool(both) and sum(len(one) == len(other) for one, other in both) >= _MOST * len(both)


def _prefixed(cells: Sequence[str | None]) -> bool:
    """Whether tags have prefixes of a scheme."""
    return find_scheme(_strings(cells)) != "plain"


def _different(cells: Sequence[str | None]) -> tuple[int, int]:
    """How many different values there are, and how long they are together."""
    values = {one for found in _strings(cells) for one in found}
    return len(values), sum(map(len, values))


def _named_tags(name: str) -> int:
    return sum(word in name.lower() for word in ("tag", "ner", "label", "bio", "slot", "entit"))


def _prefixed_words(texts: Sequence[str | None], tags: Sequence[str | None]) -> bool:
    """Whether nearly all rows have a BIO tag, with white space between, for each word of a text."""
    pairs = [
        (one.split(), other.split())
        for one, other in zip(texts, tags, strict=True)
        if one and other and other.lstrip()[:1] != "[" and one.lstrip()[:1] != "["
    ]
    fitting = [
        other for one, other in pairs if len(one) == len(other) and all(parse_tag(tag) is not None for tag in other)
    ]
    if len(fitting) < _MOST * len(pairs) or not pairs:
        return False
    # A column of single words such as "B" or "O" is a class, not tags.
    return any(len(tags) > 1 for tags in fitting) and any(tag != "O" for tags in fitting for tag in tags)


def _spans_fit(texts: Sequence[str | None], spans: Sequence[str | None]) -> bool:
    from provetune.data.span_cells import CellFault, spans_cell

    fitting = count = 0
    for text, cell in zip(texts, spans, strict=True):
        try:
            given = spans_cell(cell) or []
        except CellFault:
            continue
        for one in given:
            count += 1
            fitting += text is not None and one.span[1] <= len(text)
            # Where the file says which letters these are, the text must have them.
            fitting -= one.value is not None and one.value.strip() not in (text or "")
    return count > 0 and fitting >= 0.8 * count


def _longest_text(cells: Sequence[str | None]) -> float:
    filled = [cell for cell in cells if cell]
    return sum(map(len, filled)) / len(filled) if filled else 0.0


def _looks(cells: Sequence[str | None], role: str) -> str:
    lists = [found for found in map(list_cell, cells) if found]
    if role == "text":
        return "holds lists of tokens" if holds_tokens(cells) else "holds the texts"
    if lists and _holds_spans(cells):
        labels = {str(one) for found in lists if are_spans(found) for one in _labels(found)}
        return f"holds spans of {len(labels)} labels"
    sequences = _strings(cells) if lists else [cell.split() for cell in cells if cell]
    return f"holds tags ({find_scheme(sequences)}), one a token"


def _labels(found: Sequence[Any]) -> list[str]:
    import json

    from provetune.data.span_cells import spans_cell

    return [one.span[2] for one in spans_cell(json.dumps(list(found))) or []]


def _names(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _one(value: str | list[str] | None) -> str | None:
    return value[0] if isinstance(value, list) else value

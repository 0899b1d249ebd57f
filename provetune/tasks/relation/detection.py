"""Whether a file holds relations, and in which columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from provetune.core.protocols import Detected, Role
from provetune.tasks.relation.markers import ENTITIES, MarkerFault, find_entities, has_markers
from provetune.tasks.relation.reading import find_span

if TYPE_CHECKING:
    from provetune.data.table import RawTable

# Names of the first and of the second entity, as data sets have them.
PAIRS = (
    ("e1", "e2"),
    ("head", "tail"),
    ("h", "t"),
    ("subject", "object"),
    ("subj", "obj"),
    ("entity1", "entity2"),
    ("entity_1", "entity_2"),
    ("ent1", "ent2"),
    ("arg1", "arg2"),
)
_OFFSETS = (
    ("start", "end"),
    ("begin", "end"),
    ("from", "to"),
    ("start_offset", "end_offset"),
    ("start_char", "end_char"),
)
_PLACES = ("pos", "span", "offset", "offsets")
"""What a column with an entity's start and end in one cell is called, behind the entity's name."""
_RELATIONS = (
    "relation",
    "relation_type",
    "rel_type",
    "relation_label",
    "relationship",
    "predicate",
    "rel",
    "关系",
    "关系类型",
)
_SAMPLE = 200
_MOST = 0.9


def detect_relations(raw: RawTable, named: Mapping[str, str | list[str]], roles: Sequence[Role]) -> Detected:
    """A column whose texts are marked, or a text beside two columns of entities that stand in it."""
    from provetune.data.columns import detect_columns, flat_names, sample_rows

    taken = flat_names(list(named.values()))
    columns: dict[str, str | list[str]] = {}
    reasons = dict.fromkeys(ENTITIES, f"No columns look like two entities ('{PAIRS[0][0]}' and '{PAIRS[0][1]}').")
    marked = named.get("text") or _marked_column(raw, [name for name in raw.names if name not in taken])
    if isinstance(marked, str) and _marked_share(raw, marked) >= _MOST:
        if "text" not in named:
            columns["text"] = marked
            reasons["text"] = f"In '{marked}' two entities are marked."
        reasons.update(dict.fromkeys(ENTITIES, "The text is marked."))
        fit, why = 0.97, f"two entities are marked in '{marked}'."
        # Beside a marked text, the words of the entities are no labels and no texts.
        taken = [*taken, marked, *(name for pair in PAIRS for name in pair)]
    else:
        entities = {} if any(name in named for name in ENTITIES) else _entity_columns(raw, taken)
        columns.update(entities)
        taken = [*taken, *flat_names(list(entities.values()))]
        reasons.update({name: _called(part) for name, part in entities.items()})
        fit, why = (0.5, "two columns are called like entities.") if entities else (0.0, "no entities are marked.")
    if "label" not in named and (label := _relation_column(raw, taken)) is not None:
        columns["label"], reasons["label"] = label, f"'{label}' is called like a relation."
        taken = [*taken, label]
    wanted = [
        role for role in roles if role.name not in named and role.name not in columns and role.name not in ENTITIES
    ]
    rest = detect_columns(raw, wanted, taken=taken)
    columns.update(rest.columns)
    reasons.update(rest.reasons)
    everything = {**columns, **named}
    if fit == 0.5:
        fit, why = _judge_entities(raw, everything)
    if "label" not in everything:
        fit = min(fit, 0.6)
    return Detected(columns, reasons, sample_rows(raw, columns), fit, why[:1].upper() + why[1:])


def _marked_column(raw: RawTable, names: Sequence[str]) -> str | None:
    shares = {name: _marked_share(raw, name) for name in names}
    best = max(shares, key=lambda name: shares[name], default=None)
    return best if best is not None and shares[best] >= _MOST else None


def _marked_share(raw: RawTable, name: str) -> float:
    """Share of the first cells in which both entities are marked."""
    cells = [cell for cell in raw.table[name].slice(0, _SAMPLE).to_pylist() if cell]
    return sum(map(_is_marked, cells)) / len(cells) if cells else 0.0


def _is_marked(cell: str) -> bool:
    if not has_markers(cell):
        return False
    try:
        find_entities(cell)
    except MarkerFault:
        return False
    return True


def _relation_column(raw: RawTable, taken: Sequence[str]) -> str | None:
    """The column that is called like a relation and holds names that come back."""
    from provetune.data.profiles import profile_column

    free = {name.casefold(): name for name in raw.names if name not in taken}
    called = [free[name] for name in _RELATIONS if name in free]
    return next((name for name in called if profile_column(raw, name).can_be_label), None)


def _entity_columns(raw: RawTable, taken: Sequence[str]) -> dict[str, str | list[str]]:
    """The columns of both entities: one each, or a start and an end each."""
    free = {name.casefold(): name for name in raw.names if name not in taken}
    for pair in PAIRS:
        for start, end in _OFFSETS:
            for joint in ("_", "."):
                wanted = [[f"{name}{joint}{start}", f"{name}{joint}{end}"] for name in pair]
                if all(one in free for part in wanted for one in part):
                    return {role: [free[one] for one in part] for role, part in zip(ENTITIES, wanted, strict=True)}
        for last in _PLACES:
            for joint in ("_", "."):
                if all(f"{name}{joint}{last}" in free for name in pair):
                    return {role: free[f"{name}{joint}{last}"] for role, name in zip(ENTITIES, pair, strict=True)}
        if all(name in free for name in pair):
            return {role: free[name] for role, name in zip(ENTITIES, pair, strict=True)}
    return {}


def _called(part: str | list[str]) -> str:
    """Why a column, or a pair of them, is taken for an entity."""
    if isinstance(part, str):
        return f"'{part}' is called like an entity."
    return f"{' and '.join(repr(name) for name in part)} are called like an entity's start and end."


def _judge_entities(raw: RawTable, columns: Mapping[str, str | list[str]]) -> tuple[float, str]:
    text = columns.get("text")
    if not isinstance(text, str):
        return 0.0, "there is no text that entities could stand in."
    head = raw.table.slice(0, _SAMPLE)
    found = rows = 0
    for row in head.to_pylist():
        if not row[text]:
            continue
        rows += 1
        try:
            for name in ENTITIES:
                part = columns[name]
                find_span(row[text], [row[one] for one in ([part] if isinstance(part, str) else part)], name)
        except MarkerFault:
            continue
        found += 1
    share = found / rows if rows else 0.0
    if share < 0.5:
        return 0.2, "two columns are called like entities, but their cells do not stand in the text."
    return 0.9, f"two columns hold entities of '{text}'."

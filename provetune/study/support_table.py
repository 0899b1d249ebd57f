"""What goes together: methods, tasks and families of backbones, and objectives and tasks, in tables.

Nothing is listed by hand but the kinds of labels that a task may have: plug-ins are asked through the same checks that
a problem file goes through, with nothing but names. A cell says what works or, in one sentence, why it does not;
settings and data can still be refused (a rank of 0, a memory that is not named, one row in a class).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from provetune.core.errors import UsageError
from provetune.core.minimised import HasLimits, Situation
from provetune.core.protocols import WITHOUT_BACKBONE, Method, Task
from provetune.study.families import HEADS, families_for, refuse_family
from provetune.study.problem_checks import suits

_KINDS: Mapping[str, tuple[str, ...]] = {
    "classification": ("single_label", "multi_label"),
    "ordinal": ("ordinal",),
    "pair": ("single_label",),
    "relation": ("single_label",),
    "regression": ("regression",),
    "similarity": ("regression",),
    "tagging": ("spans",),
    "span_qa": ("answered",),
    "retrieval": ("documents",),
    "seq2seq": ("text",),
    "chat": ("conversation", "preference"),
}
_TITLES = {
    "multi_label": "classification, several labels",
    "preference": "chat, preferences",
}
_SOME_CLASSES = 3
NO_BACKBONE = ""
"""The family of methods that need none."""


@dataclass(frozen=True)
class Sort:
    """A sort of problem: a task with one of the kinds of labels that it may have."""

    task: str
    kind: str

    @property
    def title(self) -> str:
        return _TITLES.get(self.kind, self.task)


def sorts() -> list[Sort]:
    """Every sort of problem, by task."""
    from provetune.tasks import TASKS

    return [Sort(name, kind) for name in TASKS.names() for kind in _KINDS.get(name, ("",))]


def why_not(method: str, sort: Sort, family: str = NO_BACKBONE) -> str | None:
    """Why a method cannot serve a sort of problem with a family of backbones; None where it can.

    Args:
        family: transformers' ``model_type``; `NO_BACKBONE` asks of method and task alone.

    Raises:
        UsageError: there is no such method or task.
    """
    found, task = _method(method), _task(sort.task)
    if not suits(found, task):
        return f"The method '{method}' does not suit the task '{sort.task}'."
    if family != NO_BACKBONE and found.learns_from in WITHOUT_BACKBONE:
        return f"The method '{method}' needs no backbone."
    try:
        refuse_family(found, task, family)
    except UsageError as error:
        return error.message
    return _own_limit(method, sort, family)


def why_not_objective(objective: str, sort: Sort) -> str | None:
    """Why an objective cannot serve a sort of problem; None where it can."""
    from provetune.training.objectives import OBJECTIVES

    found, task, full = OBJECTIVES.get(objective), _task(sort.task), _method("full")
    if not suits(full, task):
        return f"The task '{sort.task}' is not trained by steps."
    try:
        if isinstance(found, HasLimits):
            found.check(_situation(full, sort, NO_BACKBONE, (objective,)))
    except UsageError as error:
        return error.message
    return None


def working_methods(sort: Sort, family: str = NO_BACKBONE) -> list[str]:
    """The methods that serve a sort of problem with a family, those that need no backbone among them."""
    from provetune.models.methods import METHODS

    return [
        name
        for name in METHODS.names()
        if why_not(name, sort, NO_BACKBONE if _method(name).learns_from in WITHOUT_BACKBONE else family) is None
    ]


@cache
def method_cells(method: str) -> Mapping[tuple[str, str, str], str | None]:
    """Every cell of a method by task, kind and family: None where it works, else why not."""
    families = [NO_BACKBONE] if _method(method).learns_from in WITHOUT_BACKBONE else list(HEADS)
    return {(sort.task, sort.kind, family): why_not(method, sort, family) for sort in sorts() for family in families}


def document() -> dict[str, Any]:
    """All of it as JSON: ``methods`` (each with its cells) and ``objectives``, both by name."""
    from provetune.models.methods import METHODS
    from provetune.training.objectives import OBJECTIVES

    return {
        "families": list(HEADS),
        "methods": {name: cells_document(name) for name in METHODS.names()},
        "objectives": {
            name: [
                {"task": sort.task, "kind": sort.kind, "works": why is None, "why": why}
                for sort in sorts()
                for why in [why_not_objective(name, sort)]
            ]
            for name in OBJECTIVES.names()
        },
    }


def cells_document(method: str) -> list[dict[str, Any]]:
    """The cells of one method as JSON."""
    return [
        {"task": task, "kind": kind, "family": family or None, "works": why is None, "why": why}
        for (task, kind, family), why in method_cells(method).items()
    ]


@dataclass(frozen=True)
class Grid:
    """A table of marks.

    Attributes:
        title: what the rows are.
        columns: headings, that of the rows left out.
        rows: a name and its marks, one a column.
        notes: what the marks alone do not say.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[bool, ...]], ...]
    notes: tuple[str, ...] = ()


def grids() -> list[Grid]:
    """The tables as a person reads them: methods by task, methods by family, objectives by task.

    A method works with a task and a family where it has a mark for both and the family has one for the task, unless a
    note says otherwise.
    """
    from provetune.models.methods import METHODS
    from provetune.training.objectives import OBJECTIVES

    names, columns = METHODS.names(), sorts()
    titles = tuple(sort.title for sort in columns)
    by_task = tuple((name, tuple(_works_somehow(name, sort) for sort in columns)) for name in names)
    with_backbone = [name for name in names if _method(name).learns_from not in WITHOUT_BACKBONE]
    by_family = tuple((name, tuple(_works_for_some(name, family) for family in HEADS)) for name in with_backbone)
    full = _method("full")
    by_head = tuple((family, tuple(family in families_for(full, _task(s.task)) for s in columns)) for family in HEADS)
    objectives = tuple(
        (name, tuple(why_not_objective(name, sort) is None for sort in columns)) for name in OBJECTIVES.names()
    )
    return [
        Grid("method", titles, by_task),
        Grid("method", tuple(HEADS), by_family, tuple(_exceptions(with_backbone))),
        Grid("family", titles, by_head),
        Grid("objective", titles, objectives, (_objectives_note(),)),
    ]


def grid_of(method: str) -> Grid:
    """The table of one method, tasks by family; the notes are what it says of families and tasks itself."""
    columns, cells = sorts(), method_cells(method)
    families = list(dict.fromkeys(family for _, _, family in cells))
    rows = tuple(
        (family or "no backbone", tuple(cells[sort.task, sort.kind, family] is None for sort in columns))
        for family in families
    )
    own = (_own_limit(method, sort, family) for sort in columns for family in families)
    return Grid(
        "family",
        tuple(sort.title for sort in columns),
        rows,
        tuple(dict.fromkeys(why for why in own if why is not None)),
    )


def in_words(grid: Grid) -> list[tuple[str, str]]:
    """Each row of a grid as a name and words: ``all``, ``all but …`` or the columns that have a mark."""
    return [(name, _chosen(grid.columns, marks)) for name, marks in grid.rows]


def as_markdown(grid: Grid) -> str:
    """A grid as a Markdown table, ``yes`` where it works, its notes as a list below."""
    head = f"| {grid.title} | {' | '.join(grid.columns)} |"
    rule = "|" + "---|" * (len(grid.columns) + 1)
    rows = [f"| `{name}` | {' | '.join('yes' if mark else '–' for mark in marks)} |" for name, marks in grid.rows]
    notes = [f"- {note}" for note in grid.notes]
    return "\n".join([head, rule, *rows, *([""] if notes else []), *notes])


def _chosen(columns: tuple[str, ...], marks: tuple[bool, ...]) -> str:
    named = [_quoted(column) for column, mark in zip(columns, marks, strict=True) if mark]
    others = [_quoted(column) for column, mark in zip(columns, marks, strict=True) if not mark]
    if not others:
        return "all"
    if len(others) <= len(columns) // 3:
        return f"all but {', '.join(others)}"
    return ", ".join(named) or "none"


def _quoted(title: str) -> str:
    return title.replace(", ", " with ")


def _own_limit(method: str, sort: Sort, family: str) -> str | None:
    """What a method itself has against a task and a family."""
    found = _method(method)
    try:
        if isinstance(found, HasLimits):
            found.check(_situation(found, sort, family, ("plain",)))
    except UsageError as error:
        return error.message
    return None


def _works_somehow(method: str, sort: Sort) -> bool:
    cells = method_cells(method)
    return any(why is None for (task, kind, _), why in cells.items() if (task, kind) == (sort.task, sort.kind))


def _works_for_some(method: str, family: str) -> bool:
    return any(why is None for (_, _, each), why in method_cells(method).items() if each == family)


def _exceptions(methods: list[str]) -> list[str]:
    """Cells that the marks of task, family and head promise, and that do not work."""
    found = []
    for method in methods:
        told: dict[str, list[str]] = {}
        for (task, kind, family), why in method_cells(method).items():
            sort = Sort(task, kind)
            promised = (
                _works_somehow(method, sort)
                and _works_for_some(method, family)
                and family in families_for(_method("full"), _task(task))
            )
            if promised and why is not None:
                told.setdefault(why, []).append(f"{sort.title} with {family}")
        found += [f"{method}, not for {'; '.join(where)}: {why}" for why, where in told.items()]
    return found


def _objectives_note() -> str:
    from provetune.models.methods import METHODS

    by_weights = [name for name in METHODS.names() if _method(name).learns_from == "weights" and name != "untrained"]
    return f"Objectives go with the methods that train a model's weights: {', '.join(by_weights)}."


def _situation(method: Method, sort: Sort, family: str, objectives: tuple[str, ...]) -> Situation:
    return Situation(
        task=sort.task,
        kind=sort.kind,
        classes=_SOME_CLASSES if _task(sort.task).classes else 0,
        counts=(),
        method=method.name,
        learns_from=method.learns_from,
        objectives=objectives,
        family=family,
        settings=method.settings().model_dump(),
    )


def _method(name: str) -> Method:
    from provetune.models.methods import METHODS

    return METHODS.get(name)


def _task(name: str) -> Task:
    from provetune.tasks import TASKS

    return TASKS.get(name)

"""`provetune init`: look at a data file, say what was understood, and draft a problem file from it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json
from provetune.cli._siblings import find_siblings
from provetune.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from provetune.core.protocols import Task
    from provetune.data.table import RawTable, ReadOptions
    from provetune.problem.drafting import TaskDraft

_OUT_OF_SCOPE = ("oos", "out_of_scope", "out-of-scope", "out of scope")
_SHOWN_LABELS = 10
_SHOWN_ROWS = 3
_PART_NAMES = ("train", "training", "data", "all")
_RARE_ROWS, _SHOWN_RARE = 5, 5
_OWN_BACKBONE = "path/to/model"
_NO_MODEL = (
    f"Put a model in place of {_OWN_BACKBONE}: the catalogue has none for this task. Name a folder with config.json, "
    "weights and tokenizer, or a model of the hub, e.g. google/flan-t5-small."
)
_MOST_LABELS_SHARE = 0.5


def command(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Data: csv, tsv, txt, jsonl, json (SQuAD's too), parquet, xlsx, tags a line (conll, bio, bioes, "
            "bmes and the like), or hub:NAME.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the problem file.")] = Path(
        "problem.yaml"
    ),
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="COLUMN", help="Text column; repeat for several.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="COLUMN", help="Label column; repeat for 0/1 columns.")
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="Kind of problem; the one that suits the file best by default.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column", metavar="PART=COLUMN", help="Column of a part that the task names; repeat for several."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the problem; the file's name by default.")] = None,
    encoding: Annotated[str | None, typer.Option("--encoding", help="Text encoding, where detection is wrong.")] = None,
    delimiter: Annotated[str | None, typer.Option("--delimiter", help="Cell separator, where it is wrong.")] = None,
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first line names the columns, where that is wrong."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a problem file that is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look at a data file and draft a commented problem file from it."""
    if output.exists() and not force:
        raise UsageError(f"'{output}' is there already.", hint="Replace it with --force, or name another --output.")
    from provetune.data.table import ReadOptions

    with logs_on_stderr(json):
        draft = _Draft(file, output, task, ReadOptions(encoding, delimiter, header), _given(text, label, column))
        draft.write(name)
    if json:
        print_json(draft.document())
    else:
        draft.show()


def _given(text: list[str] | None, label: list[str] | None, columns: list[str] | None) -> dict[str, str | list[str]]:
    named: dict[str, list[str]] = {"text": text or [], "label": label or []}
    for each in columns or []:
        part, sign, column = each.partition("=")
        if not sign or not part or not column:
            raise UsageError(f"--column must be PART=COLUMN. Got '{each}' instead.", hint="--column question=frage")
        named.setdefault(part, []).append(column)
    return {role: columns[0] if len(columns) == 1 else columns for role, columns in named.items() if columns}


class _Draft:
    """What was found in a file, and the problem file that follows from it."""

    def __init__(
        self,
        file: str,
        output: Path,
        task: str | None,
        options: ReadOptions,
        given: dict[str, str | list[str]],
    ) -> None:
        from provetune.cli._task_choice import choose_task
        from provetune.data.language import detect_language
        from provetune.data.reading import read_table

        self.file, self.output = file, output
        self.options = options
        self.raw: RawTable = read_table(file, **asdict(options))
        self.choice = choose_task(self.raw, given, task)
        self.task = self.choice.task.name
        self.columns, self.reasons = _find_columns(self.raw, self.choice.task, given)
        self.separator = self._find_separator()
        self.labels = self._count_labels()
        self.language = detect_language(self._texts())
        self.siblings, self.unlike = ({}, {}) if file.startswith("hub:") else self._fitting_siblings()

    def write(self, name: str | None) -> None:
        """Write the problem file."""
        from provetune.core.files import write_text
        from provetune.problem.drafting import draft_problem

        columns = self.columns
        text = draft_problem(
            train=self._place(self.file),
            text=columns.get("text"),
            label=columns.get("label"),
            parts={role: named for role, named in columns.items() if role not in ("text", "label")},
            kind=self._kind(),
            name=name or self._name(),
            task=self.task,
            language=self.language,
            rows=self.raw.rows,
            labels=self.labels,
            columns=self.raw.names,
            validation=self._sibling("validation"),
            test=self._sibling("test"),
            out_of_scope=next((label for label in self.labels if label.casefold() in _OUT_OF_SCOPE), None),
            encoding=self.options.encoding,
            delimiter=self.options.delimiter,
            header=self.options.header if self.raw.header else False,
            label_separator=self.separator,
            notes=self.raw.notes,
        )
        write_text(self.output, text)

    def document(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "problem": str(self.output),
            "task": self.task,
            "task_reason": self.choice.why,
            "other_tasks": [{"task": name, "fit": fit, "why": why} for name, fit, why in self.choice.others],
            "language": self.language,
            "columns": self.columns,
            "reasons": self.reasons,
            "rows": self.raw.rows,
            "labels": self.labels,
            "label_separator": self.separator,
            "samples": self.samples(),
            "files": {"train": self.file, **{role: str(path) for role, path in self.siblings.items()}},
            "notes": list(self.raw.notes),
            "warnings": self.warnings(),
        }

    def warnings(self) -> list[str]:
        """What a person should look at before going on."""
        from provetune.data.label_faults import signs_of_none

        found: list[str] = []
        rows, labels = self.raw.rows, self.labels
        if not self._catalogue_suits():
            found.append(_NO_MODEL)
        if not self.choice.task.classes:
            return found
        if len(labels) == 1:
            found.append(f"Every row has the same label, '{next(iter(labels))}': there is nothing to learn.")
        if labels and len(labels) > rows * _MOST_LABELS_SHARE:
            found.append(f"{len(labels)} labels in {rows} rows: is '{self.columns['label']}' the label?")
        for name in signs_of_none(labels):
            found.append(f"{labels[name]:,} rows have the label '{name}': does it say that there is none?")
        rare = [label for label, count in labels.items() if count < _RARE_ROWS]
        if rare and len(labels) <= rows * _MOST_LABELS_SHARE:
            what = "label has" if len(rare) == 1 else "labels have"
            more = " …" if len(rare) > _SHOWN_RARE else ""
            found.append(f"{len(rare)} {what} fewer than {_RARE_ROWS} rows: {', '.join(rare[:_SHOWN_RARE])}{more}.")
        if not labels:
            found.append("No label column was found; name it with --label.")
        return found

    def show(self) -> None:
        """Print what was understood, with three rows of the data."""
        from rich.markup import escape
        from rich.table import Table

        screen = console()
        for note in self.raw.notes:
            screen.print(note, markup=False)
        screen.print(f"{self.raw.rows:,} rows, language {self.language}, task {self.task}.")
        if self.choice.why:
            screen.print(f"  Why {self.task}: {self.choice.why}", markup=False)
        if self.choice.others:
            name, _, why = self.choice.others[0]
            screen.print(f"  It could also be {name}: {why} Say --task {name} for that.", markup=False)
        for role, column in self.columns.items():
            shown = column if isinstance(column, str) else ", ".join(column)
            screen.print(f"  {role}: column {shown}. {self.reasons[role]}", markup=False)
        if self.separator:
            screen.print(
                f"  Labels of a row are separated by '{self.separator}': a row may have several.", markup=False
            )
        for role, path in self.siblings.items():
            screen.print(f"  {role}: {path} lies beside it and is used", markup=False)
        for path, column in self.unlike.items():
            screen.print(f"  {path} lies beside it, but has no column '{column}', and is not used", markup=False)
        if samples := self.samples():
            table = Table(*samples[0], box=None, header_style="bold", padding=(0, 2, 0, 2))
            for row in samples:
                table.add_row(*(escape(_short(value)) for value in row.values()))
            screen.print(table)
        if self.choice.task.classes:
            screen.print(f"{len(self.labels)} labels: {_list_labels(self.labels)}", markup=False)
        for warning in self.warnings():
            screen.print(f"Look at this: {warning}", style="yellow", markup=False)
        screen.print(f"Wrote {self.output}. Next: provetune check {self.output}", markup=False)

    def samples(self) -> list[dict[str, str | None]]:
        """The first three rows, of the columns that have a part."""
        names = [name for column in self.columns.values() for name in ([column] if isinstance(column, str) else column)]
        return list(self.raw.table.select(names).slice(0, _SHOWN_ROWS).to_pylist())

    def _kind(self) -> TaskDraft:
        from math import isfinite

        from provetune.models.methods import METHODS
        from provetune.problem.drafting import TaskDraft
        from provetune.problem.syntax import AUTO

        task = self.choice.task
        whole = [metric for metric in task.metrics if not (metric.per_label and metric.label_needed)]
        shown = [metric for metric in whole if metric.kind != "system"]
        options = {name: str(one.description or "") for name, one in task.options.model_fields.items()}
        metrics = tuple((metric.name, metric.higher_is_better) for metric in shown[:2])
        scale = shown[0].high if isfinite(shown[0].high) else 1.0
        return TaskDraft(
            task.baseline,
            "features" in task.learns_from,
            task.classes,
            metrics,
            options,
            backbone=AUTO if self._catalogue_suits() else _OWN_BACKBONE,
            backbone_note=None if self._catalogue_suits() else _NO_MODEL,
            scale=scale,
            pretrained_baseline=task.baseline is not None and METHODS.get(task.baseline).learns_from == "weights",
        )

    def _catalogue_suits(self) -> bool:
        """Whether the catalogue has a model that the task works with."""
        from provetune.models.catalogue import kind_for, of_kind

        return bool(of_kind(kind_for(self.choice.task.auto_class)))

    def _texts(self) -> list[str]:
        from provetune.problem.syntax import Columns

        column = self.choice.task.input_columns(Columns.model_validate(self.columns))
        first = column if isinstance(column, str) else column[0]
        if first not in self.raw.names:
            return []
        return [value for value in self.raw.table.column(first).slice(0, 5000).to_pylist() if value]

    def _find_separator(self) -> str | None:
        """The sign between the labels of a cell, where the task takes several labels a row."""
        from provetune.data.label_separators import find_separator
        from provetune.data.table import Kind

        task, column = self.choice.task, self.columns.get("label")
        many = task.classes and any(role.name == "label" and role.many for role in task.roles)
        if not many or not isinstance(column, str) or (self.raw.kind_of(column) >= Kind.LIST).any():
            return None
        return find_separator(self.raw.table.column(column).to_pylist())

    def _count_labels(self) -> dict[str, int]:
        """Rows of each label, the most frequent first."""
        from collections import Counter

        from provetune.data.labels import read_labels

        if not self.choice.task.classes:
            return {}
        cells = read_labels(self.raw, self.columns.get("label"), self.separator).drop_null().to_pylist()
        counted = Counter(label for cell in cells for label in ([cell] if isinstance(cell, str) else cell))
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))

    def _fitting_siblings(self) -> tuple[dict[str, Path], dict[Path, str]]:
        """The files beside it that have its columns, by part; and those that lack one, with its name."""
        from provetune.data.columns import flat_names
        from provetune.data.reading import read_table

        fitting, unlike = {}, {}
        for role, path in find_siblings(Path(self.file)).items():
            try:
                there = read_table(str(path), **asdict(self.options)).names
            except DataError:
                fitting[role] = path  # `check` says what is wrong with it
                continue
            lacking = [name for name in flat_names(list(self.columns.values())) if name not in there]
            if lacking:
                unlike[path] = lacking[0]
            else:
                fitting[role] = path
        return fitting, unlike

    def _sibling(self, role: str) -> str | None:
        path = self.siblings.get(role)
        return None if path is None else self._place(str(path))

    def _name(self) -> str:
        """The file's name; that of its folder where the file is only called after its part, as train.csv is."""
        if self.file.startswith("hub:"):
            return self.file
        path = Path(self.file).absolute()
        return path.parent.name if path.stem.lower() in _PART_NAMES and path.parent.name else path.name

    def _place(self, file: str) -> str:
        """The file as the problem file names it: relative to the problem file where it lies below it."""
        if file.startswith("hub:"):
            return file
        path, folder = Path(file).absolute(), self.output.absolute().parent
        return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _find_columns(
    raw: RawTable, task: Task, given: dict[str, str | list[str]]
) -> tuple[dict[str, str | list[str]], dict[str, str]]:
    """The column of each role, as given or detected, and why; a role that nothing fits has a reason alone."""
    from provetune.data.columns import check_named

    check_named(raw, given, [role.name for role in task.roles])
    detected = task.detect(raw, given)
    found = {**detected.columns, **given}
    reasons = {**detected.reasons, **dict.fromkeys(given, "You said so.")}
    for role in task.roles:
        if role.name not in found and role.required and role.name != "label":
            raise DataError(
                reasons[role.name],
                where=raw.location,
                hint=f"Name it with {_option_of(role.name)}. Columns: {', '.join(raw.names[:20])}.",
            )
    return {role.name: found[role.name] for role in task.roles if role.name in found}, reasons


def _option_of(role: str) -> str:
    return f"--{role}" if role == "text" else f"--column {role}=COLUMN"


def _short(value: Any, most: int = 60) -> str:
    text = " ".join(str(value if value is not None else "").split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _list_labels(labels: dict[str, int]) -> str:
    shown = [f"{label} ({count})" for label, count in list(labels.items())[:_SHOWN_LABELS]]
    return ", ".join(shown) + (" …" if len(labels) > _SHOWN_LABELS else "")

"""What verbs show in tables, as CSV files, one table a file, for spreadsheets and plots."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from provetune.core.files import write_text

Table: TypeAlias = tuple[list[str], list[list[Any]]]


def export_tables(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write every table of a report into `folder`; returns the files, in the report's order.

    Tables that only this task has are called ``task_NAME.csv``.
    """
    return write_tables({**{name: build(document) for name, build in _TABLES.items()}, **_own(document)}, folder)


def export_comparison(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the tables of `provetune.study.compare.compare_studies`: settings, scores, differences."""
    spread = [f"{side}_{part}" for side in "ab" for part in ("mean", "seeds")]
    parts = ["candidate", "metric", "rows", "difference", "standard_error", "lower", "upper"]
    tables: dict[str, Table] = {
        "settings": (["field", "a", "b"], [[one["field"], one["a"], one["b"]] for one in document["settings"]]),
        "scores": (
            ["candidate", "metric", *spread],
            [[line["candidate"], line["metric"], *_both_sides(line)] for line in document["scores"]],
        ),
        "differences": (parts, [[line[part] for part in parts] for line in document["differences"]]),
    }
    return write_tables(tables, folder)


def export_findings(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the findings of `provetune check`, a line a finding and place; one without a place has a line too."""
    parts, places = ["severity", "kind", "count", "message"], ["file", "row", "split"]
    rows = [
        [*(finding[part] for part in parts), *(row.get(place) for place in places)]
        for finding in document["findings"]
        for row in finding["rows"] or [{}]
    ]
    return write_tables({"findings": ([*parts, *places], rows)}, folder)


def export_space(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write what takes space in a workspace, as `provetune clean` shows it."""
    parts = ["removable", "kind", "study", "bytes", "path", "why"]
    return write_tables({"space": (parts, [[item[part] for part in parts] for item in document["items"]])}, folder)


def write_tables(tables: Mapping[str, Table], folder: Path) -> list[Path]:
    """Write tables (header and rows, by name) into `folder`; returns the files.

    Tables without a row are left out. UTF-8 with a byte order mark, so that spreadsheets read labels of any script.
    """
    written = []
    for name, (header, rows) in tables.items():
        if rows:
            path = Path(folder) / f"{name}.csv"
            write_text(path, "\ufeff" + _as_csv(header, rows))
            written.append(path)
    return written


def _as_csv(header: list[str], rows: list[list[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([["" if cell is None else _guard(cell) for cell in row] for row in rows])
    return stream.getvalue()


def _guard(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _both_sides(line: Mapping[str, Any]) -> list[Any]:
    """Mean and number of seeds on each side of a comparison; nothing where a side lacks the score."""
    sides = [line[side] or {} for side in "ab"]
    return [cell for side in sides for cell in (side.get("mean"), len(side["seeds"]) if side else None)]


def _candidates(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from document["candidates"].items()


def _scores(document: Mapping[str, Any]) -> Table:
    rows = [
        [name, metric, score["mean"], k, value]
        for name, report in _candidates(document)
        for metric, score in report["metrics"].items()
        for k, value in enumerate(score["seeds"])
    ]
    return ["candidate", "metric", "mean", "run", "value"], rows


def _labels(document: Mapping[str, Any]) -> Table:
    parts = ["label", "precision", "recall", "f1", "support", "predicted"]
    rows = [
        [name, *(line[part] for part in parts)] for name, report in _candidates(document) for line in report["labels"]
    ]
    return ["candidate", *parts], rows


def _confusion(document: Mapping[str, Any]) -> Table:
    rows: list[list[Any]] = []
    for name, report in _candidates(document):
        names, counts = report["confusion"]["labels"], report["confusion"]["counts"]
        for label, line in zip(names, counts, strict=True):
            if line and isinstance(line[0], list):
                cells = [("absent", "absent"), ("absent", "present"), ("present", "absent"), ("present", "present")]
                flat = [count for part in line for count in part]
                rows += [[name, label, *cell, count] for cell, count in zip(cells, flat, strict=True)]
            else:
                rows += [[name, "", label, said, count] for said, count in zip(names, line, strict=True)]
    return ["candidate", "table", "gold", "predicted", "count"], rows


def _most_confused(document: Mapping[str, Any]) -> Table:
    parts = ["label", "prediction", "count"]
    rows = [
        [name, *(pair[part] for part in parts)]
        for name, report in _candidates(document)
        for pair in report["most_confused"]
    ]
    return ["candidate", "gold", "predicted", "count"], rows


def _steps(document: Mapping[str, Any]) -> Table:
    rows = [
        [name, curve["k"], point["step"], point["loss"], point["learning_rate"]]
        for name, report in _candidates(document)
        for curve in report["curves"]
        for point in curve["steps"]
    ]
    return ["candidate", "run", "step", "loss", "learning_rate"], rows


def _evaluations(document: Mapping[str, Any]) -> Table:
    rows = [
        [name, curve["k"], point["step"], metric, value, point["best"]]
        for name, report in _candidates(document)
        for curve in report["curves"]
        for point in curve["evaluations"]
        for metric, value in point["scores"].items()
    ]
    return ["candidate", "run", "step", "metric", "value", "best"], rows


def _calibration(document: Mapping[str, Any]) -> Table:
    parts = ["from", "to", "rows", "confidence", "accuracy"]
    rows = [
        [name, when, *(line[part] for part in parts)]
        for name, report in _candidates(document)
        for when in ("before", "after")
        for line in (report["calibration"] or {}).get(when, [])
    ]
    return ["candidate", "temperature", *parts], rows


def _trials(document: Mapping[str, Any]) -> Table:
    parts = ["k", "seed", "seconds", "bundle"]
    rows = [
        [name, *(trial[part] for part in parts)] for name, report in _candidates(document) for trial in report["trials"]
    ]
    return ["candidate", "run", *parts[1:]], rows


def _accept(document: Mapping[str, Any]) -> Table:
    parts = ["metric", "required", "value", "bound", "met"]
    return parts, [[judgement[part] for part in parts] for judgement in document["accept"]]


def _claims(document: Mapping[str, Any]) -> Table:
    parts = ["effect", "bound", "p", "p_holm", "estimand", "alpha", "look"]
    rows = [
        [
            one.get("claim"),
            one.get("verdict"),
            *(one.get("interval") or [None, None]),
            *(one.get(part) for part in parts),
        ]
        for one in document["claims"]
    ]
    return ["claim", "verdict", "low", "high", *parts], rows


def _slices(document: Mapping[str, Any]) -> Table:
    rows = [
        [name, division["by"], division["kind"], part["value"], part["rows"], score["mean"]]
        for division in document["slices"]
        for part in division["values"]
        for name, score in part["candidates"].items()
    ]
    return ["candidate", "by", "kind", "value", "rows", "mean"], rows


def _mistakes(document: Mapping[str, Any]) -> Table:
    parts = ["file", "row", "row_id", "text", "label", "prediction", "confidence", "cost", "value"]
    rows = [
        [name, *(_joined(line.get(part)) for part in parts), " ".join(map(str, line["wrong_runs"]))]
        for name, lines in document["errors"]["mistakes"].items()
        for line in lines
    ]
    return ["candidate", *parts, "wrong_runs"], rows


def _joined(value: Any) -> Any:
    """Several labels as one cell."""
    return "|".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _own(document: Mapping[str, Any]) -> dict[str, Table]:
    """The task's own tables, those of all candidates in one where they have the same columns."""
    found: dict[str, Table] = {}
    for candidate, report in _candidates(document):
        for table in report["tables"]:
            name = f"task_{_NOT_IN_NAMES.sub('_', table['name'])}"
            header = ["candidate", "run", *table["columns"]]
            while name in found and found[name][0] != header:
                name += "_"
            found.setdefault(name, (header, []))[1].extend([candidate, table["k"], *row] for row in table["rows"])
    return found


_NOT_IN_NAMES = re.compile(r"[^\w-]+")

_TABLES: Mapping[str, Callable[[Mapping[str, Any]], Table]] = {
    "scores": _scores,
    "labels": _labels,
    "confusion": _confusion,
    "most_confused": _most_confused,
    "steps": _steps,
    "evaluations": _evaluations,
    "calibration": _calibration,
    "trials": _trials,
    "accept": _accept,
    "claims": _claims,
    "slices": _slices,
    "mistakes": _mistakes,
}

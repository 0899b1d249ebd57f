"""`provetune predict`: what a bundle says about texts: from the command line, a file, or stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json, print_note, print_text
from provetune.core.errors import UsageError

if TYPE_CHECKING:
    from provetune.inference.predictor import Predictor

_WINDOW = 2048
_PROBLEM_FILES = (".yaml", ".yml")


def command(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="Bundle folder, or a problem file whose study has run: its best.")
    ],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Texts to predict; left out, lines of stdin.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--input", "-i", metavar="FILE", help="Rows to answer: csv, tsv, jsonl or parquet.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where they go: csv, tsv or jsonl.")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="COLUMN", help="Text column of --input, where it differs.")
    ] = None,
    keep_empty: Annotated[bool, typer.Option("--keep-empty", help="Answer rows without text with no label.")] = False,
    top_k: Annotated[int | None, typer.Option("--top-k", min=1, help="Show the k likeliest labels.")] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Show the probability of every label.")] = False,
    precision: Annotated[str, typer.Option("--precision", help="fp32, bf16, or auto: what is quicker here.")] = "fp32",
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1 or mps.")] = "cpu",
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Where a problem file's study lies.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Predict labels with a bundle. Rows of a file keep their order and columns."""
    if source is not None and texts:
        raise UsageError("Texts and --input were both given.", hint="Give one of them.")
    if target is not None and source is None:
        raise UsageError("--output needs --input.", hint="Without a file, answers go to stdout.")
    if source is not None and target is None:
        raise UsageError("--input needs --output.", hint="For example: --output predictions.jsonl")
    if source is None and not texts and sys.stdin.isatty():
        raise UsageError(
            "There is nothing to predict.", hint="Give texts, --input FILE --output FILE, or lines on stdin."
        )
    asked: dict[str, Any] = {"top_k": top_k, "proba": proba, "missing": "keep" if keep_empty else "refuse"}
    with logs_on_stderr(json):
        predictor = _load(bundle, workspace, precision=precision, device=device)
        if source is not None and target is not None:
            document: Any = _predict_file(predictor, source, target, columns=text, **asked)
        elif texts or json:
            given = texts or list(_lines_of_stdin())
            document = [dict(row) for row in predictor.predict(given, **asked)]
    if json:
        print_json(document)
    elif source is not None:
        print_note(f"{document['rows']:,} rows written to {target}.")
    elif texts:
        _show(texts, document)
    else:
        _stream(predictor, asked)


def _load(bundle: str, workspace: Path | None, **options: Any) -> Predictor:
    from provetune.inference.predictor import load

    if not bundle.endswith(_PROBLEM_FILES):
        return load(bundle, **options)
    from provetune.study.run import load_study

    return load(load_study(bundle, workspace).best, **options)


def _predict_file(predictor: Predictor, source: str, target: str, **options: Any) -> dict[str, Any]:
    """Answer a file with a progress bar on stderr; what came of it as JSON-ready facts."""
    from dataclasses import asdict

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("predicting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        report = predictor.predict_file(source, target, progress=tell, **options)
    return {"input": source, **asdict(report)}


def _lines_of_stdin() -> Iterator[str]:
    for line in sys.stdin:
        if stripped := line.rstrip("\r\n"):
            yield stripped


def _stream(predictor: Predictor, options: dict[str, Any]) -> None:
    """Answer lines of stdin as they come, in memory that does not grow with them."""
    lines = _lines_of_stdin()
    while window := list(islice(lines, _WINDOW)):
        _show(window, list(predictor.predict(window, **options)))


def _show(texts: list[str], answers: list[dict[str, Any]]) -> None:
    """A table on a terminal; for another program one line a text: label, score, more labels, tab-separated."""
    if not sys.stdout.isatty():
        print_text("\n".join("\t".join(_cells(answer)) for answer in answers))
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("text", "label", "score", box=None, pad_edge=False, header_style="bold")
    for text, answer in zip(texts, answers, strict=True):
        chosen = _spell(answer["label"])
        table.add_row(escape(text), escape(chosen), _number(answer["score"]))
        for label, score in answer.get("labels", {}).items():
            if label != chosen:
                table.add_row("", escape(label), _number(score), style="dim")
    console().print(table)


def _cells(answer: dict[str, Any]) -> list[str]:
    more = [f"{label}={score:.4f}" for label, score in answer.get("labels", {}).items()]
    return [_spell(answer["label"]), _number(answer["score"]), *more]


def _spell(label: str | list[str] | None) -> str:
    return "" if label is None else label if isinstance(label, str) else "|".join(label)


def _number(score: float | None) -> str:
    return "" if score is None else f"{score:.4f}"

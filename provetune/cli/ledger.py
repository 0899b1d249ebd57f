"""`provetune ledger`: the history of a problem: hypotheses, looks at the sealed test, verdicts, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json


def command(
    problem: Annotated[
        Path | None,
        typer.Argument(
            metavar="PROBLEM",
            help="The problem file, a study's folder, or a folder with a workspace. Left out: all that is there.",
            show_default=False,
        ),
    ] = None,
    ledger: Annotated[
        str | None, typer.Option("--ledger", metavar="URL", help="Another ledger than the workspace's own.")
    ] = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Another workspace than beside it.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show a problem's history: what was supposed, who looked at the test rows, what was found."""
    from provetune.cli._studies import find_ledger
    from provetune.core.errors import UsageError
    from provetune.ledger.records import Ledger
    from provetune.study.history import history_document

    with logs_on_stderr(json):
        url, name = find_ledger(problem, ledger, workspace)
        with Ledger(url, create=False) as book:
            document = history_document(book, name)
            if not document["history"]:
                known = sorted({record.entry.name for record in book.studies()})
                raise UsageError(_nothing(name), hint=_where_else(name, known))
    if json:
        print_json(document)
    else:
        _show(document)


def _nothing(name: str | None) -> str:
    return "The ledger is empty." if name is None else f"The ledger knows no study of '{name}'."


def _where_else(name: str | None, known: list[str]) -> str:
    from provetune.core.suggest import advice

    if name is None or not known:
        return "Run a problem first; what was run with --ledger is found with the same --ledger."
    return advice(name, known)


def _show(document: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from provetune.cli._history import history_lines

    screen = console()
    table = Table("when (UTC)", "what", "", box=None, header_style="bold", pad_edge=False)
    several = len({item["study"] for item in document["history"]}) > 1
    for when, what, words, style in history_lines(document["history"], several):
        table.add_row(when, what, escape(words), style=style)
    screen.print(table)
    for test in document["tests"]:
        whose = f"{test['problem']}: " if len(document["tests"]) > 1 else ""
        style = "yellow" if test["worn_out"] else None
        screen.print()
        screen.print(f"{whose}{test['words']}", style=style, markup=False)
        if test["looks"]:
            spent = f"α spent on rows {test['test_hash'][:8]} so far: {test['spent']:.3g}"
            screen.print(f"{spent}, in {test['looks']} charged and {test['free']} free looks.", markup=False)

"""`provetune check`: what is wrong with the data and the candidates, worst first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json, print_written

_STYLES = {"blocking": "bold red", "warning": "yellow", "note": "dim"}
_SHOWN_ROWS = 5


def command(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM", help="The problem file.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Override a field. May be repeated.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings, too.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Set rows that cannot be used aside, into a file beside the problem.")
    ] = False,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FOLDER", help="Write every table as CSV.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what is wrong with data and candidates, worst first; exit code 1 when nothing can run like this."""
    from provetune.study.checking import check_problem

    with logs_on_stderr(json):
        wanted = [*(overrides or []), *(["data.skip_bad=true"] if skip_bad else [])]
        aside = problem.with_name(f"{problem.stem}.set_aside.jsonl") if skip_bad else None
        document = check_problem(problem, overrides=wanted, set_aside=aside)
    if csv is not None:
        from provetune.study.tables import export_findings

        print_written(export_findings(document, csv))
    if json:
        print_json(document)
    else:
        _show(document)
    grave = ("blocking", "warning") if strict else ("blocking",)
    if any(finding["severity"] in grave for finding in document["findings"]):
        raise typer.Exit(1)


def _show(document: dict[str, Any]) -> None:
    from rich.padding import Padding

    screen = console()
    for note in document["notes"]:
        screen.print(note, markup=False, style="dim")
    for split, rows in document["splits"].items():
        screen.print(f"{split}: {rows:,} rows")
    for finding in document["findings"]:
        style = _STYLES[finding["severity"]]
        screen.print(f"[{style}]{finding['severity']}[/] {finding['kind']} ({finding['count']:,})")
        screen.print(Padding(finding["message"], (0, 0, 0, 4)), markup=False)
        if finding["rows"]:
            places = ", ".join(_place(row) for row in finding["rows"][:_SHOWN_ROWS])
            more = " …" if finding["count"] > _SHOWN_ROWS else ""
            screen.print(Padding(f"{places}{more}", (0, 0, 0, 4)), style="dim", markup=False)
    if not document["findings"]:
        screen.print("[green]Nothing stands out.[/]")
    elif not document["blocking"]:
        screen.print("Nothing is blocking: this can run.")
    else:
        screen.print(f"{document['blocking']} blocking: mend these first.", style="bold red")


def _place(row: dict[str, Any]) -> str:
    if not {"file", "row"} <= set(row):
        return str(row)
    return f"{row['file']} row {row['row']}" + (f" token {row['token']}" if "token" in row else "")

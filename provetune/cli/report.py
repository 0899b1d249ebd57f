"""`provetune report`: everything a study has to show: per label, confusion, curves, calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json, print_written


def command(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM", help="The problem file, or a study's folder.")],
    split: Annotated[
        str | None, typer.Option("--split", help="validation or test; by default the test once it is open.")
    ] = None,
    candidate: Annotated[
        list[str] | None, typer.Option("--candidate", metavar="NAME", help="Show this one in detail; repeatable.")
    ] = None,
    study: Annotated[str | None, typer.Option("--study", metavar="ID", help="Another study than the latest.")] = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Another workspace than beside it.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FOLDER", help="Write every table as CSV.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show a study's scores, labels, confusions and curves; validation until the test is open."""
    from provetune.cli._studies import find_study
    from provetune.study.report import report_document
    from provetune.study.tables import export_tables

    with logs_on_stderr(json):
        folder, ledger = find_study(problem, study, workspace)
        if ledger is None:
            document = report_document(folder, split)
        else:
            from provetune.ledger.records import Ledger

            with Ledger(ledger) as book:
                document = report_document(folder, split, ledger=book)
        chosen = _choose(document, candidate)
        written = export_tables(document, csv) if csv is not None else []
    print_written(written)
    if json:
        print_json(document)
    else:
        _show(document, chosen)


def _choose(document: dict[str, Any], named: list[str] | None) -> list[str]:
    """Candidates to show in detail: those named, else the best."""
    from provetune.core.errors import UsageError
    from provetune.core.suggest import advice

    known = [name for name, report in document["candidates"].items() if report["trials"]]
    for name in named or []:
        if name not in known:
            raise UsageError(f"There is no finished candidate '{name}'.", hint=advice(name, known))
    if named:
        return named
    if document["best"]:
        return [document["best"]["candidate"]]
    metric = document["metric"]
    return [max(known, key=lambda name: document["candidates"][name]["metrics"][metric]["mean"] or 0.0)]


def _show(document: dict[str, Any], chosen: list[str]) -> None:
    from provetune.cli._scores import accept_lines, claim_lines, score_table

    screen = console()
    rows = ", ".join(f"{split} {count:,}" for split, count in document["rows"].items())
    screen.print(f"{document['study']}: {document['task']}, rows: {rows}", markup=False)
    for note in document["notes"]:
        screen.print(f"· {note}", style="dim", markup=False)
    screen.print()
    screen.print(f"Scores on the {document['split']} rows: mean ± standard deviation over seeds")
    screen.print(score_table(document))
    for name in chosen:
        _show_candidate(screen, name, document["candidates"][name], document["metric"])
    screen.print()
    for line in accept_lines(document["accept"]):
        screen.print(f"Acceptance: {line}")
    for line in claim_lines(document["claims"]):
        screen.print(f"Claim: {line}", markup=False)
    if "looks" in document:
        screen.print(f"Looks at the test rows that count: {document['looks']['charged']}")
    screen.print(f"Again: {document['reproduce']['command']}", style="dim", markup=False, soft_wrap=True)


def _show_candidate(screen: Any, name: str, report: dict[str, Any], metric: str) -> None:
    from provetune.cli import _report

    backbone = f" on {report['backbone']}" if report["backbone"] else ""
    screen.print(f"\n{name}: {report['method']}{backbone}", style="bold", markup=False)
    screen.print(_report.label_table(report["labels"]))
    if (confusions := _report.confusion_table(report)) is not None:
        screen.print("\nWhat was taken for what, summed over the runs")
        screen.print(confusions)
    lines = list(_report.curve_lines(report["curves"], metric))
    if lines:
        screen.print("\nTraining")
    for line in lines:
        screen.print(line, markup=False, soft_wrap=True)
    if (calibration := _report.calibration_line(report["calibration"])) is not None:
        screen.print(f"\n{calibration}")

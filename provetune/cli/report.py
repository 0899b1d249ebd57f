"""`provetune report`: everything a study has to show, on the screen, as JSON, as tables or as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json, print_written
from provetune.core.errors import UsageError


def command(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM", help="The problem file, or a study's folder.")],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="With --html: where the page goes; report-STUDY.html here.")
    ] = None,
    html: Annotated[
        bool, typer.Option("--html", help="Write one self-contained page: offline, on a phone, in print.")
    ] = False,
    lang: Annotated[str, typer.Option("--lang", metavar="en|zh", help="Language of the page.")] = "en",
    open_test: Annotated[
        bool, typer.Option("--open-test", help="Show what came of the sealed test; stored results, no new look.")
    ] = False,
    split: Annotated[
        str | None, typer.Option("--split", help="Whose scores: validation, or test together with --open-test.")
    ] = None,
    candidate: Annotated[
        list[str] | None, typer.Option("--candidate", metavar="NAME", help="Show this one in detail; repeatable.")
    ] = None,
    study: Annotated[str | None, typer.Option("--study", metavar="ID", help="Another study than the latest.")] = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Another workspace than beside it.")] = None,
    ledger: Annotated[
        str | None, typer.Option("--ledger", metavar="URL", help="The ledger that the study was run with.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FOLDER", help="Write every table as CSV.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show a study's scores, labels, confusions and curves: on validation, or the test with --open-test.

    Verdicts and acceptance came of the sealed test and are shown with --open-test alone.
    """
    problem, target = _sort_out(problem, file, html, lang)
    with logs_on_stderr(json):
        document = _document(problem, split, open_test, study, workspace, ledger)
        chosen = _choose(document, candidate)
        page = (target or Path(f"report-{document['study']}.html")) if html else None
        written = _write(document, page, lang, csv)
    print_written(written)
    if json:
        print_json(document)
    elif not html:
        _show(document, chosen)


def _sort_out(problem: Path, file: Path | None, html: bool, lang: str) -> tuple[Path, Path | None]:
    """The problem and the page's file, in whichever order they were given; refuses what would overwrite a source.

    Raises:
        UsageError: a file without ``--html``, a page that is not named as one, or a language that it does not speak.
    """
    from provetune.core.suggest import advice

    languages = ("en", "zh")
    if lang not in languages:
        raise UsageError(f"The page does not speak '{lang}'.", hint=advice(lang, languages))
    if file is None:
        return problem, None
    if not html:
        raise UsageError(f"'{file}' is one word too many.", hint="With --html it is where the page goes.")
    if _is_page(problem) and not _is_page(file):
        problem, file = file, problem
    if not _is_page(file):
        raise UsageError(f"A page's name ends in .html. Got '{file}' instead.", hint="Name it report.html.")
    return problem, file


def _is_page(path: Path) -> bool:
    return path.suffix.lower() in (".html", ".htm")


def _document(
    problem: Path, split: str | None, open_test: bool, study: str | None, workspace: Path | None, asked: str | None
) -> dict[str, Any]:
    from provetune.cli._studies import find_study
    from provetune.study.report import report_document

    folder, own = find_study(problem, study, workspace)
    ledger = asked or own
    if ledger is None:
        return report_document(folder, split, open_test=open_test)
    from provetune.ledger.records import Ledger

    with Ledger(ledger, create=asked is None) as book:
        return report_document(folder, split, open_test=open_test, ledger=book)


def _write(document: dict[str, Any], page: Path | None, lang: str, csv: Path | None) -> list[Path]:
    """Write what was asked for; the document names its page.

    Args:
        page: where it goes; None where no page is wanted.
    """
    from provetune.study.tables import export_tables

    written = export_tables(document, csv) if csv is not None else []
    if page is not None:
        from provetune.study.report_html.page import write_page

        written.append(write_page(document, page, lang))
        document["html"] = str(page)
    return written


def _choose(document: dict[str, Any], named: list[str] | None) -> list[str]:
    """Candidates to show in detail: those named, else the best."""
    from provetune.core.suggest import advice

    known = [name for name, report in document["candidates"].items() if report["trials"]]
    for name in named or []:
        if name not in known:
            raise UsageError(f"There is no finished candidate '{name}'.", hint=advice(name, known))
    if named:
        return named
    if document["best"]:
        return [document["best"]["candidate"]]
    return [max(known, key=lambda name: _goodness(document, name))]


def _goodness(document: dict[str, Any], name: str) -> float:
    """The mean of the primary metric, more for better; the least there is where it is not known."""
    from provetune.cli._scores import lower_is_better

    metric = document["metric"]
    mean = document["candidates"][name]["metrics"].get(metric, {}).get("mean")
    if mean is None:
        return float("-inf")
    return -float(mean) if metric in lower_is_better(document) else float(mean)


def _show(document: dict[str, Any], chosen: list[str]) -> None:
    from provetune.cli._scores import score_table

    screen = console()
    rows = ", ".join(f"{split} {count:,}" for split, count in document["rows"].items())
    screen.print(f"{document['study']}: {document['task']}, rows: {rows}", markup=False)
    for note in document["notes"]:
        screen.print(f"· {note}", style="dim", markup=False)
    screen.print()
    screen.print(f"Scores on the {document['split']} rows: mean ± standard deviation over seeds")
    screen.print(score_table(document))
    for name in chosen:
        _show_candidate(screen, name, document)
    screen.print()
    _show_judgements(screen, document)
    if "looks" in document:
        screen.print(f"Looks at the test rows that count: {document['looks']['charged']}")
    screen.print(f"Again: {document['reproduce']['command']}", style="dim", markup=False, soft_wrap=True)


def _show_judgements(screen: Any, document: dict[str, Any]) -> None:
    from provetune.cli._scores import accept_lines, claim_lines

    if document["shows_test"]:
        for line in accept_lines(document["accept"]):
            screen.print(f"Acceptance: {line}")
        for line in claim_lines(document["claims"]):
            screen.print(f"Claim: {line}", markup=False)
        return
    for level in document["accept"]:
        screen.print(f"Acceptance: {level['metric']} {level['required']}", markup=False)
    for claim in document["claims"]:
        screen.print(f"Claim: {claim['claim']}", markup=False)
    if document["test_open"]:
        screen.print("Shown are validation scores; add --open-test for what came of the sealed test.")


def _show_candidate(screen: Any, name: str, document: dict[str, Any]) -> None:
    from provetune.cli import _report
    from provetune.cli._scores import lower_is_better

    report, metric = document["candidates"][name], document["metric"]
    backbone = f" on {report['backbone']}" if report["backbone"] else ""
    screen.print(f"\n{name}: {report['method']}{backbone}", style="bold", markup=False)
    if report["labels"]:
        screen.print(_report.label_table(report["labels"]))
    if (confusions := _report.confusion_table(report)) is not None:
        screen.print("\nWhat was taken for what, summed over the runs")
        screen.print(confusions)
    for table in report["tables"]:
        if table["rows"]:
            screen.print(f"\n{table['title']} (run {table['k']})", markup=False)
            screen.print(_report.own_table(table))
            if table["note"]:
                screen.print(table["note"], style="dim", markup=False)
    lines = list(_report.curve_lines(report["curves"], metric, lower=metric in lower_is_better(document)))
    if lines:
        screen.print("\nTraining")
    for line in lines:
        screen.print(line, markup=False, soft_wrap=True)
    if (calibration := _report.calibration_line(report["calibration"])) is not None:
        screen.print(f"\n{calibration}")

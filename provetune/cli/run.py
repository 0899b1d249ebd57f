"""`provetune run`: every candidate on every seed, the sealed test once, the best bundle named."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json
from provetune.core.errors import UsageError

if TYPE_CHECKING:
    from provetune.study.progress import Progress


def command(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM", help="The problem file.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Override a field, e.g. study.seeds=1. May be repeated."),
    ] = None,
    workspace: Annotated[
        Path | None, typer.Option("--workspace", help="Folder for studies; .provetune beside the problem by default.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what is there; fail when nothing is.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again, even what is finished.")] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    ledger: Annotated[str | None, typer.Option("--ledger", help="Another ledger, as a SQLAlchemy URL.")] = None,
    allow_machine_change: Annotated[
        bool, typer.Option("--allow-machine-change", help="Go on although this machine computes other bits.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 when a claim is refuted or a level of accept is not met.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Set rows that cannot be used aside, into a file of the study.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No live table.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Train every candidate on every seed, open the sealed test once, name the best bundle.

    An interrupted run goes on where it stopped when the same line is given again.
    """
    if resume and fresh:
        raise UsageError("--resume and --fresh exclude each other.", hint="Give one of them, or neither.")
    with logs_on_stderr(json):
        from provetune.study.run import run
        from provetune.study.verdict import refuted

        with _progress(quiet) as listener:
            study = run(
                problem,
                overrides=[*(overrides or []), *(["data.skip_bad=true"] if skip_bad else [])],
                workspace=workspace,
                fresh=fresh,
                resume=resume,
                listener=listener,
                device=device,
                ledger=ledger,
                allow_machine_change=allow_machine_change,
            )
    if json:
        print_json(study.document)
    else:
        show(study.document, problem, workspace, ledger)
    if strict and (refuted(study.claims) or not all(level["met"] for level in study.accept)):
        raise typer.Exit(1)


def _progress(quiet: bool) -> AbstractContextManager[Progress | None]:
    """The live table on stderr, or nothing."""
    from provetune.study.progress import Progress

    return nullcontext() if quiet else Progress(console(stderr=True))


def show(document: dict[str, Any], problem: Path, workspace: Path | None = None, ledger: str | None = None) -> None:
    """Print what a finished study found: scores, acceptance, claims, and what to do next.

    Args:
        workspace, ledger: where they are others than the usual ones, which the next line needs to know.
    """
    from rich.markup import escape

    from provetune.cli._scores import VERDICT_STYLES, accept_lines, claim_lines, score_table

    screen = console()
    screen.print()
    rows = f"rows held out in {document['folds']} folds" if "folds" in document else "the sealed test"
    screen.print(f"Scores on {rows}: mean ± standard deviation over seeds")
    screen.print(score_table(document))
    best = document["best"]
    screen.print()
    screen.print(f"Best on validation: [bold]{escape(best['candidate'])}[/]")
    for line in accept_lines(document.get("accept", [])):
        screen.print(f"Acceptance: {line}")
    for claim, line in zip(document["claims"], claim_lines(document["claims"]), strict=True):
        screen.print(f"Claim: {line}", markup=False, style=VERDICT_STYLES.get(claim.get("verdict"), ""), soft_wrap=True)
    screen.print()
    screen.print(f"Bundle: {best['bundle']}", markup=False, soft_wrap=True)
    next_lines = _next_lines(problem, workspace, ledger, _example_inputs(Path(best["bundle"])))
    if "folds" in document:
        next_lines = next_lines[:-1]  # `next` does not know cross-validated studies
    for number, line in enumerate(next_lines):
        screen.print(f"{' ' * 7 if number else 'Next:  '} {line}", markup=False, soft_wrap=True)


def _example_inputs(bundle: Path) -> str:
    """What a bundle is asked, as the words of a command line."""
    from provetune.core.errors import ProvetuneError
    from provetune.core.protocols import ReadsItems
    from provetune.models.bundle.card import is_paired
    from provetune.models.bundle.record import read_record
    from provetune.tasks import TASKS

    try:
        record = read_record(bundle)
    except ProvetuneError:
        # The study has ended well whatever became of its bundle since: a hint is no reason to say otherwise.
        return '"some text"'
    paired = is_paired(record) and not isinstance(TASKS.get(record["task"]), ReadsItems)
    return '"some text" --pair "another text"' if paired else '"some text"'


def _next_lines(problem: Path, workspace: Path | None, ledger: str | None, inputs: str) -> list[str]:
    where = [] if workspace is None else ["--workspace", str(workspace)]
    seen = []
    if ledger is not None:
        from provetune.ledger.connection import shown_url

        seen = ["--ledger", shown_url(ledger)]
    predict, report, following = (
        shlex.join(["provetune", verb, str(problem), *where]) for verb in ("predict", "report", "next")
    )
    return [f"{predict} {inputs}", shlex.join([*shlex.split(report), "--html", "--open-test", *seen]), following]

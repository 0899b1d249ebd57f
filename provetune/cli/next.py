"""`provetune next`: what to try next, from the last study's evidence, each with a problem file that `run` accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json, print_note


def command(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM", help="The problem file, or a study's folder.")],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FOLDER", help="Where new problem files go; beside the old one.")
    ] = None,
    top: Annotated[int, typer.Option("--top", metavar="N", help="How many steps are shown and get a file.")] = 3,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe/--no-probe", help="Fit a cheap candidate for a learning curve and doubtful labels, or not."
        ),
    ] = True,
    study: Annotated[str | None, typer.Option("--study", metavar="ID", help="Another study than the latest.")] = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Another workspace than beside it.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what to try next, ranked by expected gain for cost, and write a problem file for each step.

    Only validation rows, training curves and verdicts that were given are looked at, never the test.
    """
    with logs_on_stderr(json):
        from provetune.cli._studies import find_study
        from provetune.study.next.proposals import propose_next

        folder, _ = find_study(problem, study, workspace)
        document = propose_next(problem, folder, output=output, top=top, probe=probe, on_note=print_note)
    if json:
        print_json(document)
    else:
        _show(document)


def _show(document: dict[str, Any]) -> None:
    from provetune.study.next.words import say_cost, say_gain

    screen = console()
    best = document["best"]
    screen.print(
        f"{document['study']}: best is {best['candidate']}, {document['metric']} {best['validation']:.3f} on "
        f"validation "
        "rows",
        markup=False,
    )
    for note in document["notes"]:
        screen.print(f"· {note}", style="dim", markup=False, soft_wrap=True)
    if not document["steps"]:
        screen.print("Nothing in the evidence speaks for any step.")
    for number, step in enumerate(document["steps"], start=1):
        screen.print()
        screen.print(f"{number}. {step['title']}", style="bold", markup=False, soft_wrap=True)
        screen.print(f"   {step['reason']}", markup=False, soft_wrap=True)
        if step["problem"] is None:
            continue
        screen.print(f"   {say_gain(step)}; {say_cost(step)}", markup=False, soft_wrap=True)
        screen.print(f"   from {step['details']['source']}", style="dim", markup=False, soft_wrap=True)
        if "table" in step["details"]:
            screen.print(f"   rows: {step['details']['table']}", markup=False, soft_wrap=True)
        screen.print(
            f"   {_line(step, document['workspace'])}    # tests {step['claim']}", markup=False, soft_wrap=True
        )


def _line(step: dict[str, Any], workspace: str) -> str:
    """What runs a step, in the workspace whose ledger has counted the looks at these test rows."""
    import shlex

    words = ["provetune", "run", step["problem"]]
    if (Path(step["problem"]).absolute().parent / ".provetune").resolve() != Path(workspace).resolve():
        words += ["--workspace", workspace]
    return shlex.join(words)

"""`provetune compress`: a bundle made smaller or faster, written only where what was proven still holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provetune.cli._bundles import find_bundle
from provetune.cli._output import console, logs_on_stderr, print_json
from provetune.core.errors import UsageError

if TYPE_CHECKING:
    from provetune.compression.compress import Listener


Named = Annotated[
    str | None, typer.Argument(metavar="BUNDLE", help="Bundle folder, or problem file: its study's best.")
]
To = Annotated[
    list[str] | None,
    typer.Option("--to", metavar="STEP", help="What to do: a step, or several with commas. May be repeated."),
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="STEP.FIELD=VALUE", help="A step's setting, e.g. drop_layers.keep=3."),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FOLDER", help="Where the last bundle goes; else beside BUNDLE.")
]
Problem = Annotated[
    Path | None,
    typer.Option("--problem", metavar="FILE", help="Makes the rows again, for a bundle that was moved."),
]
Workspace = Annotated[
    Path | None, typer.Option("--workspace", help="Where the study of the bundle or problem file lies.")
]
Tolerance = Annotated[
    float | None,
    typer.Option("--tolerance", help="Largest loss that may be left open; compress.tolerance, else 0.01."),
]
Force = Annotated[bool, typer.Option("--force", help="Write what breaks acceptance too; the bundle says so for ever.")]


def command(
    bundle: Named = None,
    to: To = None,
    settings: Setting = None,
    out: Out = None,
    problem: Problem = None,
    workspace: Workspace = None,
    tolerance: Tolerance = None,
    force: Force = False,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Computing threads.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="Show every step and what it can be told.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a bundle smaller or faster, step by step; 1 where a step breaks acceptance, and nothing is written then.

    Acceptance is tested again on rows that nothing else was decided by. An interrupted line goes on where it stopped.
    `fastest` as the last step tries every way to compute the bundle here and chooses the quickest that holds.
    """
    if listing:
        _list(json)
        return
    if bundle is None:
        raise UsageError("No bundle is named.", hint="For example: provetune compress BUNDLE --to drop_layers")
    with logs_on_stderr(json):
        from provetune.compression.compress import compress

        with _progress() as listener:
            found = compress(
                find_bundle(bundle, workspace),
                to or [],
                settings=settings or [],
                out=out,
                problem=problem,
                workspace=workspace,
                tolerance=_tolerance(tolerance, bundle, problem),
                force=force,
                threads=threads,
                listener=listener,
            )
    if json:
        print_json(found.document)
    else:
        from provetune.cli._compressed import show_compressed

        show_compressed(found.document)
    if not found.passed:
        raise typer.Exit(1)


def _tolerance(asked: float | None, bundle: str, problem: Path | None) -> float | None:
    """A problem file that stands for its bundle says the tolerance as it stands now."""
    if asked is not None or problem is not None or not bundle.endswith((".yaml", ".yml")):
        return asked
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import baseline_of, problem_checks

    return read_problem(bundle, checks=problem_checks(), baseline_of=baseline_of).problem.compress.tolerance


def _list(json: bool) -> None:
    from provetune.compression.asked import NO_STEPS, describe
    from provetune.compression.fastest import FASTEST, SUMMARY
    from provetune.compression.steps import STEPS

    described = [describe(STEPS.get(name)) for name in STEPS.names()]
    others = {FASTEST: SUMMARY, **{name: f"No step: {why}" for name, why in NO_STEPS.items()}}
    if json:
        print_json({"steps": described, "others": others})
        return
    from provetune.cli._compressed import show_steps

    show_steps(described, others)


@contextmanager
def _progress() -> Iterator[Listener]:
    """A bar on stderr for what is being done, with the time left where it is known."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    screen = console(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        running: dict[str, Any] = {}

        def tell(event: dict[str, Any]) -> None:
            if event["event"] == "note":
                screen.print(event["message"], style="yellow", markup=False, soft_wrap=True)
            elif event["event"] == "step":
                screen.print(f"{event['step']}: {event['from']} → {event['to']}", markup=False, soft_wrap=True)
            elif event["event"] == "progress":
                _move(bar, running, event)
            elif running:
                bar.remove_task(running.pop("task"))
                running.clear()

        yield tell


def _move(bar: Any, running: dict[str, Any], event: dict[str, Any]) -> None:
    """One bar at a time: what is done anew gets a fresh one, so that the time left is its own."""
    if running.get("what") != event["what"]:
        if running:
            bar.remove_task(running["task"])
        running |= {"what": event["what"], "task": bar.add_task(event["what"], total=event["of"])}
    bar.update(running["task"], completed=event["done"], total=event["of"])

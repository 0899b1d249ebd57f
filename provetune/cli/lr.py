"""`provetune lr`: which learning rate a candidate should train with, from a range test on training rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json, print_note, print_written

if TYPE_CHECKING:
    from rich.progress import Progress

    from provetune.training.range_test import RatePoint

_NOTHING_FOUND = 1


def command(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM", help="The problem file.")],
    candidate: Annotated[
        str | None, typer.Option("--candidate", metavar="NAME", help="Which one; else the first that trains.")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", help="Steps at most; 20 or more.")] = 100,
    highest: Annotated[float, typer.Option("--highest", help="Rate that the test would end at.")] = 10.0,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Where to draw; lr-NAME.png beside the problem.")
    ] = None,
    draw: Annotated[bool, typer.Option("--draw/--no-plot", help="Draw the curve or not.")] = True,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Override a field, e.g. candidates.full.batch_rows=16."),
    ] = None,
    workspace: Annotated[
        Path | None, typer.Option("--workspace", help="Folder for studies; .provetune beside the problem by default.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Try rising learning rates on training rows, draw the loss, suggest a rate. Nothing is kept."""
    from provetune.study.learning_rate import find_learning_rate
    from provetune.study.rate_plot import check_plot, draw_rates

    if draw:
        check_plot(plot or Path("lr.png"))
    with logs_on_stderr(json), _Bar(steps) as tell:
        document = find_learning_rate(
            problem,
            candidate,
            steps=steps,
            highest=highest,
            overrides=overrides or [],
            workspace=workspace,
            device=device,
            on_note=print_note,
            on_point=tell,
        )
    if draw:
        place = plot or problem.parent / f"lr-{document['candidate']}.png"
        document["plot"] = str(draw_rates(document, place))
        print_written([place])
    if json:
        print_json(document)
    else:
        _show(document)
    return 0 if document["suggestion"] is not None else _NOTHING_FOUND


class _Bar:
    """A progress bar on the error stream, where that is a terminal."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.progress: Progress | None = None

    def __enter__(self) -> _Bar:
        from rich.progress import Progress, TimeRemainingColumn

        screen = console(stderr=True)
        if screen.is_terminal:
            self.progress = Progress(*Progress.get_default_columns()[:-1], TimeRemainingColumn(), console=screen)
            self.task = self.progress.add_task("steps", total=self.steps)
            self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            self.progress.stop()

    def __call__(self, point: RatePoint, steps: int) -> None:
        if self.progress is not None:
            what = f"rate {point.rate:.1e}  loss {point.loss:.3f}"
            self.progress.update(self.task, completed=point.step + 1, description=what)


def _show(document: dict[str, Any]) -> None:
    from provetune.cli._curves import draw_curve

    screen = console()
    losses = [point["smoothed"] for point in document["points"] if point["smoothed"] is not None]
    first, last = document["points"][0]["rate"], document["points"][len(losses) - 1]["rate"]
    screen.print(f"{first:.0e} {draw_curve(losses)} {last:.0e}", markup=False)
    screen.print(document["words"], markup=False, soft_wrap=True)

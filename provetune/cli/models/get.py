"""`provetune models get NAME`: fetch a model of the catalogue, check its hash, unpack it into the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from provetune.cli._output import console, logs_on_stderr, print_json, print_text

if TYPE_CHECKING:
    from provetune.models.download import Progress


def command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name in the catalogue; `provetune models list` shows them.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fetch a model of the catalogue into the cache, hash-checked; does nothing when it is there."""
    from provetune.models.download import get

    with logs_on_stderr(json), _bar(name) as tell:
        path = get(name, progress=tell)
    if json:
        print_json({"name": name, "path": str(path)})
    else:
        print_text(str(path))


@contextmanager
def _bar(name: str) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on stderr that appears with the first byte; nothing when the model is here already."""
    from rich import progress

    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TimeRemainingColumn(),
        console=console(stderr=True),
    )
    tasks: list[progress.TaskID] = []

    def tell(now: Progress) -> None:
        if not tasks:
            bar.start()
            tasks.append(bar.add_task(f"fetching {name}", total=now.bytes_total))
        bar.update(tasks[0], completed=now.bytes_done)

    try:
        yield tell
    finally:
        if tasks:
            bar.stop()

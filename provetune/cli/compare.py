"""`provetune compare`: two studies side by side: what was changed, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json, print_written

_SHOWN_SETTINGS = 30


def command(
    first: Annotated[Path, typer.Argument(metavar="STUDY", help="A study's folder or id, or a problem file.")],
    second: Annotated[Path, typer.Argument(metavar="STUDY", help="Another one.")],
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Where studies given by id lie.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FOLDER", help="Write every table as CSV.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show two studies side by side: what differs in them, and what came of it, paired by row."""
    from provetune.study.compare import compare_studies

    with logs_on_stderr(json):
        document = compare_studies(_find(first, workspace), _find(second, workspace))
    if csv is not None:
        from provetune.study.tables import export_comparison

        print_written(export_comparison(document, csv))
    if json:
        print_json(document)
    else:
        _show(document)


def _find(named: Path, workspace: Path | None) -> Path:
    from provetune.cli._studies import find_study

    if named.exists():
        return find_study(named, workspace=workspace)[0]
    return find_study(Path(), str(named), workspace)[0]


def _show(document: Mapping[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from provetune.cli._scores import choose_metrics, show_spread

    screen = console()
    for side, study in zip("ab", document["studies"], strict=True):
        screen.print(f"{side}: {study['id']}", markup=False)
    for note in document["notes"]:
        screen.print(note, style="yellow", markup=False)
    settings = Table("what differs", "a", "b", box=None, header_style="bold")
    for one in document["settings"][:_SHOWN_SETTINGS]:
        settings.add_row(escape(one["field"]), *(escape(_spell(one[side])) for side in "ab"))
    screen.print(settings if document["settings"] else "Their settings are equal.")
    if (left_out := len(document["settings"]) - _SHOWN_SETTINGS) > 0:
        screen.print(f"… and {left_out} more (--json has all)", style="dim")
    metrics = choose_metrics([{line["metric"]: None} for line in document["scores"]])
    scores = Table("candidate", f"{document['split']} score", "a", "b", box=None, header_style="bold")
    for line in document["scores"]:
        if line["metric"] in metrics:
            scores.add_row(line["candidate"], line["metric"], show_spread(line["a"]), show_spread(line["b"]))
    screen.print(scores)
    for line in document["differences"]:
        screen.print(
            f"{line['candidate']}: b − a in {line['metric']} {line['difference']:+.4f} "
            f"(95 % from {line['lower']:+.4f} to {line['upper']:+.4f}, {line['rows']:,} rows)"
        )


def _spell(value: Any) -> str:
    return "–" if value is None else str(value)

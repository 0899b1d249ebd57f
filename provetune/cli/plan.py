"""`provetune plan`: what a study would cost, and the smallest difference that each of its claims can detect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json, print_note


def command(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM", help="The problem file.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Override a field, e.g. study.seeds=10. May be repeated."),
    ] = None,
    workspace: Annotated[
        Path | None, typer.Option("--workspace", help="Folder for studies; .provetune beside the problem by default.")
    ] = None,
    ledger: Annotated[str | None, typer.Option("--ledger", help="Another ledger, as a SQLAlchemy URL.")] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Try each candidate on a few rows, or use what is known.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what a study costs and what its claims can show, before anything is trained."""
    with logs_on_stderr(json):
        from provetune.study.plan import plan_study

        document = plan_study(
            problem,
            overrides=overrides or [],
            workspace=workspace,
            ledger=ledger,
            measure=measure,
            device=device,
            on_note=print_note,
        )
    if json:
        print_json(document)
    else:
        _show(document)


def _show(document: dict[str, Any]) -> None:
    from provetune.study.plan_words import say_open

    screen = console()
    rows = document["rows"]
    divided = f"{rows['train']:,} training, {rows['validation']:,} validation and {rows['test']:,} test rows"
    if "folds" in document:
        divided = f"{rows['test']:,} rows in {document['folds']} folds"
    screen.print(f"{divided}; look {document['look']} at the test, level {document['alpha']:.4g}")
    if document["claims"]:
        screen.print()
        screen.print(_claim_table(document["claims"]))
        for claim in document["claims"]:
            if claim["detectable"] is None:
                screen.print(f"'{claim['claim']}': {claim['words']}", markup=False, soft_wrap=True, style="dim")
            elif not claim["underpowered"]:
                screen.print(say_open(claim), markup=False, soft_wrap=True, style="dim")
        if any(claim["basis"] == "prior" for claim in document["claims"]):
            screen.print(
                "prior: assumed; two finished runs of each candidate, of an interrupted study too, make a pilot.",
                style="dim",
            )
    screen.print()
    screen.print(_trial_table(document["trials"]))
    screen.print(_say_total(document["total"]), markup=False, soft_wrap=True)
    for warning in document["warnings"]:
        screen.print(warning, markup=False, soft_wrap=True, style="yellow")


def _claim_table(claims: list[dict[str, Any]]) -> Any:
    from rich.markup import escape

    from provetune.study.plan_words import percent, say_effect

    table = _table(
        "claim", "finds (80 %)", "if equal", "at smallest effect", "rows", "seeds", "seed SD", "row SD", "from"
    )
    for claim in claims:
        reach = "–" if claim["detectable"] is None else say_effect(claim["detectable"], claim["metric"])
        chances = [claim["power_if_equal"], claim["power_at_smallest_effect"]]
        cells = ["–" if chance is None else percent(chance) for chance in chances]
        style = "yellow" if claim["underpowered"] else None
        sizes = ["–" if claim["rows"] is None else f"{claim['rows']:,}", str(claim["seeds"])]
        spread = ["–" if claim[part] is None else f"{claim[part]:.3g}" for part in ("seed_sd", "row_sd")]
        table.add_row(escape(claim["claim"]), reach, *cells, *sizes, *spread, claim["basis"] or "–", style=style)
    return table


def _trial_table(trials: dict[str, dict[str, Any]]) -> Any:
    from provetune.study.plan import say_bytes
    from provetune.study.progress import duration

    table = _table("candidate", "a run", "shared", "memory", "bundle", "runs left", "from")
    for name, trial in trials.items():
        seconds = "–" if trial["seconds"] is None else duration(trial["seconds"])
        shared = duration(trial["once_seconds"]) if trial["once_seconds"] >= 1 else ""
        sizes = ["–" if trial[part] is None else say_bytes(trial[part]) for part in ("memory_bytes", "bundle_bytes")]
        table.add_row(name, seconds, shared, *sizes, f"{trial['left']} of {trial['seeds']}", trial["basis"])
    return table


def _say_total(total: dict[str, Any]) -> str:
    from provetune.study.plan import say_bytes
    from provetune.study.progress import duration

    threads = f"{total['threads']} thread{'' if total['threads'] == 1 else 's'} each"
    at_once = f"{total['processes']} at a time, {threads}"
    if total["seconds"] is None:
        time = f"How long it takes is not known yet; runs go {at_once}"
    else:
        time = f"About {duration(total['seconds'])} at most in all, {at_once}"
    if total["disk_bytes"] is None:
        return f"{time}."
    return f"{time}; bundles take up to {say_bytes(total['disk_bytes'])}, {say_bytes(total['kept_bytes'])} stay."


def _table(*titles: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, title in enumerate(titles):
        table.add_column(title, justify="right" if 0 < place < len(titles) - 1 else "left")
    return table

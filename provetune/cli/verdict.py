"""`provetune verdict`: claims judged on outcomes that were made elsewhere, with any trainer."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json


def command(
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[FILES]", help="More files of outcomes, each [NAME=]FILE.")
    ] = None,
    outcomes: Annotated[
        list[str] | None,
        typer.Option(
            "--outcomes",
            metavar="[NAME=]FILE",
            help="Parquet or CSV with columns seed, row, label, prediction (or score). May be repeated.",
        ),
    ] = None,
    claims: Annotated[
        list[str] | None, typer.Option("--claim", metavar="CLAIM", help="E.g. 'a > b + 0.01'. May be repeated.")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option("--metric", help="What claims without [metric] are about; accuracy, or score where that is all."),
    ] = None,
    confidence: Annotated[float, typer.Option("--confidence", help="One-sided confidence of the verdict.")] = 0.95,
    look: Annotated[
        int, typer.Option("--look", help="Which look at these test rows this is; each has half the level of the last.")
    ] = 1,
    smallest: Annotated[
        float, typer.Option("--smallest-effect", help="Smallest distance from a margin that matters.")
    ] = 0.01,
    deterministic: Annotated[
        list[str] | None,
        typer.Option("--deterministic", metavar="NAME", help="A candidate without chance, whose one run is enough."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 when a claim is refuted.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Judge claims on per-row outcomes of candidates that were trained elsewhere, several seeds of each."""
    with logs_on_stderr(json):
        from provetune.study.outside import judge_outside
        from provetune.study.verdict import refuted

        document = judge_outside(
            [*(outcomes or []), *(more or [])],
            claims or [],
            metric=metric,
            confidence=confidence,
            look=look,
            smallest=smallest,
            deterministic=deterministic or [],
        )
    if json:
        print_json(document)
    else:
        _show(document)
    if strict and refuted(document["claims"]):
        raise typer.Exit(1)


def _show(document: dict[str, Any]) -> None:
    from provetune.cli._scores import VERDICT_STYLES, claim_remarks, corrected_p, show_p

    screen = console()
    for claim in document["claims"]:
        screen.print(claim["claim"], style="bold", markup=False)
        screen.print(f"  {claim['words']}", style=VERDICT_STYLES[claim["verdict"]], markup=False, soft_wrap=True)
        if (p := corrected_p(claim)) is not None:
            screen.print(f"  corrected p {show_p(p)} at a level of {claim['alpha']:.4g}", style="dim")
        for remark in claim_remarks(claim):
            screen.print(f"  {remark}", markup=False, soft_wrap=True)

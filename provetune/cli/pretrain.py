"""`provetune pretrain`: a backbone learns on from raw text, and the result is a backbone of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provetune.cli._output import console, logs_on_stderr, print_json, print_note

if TYPE_CHECKING:
    from rich.progress import Progress


def command(
    texts: Annotated[
        Path, typer.Argument(metavar="TEXTS", help="A .txt file (a text a line, or blank lines between), or a table.")
    ],
    name: Annotated[str, typer.Option("--name", help="What the result is called; backbone: NAME finds it.")],
    backbone: Annotated[str, typer.Option("--backbone", help="What learns: a name, a folder, or auto.")] = "auto",
    objective: Annotated[str, typer.Option("--objective", help="mlm, clm (decoders) or simcse.")] = "mlm",
    column: Annotated[str | None, typer.Option("--column", help="Column of the texts in a table.")] = None,
    language: Annotated[str, typer.Option("--language", help="Of the texts; zh masks whole words by jieba.")] = "auto",
    epochs: Annotated[float | None, typer.Option("--epochs", help="Passes over the texts.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="Peak of the learning rate.")] = None,
    batch_rows: Annotated[int | None, typer.Option("--batch-rows", help="Pieces in a batch at most.")] = None,
    batch_tokens: Annotated[int | None, typer.Option("--batch-tokens", help="Tokens in a batch at most.")] = None,
    max_length: Annotated[int | None, typer.Option("--max-length", help="Tokens of a piece at most.")] = None,
    held_out: Annotated[float | None, typer.Option("--held-out", help="Share of the texts that only judge.")] = None,
    mask_share: Annotated[float | None, typer.Option("--mask-share", help="Share of masked words (mlm).")] = None,
    head_warmup: Annotated[
        float | None,
        typer.Option("--head-warmup", help="Share of the passes in which a new head learns alone (mlm); 0 for none."),
    ] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="Of the cosines (simcse).")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides what is drawn.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="auto, fp32 or bf16.")] = "auto",
    replace: Annotated[bool, typer.Option("--replace", help="Make it anew where one has this name.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Let a backbone learn on from raw text. Interrupted, the same line goes on."""
    from provetune.training.pretraining.run import pretrain

    with logs_on_stderr(json), _Bar() as hear:
        made = pretrain(
            texts,
            name=name,
            backbone=backbone,
            objective=objective,
            column=column,
            language=language,
            device=device,
            precision=precision,
            replace=replace,
            listener=hear,
            epochs=epochs,
            learning_rate=learning_rate,
            batch_rows=batch_rows,
            batch_tokens=batch_tokens,
            max_length=max_length,
            held_out=held_out,
            mask_share=mask_share,
            head_warmup=head_warmup,
            temperature=temperature,
            seed=seed,
        )
    if json:
        print_json({"name": made.name, "path": str(made.path), **made.record})
    else:
        _show(made.name, made.path, made.record["pretraining"])


class _Bar:
    """A progress bar on the error stream where that is a terminal, else a line for each phase and look."""

    def __init__(self) -> None:
        self.progress: Progress | None = None

    def __enter__(self) -> _Bar:
        from rich.progress import Progress, TimeRemainingColumn

        screen = console(stderr=True)
        if screen.is_terminal:
            self.progress = Progress(*Progress.get_default_columns()[:-1], TimeRemainingColumn(), console=screen)
            self.task = self.progress.add_task("pretraining", total=None)
            self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            self.progress.stop()

    def __call__(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if self.progress is None:
            if kind == "phase":
                print_note(event["message"])
            elif kind == "evaluated":
                print_note(f"Step {event['step']}: held-out loss {event['scores']['loss']:.4f}")
        elif kind == "started":
            self.progress.update(self.task, total=event["steps"], completed=event["step"])
        elif kind == "step":
            self.progress.update(self.task, completed=event["step"], description=f"loss {event['loss']:.3f}")
        elif kind == "phase":
            self.progress.update(self.task, description=event["message"])


def _show(name: str, path: Path, made: Mapping[str, Any]) -> None:
    from provetune.training.pretraining.record import say_figures

    screen = console()
    counts = f"{made['texts']['learned']:,} texts learned, {made['texts']['held_out']:,} held out"
    for line in (
        f"{name}: '{made['from']['name']}' after {made['steps']:,} steps of {made['objective']}; {counts}.",
        *(f"  {line}" for line in say_figures(made["before"], made["after"])),
        *made["notes"],
        f"Wrote {path}. Use it with: backbone: {name}",
    ):
        screen.print(line, markup=False, soft_wrap=True)

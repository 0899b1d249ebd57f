"""`provetune predict`: what a bundle says about texts: from the command line, a file, or stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provetune.cli._bundles import find_bundle, forced_line
from provetune.cli._output import console, logs_on_stderr, print_json, print_note, print_text
from provetune.cli._streaming import check_streaming, stream_answers, with_values
from provetune.core.errors import UsageError

if TYPE_CHECKING:
    from provetune.inference.predictor import Predictor

_WINDOW = 2048
_PAIR_EXAMPLE = 'For example: provetune predict BUNDLE "first text" --pair "second text"'


def command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Bundle folder, or problem file: its study's best.")],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Texts to predict; left out, lines of stdin.")
    ] = None,
    pair: Annotated[
        list[str] | None,
        typer.Option("--pair", metavar="TEXT", help="Second text of a pair, once for each TEXT, in their order."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="FILE", help="Rows to answer: csv, tsv, json, jsonl, parquet or xlsx."),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where they go: csv, tsv or jsonl.")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="COLUMN", help="Text column of --input, where it differs.")
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option("--corpus", metavar="FILE", help="Documents to find, for a bundle that finds documents."),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A column that belongs to every TEXT, e.g. tone=formal."),
    ] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Print an answer while it is being written.")] = False,
    keep_empty: Annotated[bool, typer.Option("--keep-empty", help="Keep rows without text, unanswered.")] = False,
    top_k: Annotated[
        int | None, typer.Option("--top-k", min=1, help="Show the k best answers, e.g. the likeliest labels.")
    ] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Show the probability of every label.")] = False,
    precision: Annotated[str, typer.Option("--precision", help="fp32, bf16, or auto: what is quicker here.")] = "fp32",
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1 or mps.")] = "cpu",
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Where a problem file's study lies.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Answer texts with a bundle. Rows of a file keep their order and columns."""
    _check_places(texts, pair, source, target, stream=stream, json=json)
    asked: dict[str, Any] = {"top_k": top_k, "proba": proba, "missing": "keep" if keep_empty else "refuse"}
    with logs_on_stderr(json):
        predictor = _load(bundle, workspace, corpus, precision=precision, device=device)
        if told := forced_line(predictor.record):
            print_note(told)
        if source is not None and target is not None:
            document: Any = _predict_file(predictor, source, target, columns=text, **asked)
        elif texts or json:
            given = with_values(_items(predictor, texts or list(_lines_of_stdin()), pair), values, predictor)
            document = [] if stream else [dict(row) for row in predictor.predict(given, **asked)]
    if stream:
        stream_answers(predictor, given)
    elif json:
        print_json(document)
    elif source is not None:
        print_note(f"{_count(document['rows'], 'row')} written to {target}, computed by {predictor.engine}.")
    elif texts:
        _show(given, document, predictor)
    else:
        _stream(predictor, asked)


def _check_places(
    texts: list[str] | None,
    pair: list[str] | None,
    source: str | None,
    target: str | None,
    *,
    stream: bool,
    json: bool,
) -> None:
    """Whether it is clear what is to be answered and where the answers go."""
    if source is not None and (texts or pair):
        given = "Texts" if texts else "--pair"
        raise UsageError(f"{given} and --input were both given.", hint="Give one of them.")
    if pair and not texts:
        raise UsageError("--pair needs a text before it.", hint=_PAIR_EXAMPLE)
    if target is not None and source is None:
        raise UsageError("--output needs --input.", hint="Without a file, answers go to stdout.")
    if source is not None and target is None:
        raise UsageError("--input needs --output.", hint="For example: --output predictions.jsonl")
    if source is None and not texts and sys.stdin.isatty():
        raise UsageError(
            "There is nothing to predict.", hint="Give texts, --input FILE --output FILE, or lines on stdin."
        )
    if stream:
        check_streaming(texts, source, json)


def _items(predictor: Predictor, texts: list[str], pair: list[str] | None) -> list[Any]:
    """The texts, each with its second one where the bundle reads pairs."""
    columns, seconds = predictor.columns, pair or []
    if not columns.paired:
        if seconds:
            raise UsageError(
                f"This bundle reads one text a row ({', '.join(columns.names)}), and --pair gives a second.",
                hint="Leave --pair out.",
            )
        return list(texts)
    if len(seconds) != len(texts):
        raise UsageError(
            f"This bundle reads pairs ({' and '.join(columns.names)}): every text needs its --pair. "
            f"Got {_count(len(texts), 'text')} and {len(seconds)} --pair.",
            hint=f"{_PAIR_EXAMPLE}; for many, --input FILE --output FILE.",
        )
    return list(zip(texts, seconds, strict=True))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _load(bundle: str, workspace: Path | None, corpus: str | None, **options: Any) -> Predictor:
    from provetune.core.quick_arrow import leave_pandas_out
    from provetune.inference.predictor import load

    leave_pandas_out()
    predictor = load(find_bundle(bundle, workspace), **options)
    if corpus is None:
        return predictor
    from provetune.inference.corpus_search import read_documents, search_among

    return search_among(predictor, read_documents(predictor, corpus))


def _predict_file(predictor: Predictor, source: str, target: str, **options: Any) -> dict[str, Any]:
    """Answer a file with a progress bar on stderr; what came of it as JSON-ready facts."""
    from dataclasses import asdict

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("predicting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        report = predictor.predict_file(source, target, progress=tell, **options)
    return {"input": source, **asdict(report)}


def _lines_of_stdin() -> Iterator[str]:
    for line in sys.stdin:
        if stripped := line.rstrip("\r\n"):
            yield stripped


def _stream(predictor: Predictor, options: dict[str, Any]) -> None:
    """Answer lines of stdin as they come, in memory that does not grow with them."""
    lines = _lines_of_stdin()
    while window := list(islice(lines, _WINDOW)):
        _show(window, list(predictor.predict(_items(predictor, window, None), **options)), predictor)


def _show(items: list[Any], answers: list[dict[str, Any]], predictor: Predictor) -> None:
    """A table on a terminal; for another program one line a text, see `provetune.cli._answers.answer_line`."""
    from provetune.cli import _answers

    keys = predictor.answer_keys
    if sys.stdout.isatty():
        console().print(_answers.answer_table(items, answers, keys, predictor.task.show))
    else:
        print_text("\n".join(_answers.answer_line(answer, keys) for answer in answers))

"""What all candidates have in common on the page: scores, seeds as dots, slices, cost and the list of trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import stdev
from typing import Any

from markupsafe import Markup

from provetune.study.report_html import numbers
from provetune.study.report_html.candidate_details import colour_of
from provetune.study.report_html.places import group_href, trial_href
from provetune.study.report_html.plots.scale import Scale, scale_around
from provetune.study.report_html.plots.strips import Dot, axis_strip, dot_strip
from provetune.study.report_html.words import Words
from provetune.study.shown_metrics import choose_metrics

FEW_ROWS = 20


@dataclass(frozen=True)
class SeedPlot:
    """Seeds of every candidate on one axis: candidate, its colour, where it leads, its drawing."""

    lines: list[tuple[str, str, str, Markup]]
    axis: Markup


@dataclass(frozen=True)
class SliceTable:
    """One division of the rows: parts with their rows, and each candidate's mean on them."""

    name: str
    parts: list[tuple[str, int, list[tuple[str, str]]]]


def shown_metrics(document: Mapping[str, Any]) -> list[str]:
    """The metrics worth a column; see `provetune.study.shown_metrics.choose_metrics`."""
    present = dict.fromkeys(metric for report in document["candidates"].values() for metric in report["metrics"])
    return choose_metrics(list(present), document["metric"]) or [document["metric"]]


def is_better_low(document: Mapping[str, Any], metric: str) -> bool:
    """Whether less of a metric is better; of ``metric:label`` as of the metric."""
    facts = document["metrics"].get(metric.partition(":")[0])
    return facts is not None and not facts["higher_is_better"]


def spread_text(score: Mapping[str, Any] | None) -> str:
    """``0.921 ± 0.004``, the deviation only where there are two seeds or more."""
    if score is None or score["mean"] is None:
        return numbers.MISSING
    seeds = [value for value in score["seeds"] if value is not None]
    return numbers.spread(score["mean"], stdev(seeds) if len(seeds) > 1 else None)


def seed_plot(document: Mapping[str, Any], words: Words) -> SeedPlot:
    """Every seed's score in the primary metric."""
    metric = document["metric"]
    scores = {
        name: report["metrics"].get(metric, {"mean": None, "seeds": []})
        for name, report in document["candidates"].items()
        if report["trials"]
    }
    limits = document["metrics"].get(metric, {})
    scale = scale_around(
        (value for score in scores.values() for value in score["seeds"] if value is not None),
        least=limits.get("low"),
        most=limits.get("high"),
    )
    lines = []
    for number, name in enumerate(document["candidates"]):
        if name in scores:
            colour = colour_of(number)
            strip = _strip(name, scores[name], document["candidates"][name]["trials"], scale, colour, metric, words)
            lines.append((name, colour, group_href(name), strip))
    return SeedPlot(lines, axis_strip(scale))


def _strip(
    name: str,
    score: Mapping[str, Any],
    trials: list[Mapping[str, Any]],
    scale: Scale,
    colour: str,
    metric: str,
    words: Words,
) -> Markup:
    dots = [
        Dot(
            value,
            trial_href(name, trial["k"]),
            words("seed_said", candidate=name, k=trial["k"], value=numbers.score(value)),
        )
        for trial, value in zip(trials, score["seeds"], strict=False)
        if value is not None
    ]
    values = [dot.value for dot in dots]
    said = numbers.MISSING
    if values:
        low, high = numbers.score(min(values)), numbers.score(max(values))
        said = words("dots_said", count=len(values), low=low, high=high, mean=numbers.score(score["mean"]))
    return dot_strip(f"{name}: {words.metric(metric)}", said, dots, score["mean"], scale, colour)


def slice_tables(document: Mapping[str, Any], words: Words) -> list[SliceTable]:
    """The parts of the rows with each candidate's mean and deviation over seeds, and where they come from."""
    tables = []
    for division in document["slices"]:
        parts = [
            (
                part["value"],
                part["rows"],
                [(spread_text(part["candidates"].get(name)), group_href(name)) for name in with_trials(document)],
            )
            for part in division["values"]
        ]
        name = words("by_length") if division["kind"] == "length" else division["by"]
        tables.append(SliceTable(name, parts))
    return tables


def with_trials(document: Mapping[str, Any]) -> list[str]:
    """Candidates that have a finished run."""
    return [name for name, report in document["candidates"].items() if report["trials"]]

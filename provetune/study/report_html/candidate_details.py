"""What one candidate's runs have to show: labels, confusions, reliability, learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from markupsafe import Markup

from provetune.study.report_html import numbers
from provetune.study.report_html.own_tables import OwnTable, own_tables
from provetune.study.report_html.places import group_href, trial_href
from provetune.study.report_html.plots.curves import Line, line_plot
from provetune.study.report_html.plots.heat_map import heat_map
from provetune.study.report_html.plots.reliability import reliability_diagram
from provetune.study.report_html.plots.scale import scale_around
from provetune.study.report_html.words import Words

MOST_MATRIX_LABELS = 12
_COLOURS = 8


@dataclass(frozen=True)
class Confusion:
    """What was taken for what, in the form that its number of labels allows.

    Attributes:
        names, matrix: few labels: counts with each cell's share of its gold label's rows.
        several: several labels a row: label, right, given wrongly, missed.
        map: many labels, drawn.
    """

    names: list[str]
    matrix: list[list[tuple[int, float]]]
    several: list[tuple[str, int, int, int]]
    map: Markup | None


@dataclass(frozen=True)
class Details:
    """One candidate, ready to be shown."""

    name: str
    colour: str
    method: str
    href: str
    labels: list[Mapping[str, Any]]
    confusion: Confusion
    pairs: list[Mapping[str, Any]]
    reliability: Markup | None
    calibration: str
    tables: list[OwnTable]
    curves: list[tuple[str, Markup]]
    stopped: list[str]


def colour_of(number: int) -> str:
    """Name of the colour of a candidate, by its place in the problem file."""
    return f"c{number % _COLOURS}"


def candidate_details(document: Mapping[str, Any], words: Words) -> list[Details]:
    """Every candidate that has a finished run; the best, where there is one, first."""
    best = (document["best"] or {}).get("candidate")
    found = []
    for number, (name, report) in enumerate(document["candidates"].items()):
        if report["trials"]:
            found.append(_details(name, report, colour_of(number), document, words))
    return sorted(found, key=lambda each: each.name != best)


def method_words(report: Mapping[str, Any], words: Words) -> str:
    """The candidate's method, and its backbone where it has one."""
    if not report["backbone"]:
        return str(report["method"])
    return words("on_backbone", method=report["method"], backbone=report["backbone"])


def _details(name: str, report: Mapping[str, Any], colour: str, document: Mapping[str, Any], words: Words) -> Details:
    return Details(
        name=name,
        colour=colour,
        method=method_words(report, words),
        href=group_href(name),
        labels=sorted(report["labels"], key=lambda line: line["f1"]),
        confusion=_confusion(name, report, words),
        pairs=list(report["most_confused"]),
        reliability=_reliability(name, report["calibration"], colour, words),
        calibration=_calibration(report["calibration"], words),
        tables=own_tables(name, report["tables"], words),
        curves=_curves(name, report["curves"], document, colour, words),
        stopped=[words("stopped", k=one["k"], reason=one["stopped"]) for one in report["curves"] if one["stopped"]],
    )


def _confusion(name: str, report: Mapping[str, Any], words: Words) -> Confusion:
    names, counts = list(report["confusion"]["labels"]), report["confusion"]["counts"]
    if counts and isinstance(counts[0][0], list):
        lines = [(label, yes[1], no[1], yes[0]) for label, (no, yes) in zip(names, counts, strict=True)]
        return Confusion(names, [], sorted(lines, key=lambda line: -(line[2] + line[3])), None)
    if len(names) <= MOST_MATRIX_LABELS:
        matrix = [[(count, count / (sum(line) or 1)) for count in line] for line in counts]
        return Confusion(names, matrix, [], None)
    order = sorted(range(len(names)), key=lambda number: names[number])
    ordered = [[counts[row][column] for column in order] for row in order]
    title = f"{name}: {words('confusion_map', count=len(names))}"
    return Confusion(names, [], [], heat_map(title, words("confusion_map_said"), ordered, group_href(name)))


def _calibration(calibration: Mapping[str, Any] | None, words: Words) -> str:
    if calibration is None:
        return ""
    before, after = fmean(calibration["ece_before"]), fmean(calibration["ece_after"])
    temperature = f"{fmean(calibration['temperatures']):.2f}"
    return words("calibration_said", before=numbers.score(before), after=numbers.score(after), temperature=temperature)


def _reliability(name: str, calibration: Mapping[str, Any] | None, colour: str, words: Words) -> Markup | None:
    if calibration is None:
        return None
    axes = (words("axis_confidence"), words("axis_accuracy"))
    title = f"{name}: {words('calibration')}"
    said = _calibration(calibration, words)
    return reliability_diagram(title, said, calibration["after"], calibration["before"], axes, colour)


def _curves(
    name: str, curves: Sequence[Mapping[str, Any]], document: Mapping[str, Any], colour: str, words: Words
) -> list[tuple[str, Markup]]:
    metric = document["metric"]
    losses = {one["k"]: [(point["step"], point["loss"]) for point in one["steps"]] for one in curves}
    scores = {
        one["k"]: [(point["step"], _number(point["scores"].get(metric))) for point in one["evaluations"]]
        for one in curves
    }
    of_metric = words("curve_metric", metric=words.metric(metric))
    limits = document["metrics"].get(metric, {})
    drawn = []
    for heading, values, bounds in ((words("curve_loss"), losses, {}), (of_metric, scores, limits)):
        if any(len(line) > 1 for line in values.values()):
            drawn.append((heading, _plot(name, heading, values, bounds, colour, words)))
    return drawn


def _plot(
    name: str,
    heading: str,
    values: Mapping[int, list[tuple[float, float]]],
    limits: Mapping[str, Any],
    colour: str,
    words: Words,
) -> Markup:
    every = [point for line in values.values() for point in line if math.isfinite(point[1])]
    first = fmean(line[0][1] for line in values.values() if line)
    last = fmean(line[-1][1] for line in values.values() if line)
    said = words("curve_said", count=len(values), first=numbers.score(first), last=numbers.score(last))
    lines = [
        Line(line, trial_href(name, k), words("seed_said", candidate=name, k=k, value=numbers.score(line[-1][1])))
        for k, line in values.items()
        if line
    ]
    x = scale_around([step for step, _ in every], room=0.0)
    y = scale_around([value for _, value in every], least=limits.get("low"), most=limits.get("high"))
    return line_plot(f"{name}: {heading}", said, lines, x, y, colour)


def _number(value: float | None) -> float:
    return math.nan if value is None else value

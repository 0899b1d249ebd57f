"""The tables of methods in docs/concepts/methods.md, from what is stored and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from task_page import difference, interval
from task_sets import SETS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "concepts" / "methods.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
FULL = "full"

INTRODUCTION = """## Measured

Default settings, catalogue weights, written by `python benchmarks/methods.py`, which goes on where it was interrupted.
The score is the mean over runs on the sealed test with Student's 95 % interval over them; *beside full* is the
difference of means with Welch's interval. *Trains* is the share of the weights that learn, *memory* the highest
resident set of sixty training steps above what the loaded and prepared model takes, *rate* the rows learned in a second
over these steps, *bundle* the bytes of what is kept."""


def write_page(values: dict[str, Any], about: dict[str, Any]) -> None:
    """The section between the page's markers; at the page's end where there is none yet."""
    from provetune.core.files import write_text

    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Methods\n"
    section = f"{BEGIN}\n{section_of(values, about)}\n{END}"
    if BEGIN in text and END in text:
        text = text[: text.index(BEGIN)] + section + text[text.index(END) + len(END) :]
    elif BEGIN in text:
        text = text.replace(BEGIN, section)
    else:
        text = f"{text.rstrip()}\n\n{section}\n"
    write_text(PAGE, text)


def section_of(values: dict[str, Any], about: dict[str, Any]) -> str:
    """The section's text: a table a set."""
    parts = [INTRODUCTION]
    if about:
        parts.append(f"Machine: {about['processor']}, {about['cores']} cores, torch {about['torch']}.")
    for name in dict.fromkeys(cell.split("/")[0] for cell in values):
        metric = SETS[name].metric
        parts.append(
            f"### {name}\n\n| method | {metric} | beside full | trains | memory | rate | bundle | runs |\n"
            "|---|---|---|---|---|---|---|---|\n" + "\n".join(_lines(name, values))
        )
    return "\n\n".join(parts)


def _lines(name: str, values: dict[str, Any]) -> list[str]:
    scores: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    for cell, value in values.items():
        where, method, what = cell.split("/")
        if where == name and what != "cost":
            scores.setdefault(method, []).append(float(value["score"]))
            if value.get("bundle_bytes"):
                sizes[method] = value["bundle_bytes"]
    ordered = sorted(scores, key=lambda method: -sum(scores[method]) / len(scores[method]))
    return [_line(name, method, scores, sizes, values.get(f"{name}/{method}/cost") or {}) for method in ordered]


def _line(name: str, method: str, scores: dict[str, list[float]], sizes: dict[str, int], cost: dict[str, Any]) -> str:
    found = scores[method]
    low, high = interval(found)
    beside = None if method == FULL else difference(found, scores.get(FULL, []))
    cells = [
        f"`{method}`",
        f"{sum(found) / len(found):.3f} ({low:.3f} to {high:.3f})",
        "" if beside is None else f"{beside[0]:+.3f} ({beside[1]:+.3f} to {beside[2]:+.3f})",
        f"{cost['trainable_share']:.2%}" if cost else "",
        f"{cost['peak_bytes'] / 2**20:.0f} MB" if cost else "",
        f"{cost['examples_a_second']:.0f}/s" if cost else "",
        f"{sizes[method] / 1e6:.0f} MB" if method in sizes else "",
        str(len(found)),
    ]
    return f"| {' | '.join(cells)} |"

"""What a study found, as one JSON document: that of ``provetune run --json``, kept as ``study.json``.

On the disk bundles are named relative to the study's folder, so a workspace can be moved; whoever reads the
document gets absolute paths.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import fmean
from typing import Any

from provetune.core.errors import CorruptError
from provetune.core.files import read_json, write_json

DOCUMENT = "study.json"
FORMAT = 1


def spread(scores: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Scores of several runs by metric: ``{"mean", "seeds": […]}``; None where a run has no such score."""
    names = list(dict.fromkeys(name for one in scores for name in one))
    found = {}
    for name in names:
        seeds = [_finite(one.get(name)) for one in scores]
        known = [value for value in seeds if value is not None]
        found[name] = {"mean": fmean(known) if known else None, "seeds": seeds}
    return found


def write_document(folder: Path, document: Mapping[str, Any]) -> None:
    """Keep a study's document; its bundles are relative paths."""
    write_json(folder / DOCUMENT, document)


def read_document(folder: Path, workspace: Path) -> dict[str, Any] | None:
    """A study's document with absolute paths, or None while the study has not ended."""
    path = Path(folder) / DOCUMENT
    if not path.exists():
        return None
    try:
        kept = read_json(path)
        return absolute(kept, Path(folder), workspace)
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            "The study's document cannot be read.", where=str(path), hint="Run the study again with --fresh."
        ) from error


def absolute(document: Mapping[str, Any], folder: Path, workspace: Path) -> dict[str, Any]:
    """The document as it is shown: with absolute paths, and without fields that only the disk needs."""
    shown: dict[str, Any] = copy.deepcopy(dict(document))
    shown.pop("format_version", None)
    shown["workspace"] = str(workspace)
    for entry in shown["candidates"].values():
        entry["bundles"] = [str(folder / path) for path in entry["bundles"]]
    shown["best"]["bundle"] = str(folder / shown["best"]["bundle"])
    return shown


def as_html(document: Mapping[str, Any]) -> str:
    """The document as a table for a notebook."""
    best = document["best"]["candidate"]
    metrics = _shown_metrics(document)
    head = "".join(f"<th>{escape(name)}</th>" for name in ("candidate", *metrics, "seconds"))
    rows = []
    for name, entry in document["candidates"].items():
        cells = "".join(f"<td>{_cell(entry['metrics'].get(metric))}</td>" for metric in metrics)
        shown = f"<b>{escape(name)}</b>" if name == best else escape(name)
        rows.append(f"<tr><td>{shown}</td>{cells}<td>{entry['seconds']:.1f}</td></tr>")
    accept = "".join(
        f"<li>{escape(one['metric'])} {escape(one['required'])}: {_ANSWERS[one['met']]}</li>"
        for one in document["accept"]
    )
    return (
        f"<p>Study <b>{escape(document['study'])}</b>, scores on the sealed test</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        + (f"<ul>{accept}</ul>" if accept else "")
        + f"<p>Best bundle: <code>{escape(document['best']['bundle'])}</code></p>"
    )


_LARGE = 1000.0
_ANSWERS = {True: "met", False: "not met", None: "undecided"}


def _shown_metrics(document: Mapping[str, Any]) -> list[str]:
    from provetune.study.shown_metrics import choose_metrics

    found = dict.fromkeys(metric for entry in document["candidates"].values() for metric in entry["metrics"])
    return choose_metrics(list(found), document.get("metric"))


def _cell(score: Mapping[str, Any] | None) -> str:
    if score is None or score["mean"] is None:
        return "–"
    known = [value for value in score["seeds"] if value is not None]
    digits = decimals(score["mean"])
    between = f" ({min(known):,.{digits}f} to {max(known):,.{digits}f})" if len(known) > 1 else ""
    return f"{score['mean']:,.{digits}f}{between}"


def decimals(value: float) -> int:
    """Decimals of a score in plain text: three, fewer of large figures, which are in units of the data."""
    return 3 if abs(value) < _LARGE else 1


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)

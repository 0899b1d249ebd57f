"""What a model card says about labels: names and rows, thresholds, numbers, and when nothing is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

SHOWN = 60
_CLASSES = ("single_label", "multi_label", "ordinal")


def label_section(targets: Mapping[str, Any], cell: Callable[[Any], str]) -> str:
    """A table of the labels, or of the numbers; empty where there are none.

    Args:
        targets: `Targets` as JSON.
        cell: makes a text safe in a table.
    """
    names: Sequence[str] = targets["names"]
    if not names:
        return ""
    if targets.get("kind") == "regression":
        return _number_table(targets, cell)
    counts = targets.get("counts") or []
    thresholds = (targets.get("tuned") or {}).get("thresholds")
    heads = ["label", "training rows", *(["given from probability"] if thresholds else [])]
    lines = ["## Labels", "", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for number, name in enumerate(names[:SHOWN]):
        rows = f"{counts[number]:,}" if number < len(counts) else ""
        given = [f"{thresholds[number]:.3f}"] if thresholds else []
        lines.append(f"| {' | '.join([cell(name), rows, *given])} |")
    if len(names) > SHOWN:
        lines.append(f"| … and {len(names) - SHOWN} more, in `provetune.json` |{' |' * (len(heads) - 1)}")
    if targets.get("kind") == "ordinal":
        lines += ["", "The labels stand in their order, from the lowest to the highest."]
    margin = (targets.get("tuned") or {}).get("outside_margin")
    if margin:
        lines += [
            "",
            f"A word is in no span where that is likelier than any by {margin:g} in logits, as the validation rows "
            "want it. transformers' pipeline knows no such margin and differs where there is doubt.",
        ]
    outside = targets.get("out_of_scope")
    if outside is not None:
        lines += ["", f"`{cell(outside)}` means: none of the others."]
    return "\n".join(lines)


def answer_limit(targets: Mapping[str, Any]) -> str | None:
    """When the model does not answer, or that it always does; None where there is nothing to say."""
    line = (targets.get("tuned") or {}).get("abstain")
    if line:
        return (
            f"It leaves a text unanswered when its confidence is under {line['threshold']:.3f}. Of the validation rows "
            f"it answered {line['coverage']:.1%}, {line['risk']:.1%} of them wrongly; on other kinds it may be more."
        )
    if targets.get("out_of_scope") is None and targets["names"] and targets.get("kind") in _CLASSES:
        return "It always answers with one of its labels, also for a text that fits none."
    return None


def _number_table(targets: Mapping[str, Any], cell: Callable[[Any], str]) -> str:
    tuned = targets.get("tuned") or {}
    lines = ["## Numbers", "", "| number | training rows | mean | standard deviation |", "|---|---|---|---|"]
    parts = zip(
        targets["names"], targets.get("counts") or [], tuned.get("mean", []), tuned.get("scale", []), strict=False
    )
    lines += [f"| {cell(name)} | {rows:,} | {mean:.4g} | {scale:.4g} |" for name, rows, mean, scale in parts]
    return "\n".join(lines)

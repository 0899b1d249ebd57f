"""What a report shows of answers besides the scores: how length matters, and who was told that there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import ReportTable, Targets
from provetune.tasks.span_qa.answers import MAY_LACK
from provetune.tasks.span_qa.scores import answer_values, has_answer

if TYPE_CHECKING:
    import pyarrow as pa

# Words of the shortest gold answer; characters of Chinese ones.
_LENGTHS = {"squad": (1, 3, 7), "cmrc2018": (2, 5, 12)}


def report_tables(outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
    """Scores by length of the gold answer and, where questions may lack one, the answered against the unanswered."""
    rows = [row for row in outcomes.select(["label", "prediction"]).to_pylist() if row["label"] is not None]
    if not rows:
        return []
    tables = [_by_length(rows, targets)]
    return [*tables, _by_answering(rows)] if targets.kind == MAY_LACK else tables


def _by_length(rows: Sequence[Mapping[str, Any]], targets: Targets) -> ReportTable:
    chinese = targets.options["scoring"] == "cmrc2018"
    bounds = _LENGTHS[targets.options["scoring"]]
    names = [str(bounds[0]) if bounds[0] == 1 else f"1 to {bounds[0]}"]
    names += [f"{low + 1} to {high}" for low, high in pairwise(bounds)]
    names.append(f"over {bounds[-1]}")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for row in rows:
        if has_answer(row["label"]):
            texts = [answer["text"] for answer in row["label"] if answer["text"].strip()]
            size = min(len(text) if chinese else len(text.split()) for text in texts)
            name = names[sum(size > bound for bound in bounds)]
            found[name].append(answer_values(row["prediction"], row["label"], targets))
    unit = "characters" if chinese else "words"
    lines = [
        (name, len(values), *(round(sum(part) / len(values), 4) for part in zip(*values, strict=True)))
        for name, values in found.items()
        if values
    ]
    return ReportTable(
        "answer_lengths",
        "Scores by the length of the gold answer",
        (unit, "questions", "f1", "exact match"),
        tuple(lines),
        "Of several gold answers the shortest counts.",
    )


def _by_answering(rows: Sequence[Mapping[str, Any]]) -> ReportTable:
    counts = {answered: [0, 0] for answered in (True, False)}
    for row in rows:
        counts[has_answer(row["label"])][0 if row["prediction"] else 1] += 1
    return ReportTable(
        "answered",
        "Who was told that there is no answer",
        ("the question has", "answered", "told 'no answer'"),
        (("an answer", *counts[True]), ("no answer", *counts[False])),
    )

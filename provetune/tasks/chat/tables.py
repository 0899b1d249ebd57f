"""Tables of a report that only chat has: how scores were computed, what was cut, and likelihood by length of answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from provetune.core.protocols import ReportTable, Targets
from provetune.tasks.chat.scores import perplexity_of

if TYPE_CHECKING:
    import pyarrow as pa

_BOUNDS = (0, 16, 64, 256)


def report_tables(outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
    """What was cut, perplexity by the answers' length and, where answers were written, signatures of their scores."""
    tables = [
        ReportTable("cut", "What was cut", ("what", "rows", "share"), _cut_rows(outcomes, targets)),
        ReportTable(
            "perplexity_by_length",
            "Perplexity by length of the answer",
            ("tokens", "rows", "perplexity"),
            _by_length(outcomes),
            "Tokens of the assistant's turns, end marks included.",
        ),
    ]
    if not outcomes.column("prediction").null_count:
        from provetune.evaluation.generation.scores import generation_signatures

        wanted = [(name, text) for name, text in generation_signatures(str(targets.options.get("language", "und")))]
        rows = tuple((name, text) for name, text in wanted if name.startswith(("chrf", "rouge")))
        tables.append(ReportTable("signatures", "How the scores were computed", ("score", "signature"), rows))
    return tables


def _cut_rows(outcomes: pa.Table, targets: Targets) -> tuple[tuple[str, int, str], ...]:
    count = max(1, outcomes.num_rows)
    parts = [
        ("conversations longer than the model was given", sum(one > 0 for one in outcomes.column("cut").to_pylist()))
    ]
    if unlearned := sum(one > 0 for one in outcomes.column("unlearned").to_pylist()):
        parts.append(("conversations with turns that the chat template lets nobody learn", unlearned))
    if not outcomes.column("prediction").null_count:
        most = targets.options.get("max_target_length")
        said = outcomes.column("prediction").to_pylist()
        parts += [
            (f"answers stopped at {most} tokens", sum(outcomes.column("stopped").to_pylist())),
            ("answers that are empty", sum(not text.strip() for text in said)),
        ]
    return tuple((what, number, f"{number / count:.1%}") for what, number in parts)


def _by_length(outcomes: pa.Table) -> tuple[tuple[str, int, str], ...]:
    tokens = np.asarray(outcomes.column("tokens").to_numpy(), dtype=np.int64)
    losses = np.asarray(outcomes.column("loss").to_numpy(), dtype=np.float64)
    rows = []
    for low, high in zip(_BOUNDS, (*_BOUNDS[1:], None), strict=True):
        here = (tokens > low) & (True if high is None else tokens <= high)
        if here.any():
            value = float(perplexity_of(np.asarray([losses[here].sum(), tokens[here].sum()])))
            rows.append((f"over {low}" if high is None else f"{low + 1} to {high}", int(here.sum()), f"{value:.3g}"))
    return tuple(rows)

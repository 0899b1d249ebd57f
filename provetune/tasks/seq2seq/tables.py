"""Tables of a report that only seq2seq has: how scores were computed, and what was cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provetune.core.protocols import ReportTable, Targets
from provetune.tasks.seq2seq.options import target_code

if TYPE_CHECKING:
    import pyarrow as pa


def report_tables(outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
    """Signatures of the scores, and counts of cut sources and of texts that reached the longest length."""
    from provetune.evaluation.generation.scores import generation_signatures

    signatures = generation_signatures(target_code(targets.options))
    return [
        ReportTable(
            "signatures",
            "How the scores were computed",
            ("score", "signature"),
            tuple(signatures),
            "Who wants the same numbers from other tools needs these settings.",
        ),
        ReportTable("cut", "What was cut", ("what", "rows", "share"), tuple(_cut_rows(outcomes, targets))),
    ]


def _cut_rows(outcomes: pa.Table, targets: Targets) -> list[tuple[str, int, str]]:
    count = max(1, outcomes.num_rows)
    sources = sum(lost > 0 for lost in outcomes.column("source_cut").to_pylist())
    stopped = sum(outcomes.column("stopped").to_pylist())
    empty = sum(not text for text in outcomes.column("prediction").to_pylist())
    most = targets.options.get("max_target_length")
    parts = (
        ("sources longer than the model was given", sources),
        (f"texts stopped at {most} tokens", stopped),
        ("texts that are empty", empty),
    )
    return [(what, number, f"{number / count:.1%}") for what, number in parts]

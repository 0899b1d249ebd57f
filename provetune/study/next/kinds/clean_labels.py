"""Doubtful labels looked at again: rows that a model which did not learn from them would call something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from provetune.study.next.evidence import Evidence
from provetune.study.next.kinds import _costs
from provetune.study.next.kinds._names import variant_name
from provetune.study.next.step import CHECKING_SECONDS, TABLE, Change, Order, Step


class CleanLabels:
    """`clean_labels`."""

    name = "clean_labels"

    def propose(self, evidence: Evidence) -> Sequence[Step]:
        found, leader = evidence.suspicion, evidence.leader
        if found is None or not found.believed:
            return []
        decided = decided_rows(evidence)
        rows = [row for row in found.rows if row["row_id"] not in {one["row_id"] for one in decided}]
        if not rows:
            return []
        name = variant_name(leader.name, "clean")
        pays = found.gain >= evidence.smallest and found.interval[0] > 0
        return [
            Step(
                "clean_labels",
                f"Look again at the labels of {len(rows):,} training rows",
                f"Of the rows that '{found.method}' is surest of without having learned from them, {found.share:.0%} "
                "have another label, where clean sets have next to none. Leaving the doubtful rows out changed its "
                f"validation score by {found.gain:+.3f}, on labels of which as many may be wrong; labels that are set "
                "right should do more.",
                found.gain,
                found.interval,
                _costs.runs(leader, evidence.seeds, times=2),
                Order.EVIDENCE if pays else Order.QUESTION,
                f"'{found.method}' with and without the doubtful rows, on validation rows",
                people_seconds=CHECKING_SECONDS * len(rows),
                change=Change(
                    (leader.name,),
                    (f"{name} > {leader.name}",),
                    {name: (leader.name, {"data": {"corrections": TABLE}})},
                    head=(
                        f"Before this is run: look through {TABLE} and write the right label into 'corrected'.",
                        "A row whose 'corrected' is empty is left out of training; write the old label to keep it.",
                    ),
                ),
                table=(*rows, *decided),
                details={"wrong_share": found.share, "rows": len(rows), "measured_with": found.method},
            )
        ]


KIND = CleanLabels()


def decided_rows(evidence: Evidence) -> list[dict[str, Any]]:
    """Rows that the best candidate's corrections settled already: they stay settled, and are not doubted again."""
    data = evidence.leader.candidate.data
    settled = {} if data is None or not isinstance(data.corrections, dict) else data.corrections
    return [{"row_id": row, "corrected": label or ""} for row, label in settled.items()]

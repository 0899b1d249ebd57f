"""Looking before all seeds have run, where `study.stop_early` allows it: at 3 and 5 seeds, and at the last.

The looks share the level that the study has at these test rows, and Holm's correction runs inside each. A claim that
was decided keeps its first verdict. Candidates whose claims are all decided are trained no further; nor are those whose
open claims validation has put out of reach, which costs power and no error. Nothing is ever stopped because validation
looks well, and the best bundle is chosen before the first look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provetune.problem.syntax import StudySection
from provetune.statistics.looks import interim_alphas

FUTILITY_ALPHA = 0.01
"""Level at which validation must refute a claim for its candidates to be trained no further."""


@dataclass(frozen=True)
class Stage:
    """One look of a study.

    Attributes:
        seeds: runs of each candidate that it may use.
        before: seeds of the look before it; 0 for the first.
        last: whether no other follows.
    """

    seeds: int
    before: int = 0
    last: bool = True

    def alpha(self, alpha: float, study: StudySection) -> float:
        """The level of this look, of the level that the study has at these test rows."""
        return interim_alphas(alpha, study.seeds)[self.seeds] if study.stop_early else alpha


def plan_stages(study: StudySection, claims: int) -> list[Stage]:
    """The looks of a study with so many claims; one alone unless it may stop early."""
    if not study.stop_early or claims == 0:
        return [Stage(study.seeds)]
    looks = sorted(interim_alphas(1 - study.confidence, study.seeds))
    return [
        Stage(seeds, before, last=seeds == looks[-1]) for before, seeds in zip([0, *looks[:-1]], looks, strict=True)
    ]


class Decisions:
    """What has become of each claim so far."""

    def __init__(self, count: int) -> None:
        self._judged: list[dict[str, Any] | None] = [None] * count
        self._futile: set[int] = set()

    def take(self, judged: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Learn the verdicts of a look; those that are new, with their ``number`` in the problem file."""
        new = []
        for number, entry in enumerate(judged):
            before = self._judged[number]
            if before is None or before["verdict"] == "inconclusive":
                self._judged[number] = dict(entry)
                new.append({**entry, "number": number})
        return new

    def give_up(self, number: int) -> None:
        """Note that validation has put an open claim out of reach."""
        self._futile.add(number)

    def open(self) -> list[int]:
        """Numbers of the claims that more seeds may still decide."""
        return [
            number
            for number, entry in enumerate(self._judged)
            if number not in self._futile
            and (entry is None or (entry["verdict"] == "inconclusive" and entry["needs"] is not None))
        ]

    def final(self) -> list[dict[str, Any]]:
        """Every claim's verdict."""
        found = []
        for number, entry in enumerate(self._judged):
            if entry is None:
                continue
            if number in self._futile and entry["verdict"] == "inconclusive":
                remark = "validation had put it out of reach, so its candidates were trained no further"
                entry = {**entry, "notes": [*entry["notes"], remark]}
            found.append(entry)
        return found

"""More seeds, more test rows, or both, for claims that came out inconclusive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provetune.problem.claims import ClaimSyntaxError, parse_claim
from provetune.study.next.evidence import Evidence
from provetune.study.next.kinds import _costs
from provetune.study.next.step import LABELLING_SECONDS, Change, Order, Step

POWER = 0.8
MOST_SECONDS = 40 * 3600.0
"""More than a week of somebody's work is too dear for an answer to go before what raises the score."""


class AnswerClaims:
    """`answer_claims`."""

    name = "answer_claims"

    def propose(self, evidence: Evidence) -> Sequence[Step]:
        ways = [way for claim in evidence.claims if (way := _way(claim, evidence)) is not None]
        if not ways:
            return []
        seeds = max(way[0] for way in ways)
        rows = max(way[1] for way in ways)
        texts = tuple(str(way[2]["claim"]) for way in ways)
        names = tuple(dict.fromkeys(name for text in texts for name in parse_claim(text).candidates))
        more_rows = max(0, rows - evidence.rows.get("test", 0))
        gain = POWER * evidence.smallest
        machine = sum(_costs.runs(evidence.candidates[name], seeds) for name in names if name in evidence.candidates)
        people = LABELLING_SECONDS * more_rows
        what = " and ".join(
            [f"{seeds} seeds"] * (seeds > evidence.seeds) + [f"{more_rows:,} more test rows"] * (more_rows > 0)
        )
        head = ["The same claims, with what it takes to decide them."]
        if more_rows:
            head += [
                f"Before this is run: label about {more_rows:,} more rows for the test. They go into the file of",
                "data.test, or into the training file where the test is split off it, with more for the others.",
            ]
        return [
            Step(
                "answer_claims",
                f"Decide {'the open claim' if len(ways) == 1 else f'{len(ways)} open claims'} with {what}",
                f"{_listed(texts)} came out inconclusive: what the study has cannot tell. With {what} it would "
                "be settled, four times in five.",
                gain,
                (0.0, max(evidence.smallest, *(_distance(way[2]) for way in ways))),
                machine,
                Order.QUESTION if machine + people <= MOST_SECONDS else Order.SMALL,
                "prior: an answer is worth the smallest effect that matters (study.smallest_effect), found four "
                "times in five",
                people_seconds=people,
                change=Change(names, texts, put=((("study", "seeds"), seeds),), head=tuple(head)),
                details={"seeds": seeds, "test_rows": rows, "claims": list(texts)},
            )
        ]


KIND = AnswerClaims()


def _way(claim: Mapping[str, Any], evidence: Evidence) -> tuple[int, int, Mapping[str, Any]] | None:
    """The cheapest (seeds, test rows) that would settle a claim, or None where it is settled or nothing would."""
    needs = claim.get("needs")
    if claim.get("verdict") != "inconclusive" or not needs:
        return None
    try:
        names = parse_claim(str(claim["claim"])).candidates
    except ClaimSyntaxError:
        return None
    if any(name not in evidence.candidates for name in names):
        return None
    have = evidence.rows.get("test", 0)
    ways = []
    if needs.get("seeds"):
        ways.append((int(needs["seeds"]), have))
    if needs.get("rows"):
        ways.append((evidence.seeds, int(needs["rows"])))
    if needs.get("both"):
        ways.append((int(needs["both"][0]), int(needs["both"][1])))
    if not ways:
        return None

    def price(way: tuple[int, int]) -> float:
        runs = sum(_costs.runs(evidence.candidates[name], way[0]) for name in names)
        return runs + LABELLING_SECONDS * max(0, way[1] - have)

    seeds, rows = min(ways, key=price)
    return seeds, rows, claim


def _distance(claim: Mapping[str, Any]) -> float:
    edge = claim.get("level") if claim.get("level") is not None else claim.get("margin")
    return 0.0 if claim.get("effect") is None or edge is None else abs(float(claim["effect"]) - float(edge))


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(f"'{text}'" for text in texts[:3])
    return shown if len(texts) <= 3 else f"{shown} and {len(texts) - 3} more"

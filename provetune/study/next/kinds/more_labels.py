"""More labelled rows, as far as the learning curve says that they pay."""

from __future__ import annotations

from collections.abc import Sequence

from provetune.study.next.evidence import CandidateEvidence, Curve, Evidence
from provetune.study.next.kinds import _costs
from provetune.study.next.kinds._names import variant_name
from provetune.study.next.learning_curve import Extrapolation, extrapolate
from provetune.study.next.step import LABELLING_SECONDS, Change, Order, Step

GROWTH = 2
"""The curve is carried on to twice the rows: farther, four points say little."""
SHARES = {"quarter": 0.25, "half": 0.5, "most": 0.75}


class MoreLabels:
    """`more_labels`."""

    name = "more_labels"

    def propose(self, evidence: Evidence) -> Sequence[Step]:
        leader = evidence.leader
        own = evidence.curves.get(leader.name)
        curve = own or next(iter(evidence.curves.values()), None)
        if curve is None:
            return [_measure(leader, evidence, None, 0.0)]
        rows = curve.points[-1].rows
        found = extrapolate(curve.points, GROWTH * rows)
        if found is None:
            return [_measure(leader, evidence, None, 0.0)]
        if own is None:
            return [_measure(leader, evidence, (curve, found), _scaled(curve, evidence))]
        return [_label(leader, evidence, curve, found)]


KIND = MoreLabels()


def _scaled(curve: Curve, evidence: Evidence) -> float:
    """How much of another candidate's gain the best one can expect: in the proportion of what both still get wrong."""
    return min(1.0, evidence.error / max(1e-9, 1 - curve.points[-1].score))


def _label(leader: CandidateEvidence, evidence: Evidence, curve: Curve, found: Extrapolation) -> Step:
    added = found.rows - curve.points[-1].rows
    name = variant_name(leader.name, "more")
    pays = found.gain >= evidence.smallest and found.low > 0
    said = ", ".join(f"{point.rows:,} rows {point.score:.3f}" for point in curve.points)
    before = round(1 / GROWTH, 4)
    return Step(
        "more_labels",
        f"Label about {added:,} more training rows",
        f"'{leader.name}' still grows with its rows ({said} on validation rows): the curve promises {found.gain:+.3f} "
        f"at {found.rows:,} rows."
        if pays
        else f"'{leader.name}' hardly grows with its rows any more ({said} on validation rows).",
        found.gain,
        (found.low, found.high),
        _costs.runs(leader, evidence.seeds, times=1 + GROWTH),
        Order.EVIDENCE if pays else Order.SMALL,
        f"learning curve of '{curve.name}', " + ("measured by the study" if curve.measured else "measured by `next`"),
        people_seconds=LABELLING_SECONDS * added,
        change=Change(
            (),
            (f"{name} > {leader.name}",),
            {name: (leader.name, {}), leader.name: (leader.name, {"data": {"share": before}})},
            head=(
                f"Before this is run: add about {added:,} newly labelled rows to the training file.",
                f"'{leader.name}' then learns from as many rows as there were ({before:g} of all), '{name}' from all.",
                "Where the test is split off the training file, more rows make another test, which no look has worn.",
            ),
        ),
        details={
            "rows": curve.points[-1].rows,
            "rows_then": found.rows,
            "exponent": found.exponent,
            "curve": [{"rows": point.rows, "score": point.score} for point in curve.points],
            "measured": curve.measured,
            "curve_of": curve.name,
        },
    )


def _measure(
    leader: CandidateEvidence, evidence: Evidence, proxy: tuple[Curve, Extrapolation] | None, scale: float
) -> Step:
    """The curve of the best candidate is not known: a study of shares measures it, before anybody labels."""
    gain = low = high = 0.0
    said = f"How '{leader.name}' grows with its rows has not been measured."
    if proxy is not None:
        curve, found = proxy
        gain, low, high = scale * found.gain, scale * found.low, scale * found.high
        said += f" '{curve.name}', which was, promises {found.gain:+.3f} at twice the rows."
    pays = gain >= evidence.smallest and low > 0
    added = {
        variant_name(leader.name, word): (leader.name, {"data": {"share": share}}) for word, share in SHARES.items()
    }
    return Step(
        "more_labels",
        f"Measure what more rows would bring '{leader.name}'",
        f"{said} Trained on a quarter, a half and three quarters of the rows, it says whether labelling pays, "
        "whose time is counted in.",
        gain,
        (low, high),
        _costs.runs(leader, evidence.seeds, times=1 + sum(SHARES.values())),
        Order.EVIDENCE if pays else Order.SMALL,
        "no curve yet" if proxy is None else f"learning curve of '{proxy[0].name}', in proportion to what is wrong",
        people_seconds=LABELLING_SECONDS * leader.training_rows,
        change=Change(
            (leader.name,),
            (f"{leader.name} > {variant_name(leader.name, 'half')}",),
            added,
            head=("A learning curve: if the step from half the rows to all of them pays, the next ones may.",),
        ),
        details={"rows": leader.training_rows, "measured": False, "curve_of": None if proxy is None else proxy[0].name},
    )

"""Kinds of steps on evidence made by hand, whose figures can be worked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from provetune.problem.syntax import Candidate
from provetune.statistics.rows import JudgedRows
from provetune.study.next.evidence import CandidateEvidence, Curve, Evidence, RunEvidence, Suspicion
from provetune.study.next.kinds import KINDS
from provetune.study.next.learning_curve import CurvePoint
from provetune.study.next.ranking import propose_steps, rank
from provetune.study.next.step import CHECKING_SECONDS, LABELLING_SECONDS, READING_SECONDS, Order, Step

NAMES = ("a", "b", "c")
ROWS = 600
GOLD = np.arange(ROWS) % 3


def judged(wrong: int, said: np.ndarray | None = None) -> JudgedRows:
    """The first `wrong` rows get the next label."""
    predictions = GOLD.copy() if said is None else said
    if said is None:
        predictions[:wrong] = (GOLD[:wrong] + 1) % 3
    return JudgedRows(GOLD, predictions, None, NAMES)


def candidate(name: str, method: str, rows: JudgedRows, runs: Sequence[RunEvidence] = (), **other: Any) -> Any:
    learns = {"tfidf": "texts", "head": "features"}.get(method, "weights")
    score = float((rows.labels == rows.predictions).mean())
    made = tuple(runs) or (RunEvidence(score, training_rows=1000, seconds=10.0),) * 3
    fields = {"method": method, **other.pop("fields", {})}
    return CandidateEvidence(
        name,
        Candidate(**fields),
        learns,
        made,
        (rows,) * len(made),
        learns != "weights",
        **other,  # type: ignore[arg-type]
    )


def evidence(*candidates: CandidateEvidence, **other: Any) -> Evidence:
    best = max(candidates, key=lambda one: one.score)
    base = Evidence(
        study="s",
        metric="accuracy",
        best=best.name,
        candidates={one.name: one for one in candidates},
        rows={"train": 1000, "validation": ROWS, "test": 500},
        label_names=NAMES,
        seeds=3,
    )
    return replace(base, **other)


def only(kind: str, found: Evidence) -> Step:
    (step,) = KINDS.get(kind).propose(found)
    return step


def test_the_folder_is_the_list() -> None:
    assert KINDS.names() == [
        "answer_claims",
        "backbone",
        "cheaper",
        "clean_labels",
        "learning_rate",
        "merge_labels",
        "more_labels",
        "regularisation",
        "stop",
    ]
    assert all(KINDS.get(name).name == name for name in KINDS.names())


def curve(errors: Sequence[int]) -> Curve:
    points = []
    for share, wrong in zip((250, 500, 750, 1000), errors, strict=True):
        right = np.ones(ROWS)
        right[:wrong] = 0
        points.append(CurvePoint(share, right[None]))
    return Curve("words", tuple(points), measured=False)


def test_more_labels_cost_people_and_promise_what_the_curve_says() -> None:
    words = candidate("words", "tfidf", judged(90))
    step = only("more_labels", evidence(words, curves={"words": curve((180, 127, 104, 90))}))
    # 600 · error = 2846 · n^(−1/2): at 2,000 rows 63.6 of 600 are wrong.
    assert step.gain == pytest.approx((90 - 63.6) / 600, abs=0.006)
    assert step.order == Order.EVIDENCE
    assert step.people_seconds == 1000 * LABELLING_SECONDS
    assert step.cost_seconds == step.people_seconds + step.machine_seconds + READING_SECONDS
    assert step.change is not None
    assert step.change.claims == ("words_more > words",)
    assert step.change.add["words"] == ("words", {"data": {"share": 0.5}})


def test_a_flat_curve_puts_labels_last() -> None:
    words = candidate("words", "tfidf", judged(90))
    assert only("more_labels", evidence(words, curves={"words": curve((90, 90, 90, 90))})).order == Order.SMALL


def test_a_fine_tuned_best_is_measured_before_anybody_labels() -> None:
    words, full = candidate("words", "tfidf", judged(90)), candidate("full", "full", judged(45))
    step = only("more_labels", evidence(words, full, curves={"words": curve((180, 127, 104, 90))}))
    assert step.change is not None
    assert step.change.claims == ("full > full_half",)
    assert {fields["data"]["share"] for _, fields in step.change.add.values()} == {0.25, 0.5, 0.75}
    assert step.gain == pytest.approx((90 - 63.6) / 600 / 2, abs=0.004)  # half as much is wrong


def suspicion(gain: float, share: float = 0.2) -> Suspicion:
    rows = tuple({"row_id": f"r{number}", "label": "a", "likely": "b"} for number in range(30))
    return Suspicion(share, share - 0.02, rows, gain, (gain - 0.01, gain + 0.01), "words")


def test_doubtful_labels_are_a_step_where_leaving_them_out_helped() -> None:
    words = candidate("words", "tfidf", judged(90))
    step = only("clean_labels", evidence(words, suspicion=suspicion(0.02)))
    assert (step.gain, step.order, step.people_seconds) == (0.02, Order.EVIDENCE, 30 * CHECKING_SECONDS)
    assert len(step.table) == 30
    assert only("clean_labels", evidence(words, suspicion=suspicion(-0.02))).order == Order.QUESTION
    assert not KINDS.get("clean_labels").propose(evidence(words, suspicion=suspicion(0.02, share=0.06)))


def test_settled_rows_stay_settled() -> None:
    fields = {"data": {"corrections": {"r0": "b", "r1": None}}}
    clean = candidate("words_clean", "tfidf", judged(90), fields=fields)
    step = only("clean_labels", evidence(clean, suspicion=suspicion(0.02)))
    lines = {row["row_id"]: row.get("corrected") for row in step.table}
    assert (len(lines), lines["r0"], lines["r1"]) == (30, "b", "")
    assert step.details["rows"] == 28
    assert step.change is not None
    assert step.change.claims == ("words_clean2 > words_clean",)


def test_labels_told_apart_by_chance_alone_are_merged() -> None:
    said = GOLD.copy()
    ab = np.flatnonzero(GOLD < 2)
    said[ab[::2]] = 0
    said[ab[1::2]] = 1
    said[ab] = np.random.default_rng(0).permutation(said[ab])
    step = only("merge_labels", evidence(candidate("words", "tfidf", judged(0, said))))
    mistaken = float((said != GOLD).mean())
    assert step.gain == pytest.approx(mistaken)
    assert step.details["labels"] == ["a", "b"]
    assert abs(step.details["kappa"]) < 0.2
    assert step.change is not None
    assert step.change.put == ((("data", "merge"), {"a_or_b": ["a", "b"]}),)


def test_frequent_mistakes_between_labels_that_are_told_apart_are_left_alone() -> None:
    assert not KINDS.get("merge_labels").propose(evidence(candidate("words", "tfidf", judged(90))))


def trained(losses: Sequence[float], scores: Sequence[float], validation: Sequence[float] | None = None) -> RunEvidence:
    loss = validation or [0.5] * len(scores)
    evaluations = tuple(
        (10 * (number + 1), {"accuracy": score, "log_loss": each})
        for number, (score, each) in enumerate(zip(scores, loss, strict=True))
    )
    return RunEvidence(max(scores), tuple(losses), evaluations, len(losses), 1000, 100.0)


def full(run: RunEvidence, wrong: int, rate: float = 2e-4, **fields: Any) -> CandidateEvidence:
    return candidate(
        "full",
        "full",
        judged(wrong),
        (run,) * 3,
        usual={"learning_rate": 2e-4},
        fields={"learning_rate": rate, "epochs": 3, **fields},
    )


def test_a_loss_that_hardly_fell_at_a_low_rate_wants_a_higher_one() -> None:
    words = candidate("words", "tfidf", judged(90))
    slow = full(trained(np.linspace(1.1, 1.0, 60).tolist(), [0.5, 0.6, 0.65]), 210, rate=4e-6)
    step = only("learning_rate", evidence(words, slow))
    assert (step.order, step.details["proposed"]) == (Order.BROKEN, 2e-4)
    assert propose_steps(evidence(words, slow))[0].kind == "learning_rate"


def test_a_loss_that_rose_at_a_high_rate_wants_a_lower_one() -> None:
    words = candidate("words", "tfidf", judged(90))
    wild = full(trained([1.1, 5.0, 4.0, 3.0] * 15, [0.33, 0.33, 0.34]), 390, rate=2e-3)
    step = only("learning_rate", evidence(words, wild))
    assert (step.order, step.details["proposed"]) == (Order.BROKEN, 2e-4)
    assert step.change is not None
    assert step.change.claims == ("full_slower > full",)


def test_training_that_went_well_is_left_alone() -> None:
    words = candidate("words", "tfidf", judged(90))
    good = full(trained(np.linspace(1.1, 0.1, 60).tolist(), [0.85, 0.9, 0.9]), 60)
    assert not KINDS.get("learning_rate").propose(evidence(words, good))
    assert not KINDS.get("regularisation").propose(evidence(words, good))


def test_a_score_that_rose_to_the_end_wants_more_epochs() -> None:
    rising = full(trained(np.linspace(1.1, 0.3, 60).tolist(), [0.80, 0.84, 0.86]), 84)
    step = only("learning_rate", evidence(rising))
    assert step.gain == pytest.approx(0.02)  # 0.04, 0.02, then 0.01 + 0.005 + … = 0.02
    assert step.change is not None
    assert step.change.add["full_longer"] == ("full", {"epochs": 6.0})


def test_the_best_rate_at_the_edge_is_gone_beyond() -> None:
    good = trained(np.linspace(1.1, 0.1, 60).tolist(), [0.85, 0.9, 0.9])
    one, other = full(good, 60, rate=2e-4), replace(full(good, 72, rate=1e-4), name="small")
    other = replace(other, runs=(replace(good, score=0.88),) * 3)
    step = only("learning_rate", evidence(one, other))
    assert step.details["tried"] == {"0.0001": 0.88, "0.0002": 0.9}
    assert step.gain == pytest.approx(0.01)
    assert step.change is not None
    assert step.change.add["full_faster"] == ("full", {"learning_rate": 4e-4})


def test_rows_learned_by_heart_want_regularisation() -> None:
    heart = full(trained(np.linspace(1.1, 0.01, 60).tolist(), [0.90, 0.88, 0.87], [0.3, 0.5, 0.7]), 60)
    step = only("regularisation", evidence(heart))
    assert step.order == Order.EVIDENCE
    assert step.gain == pytest.approx(0.03 + 0.05 * 0.1)
    assert step.change is not None
    assert step.change.add["full_regularised"] == ("full", {"weight_decay": 0.1, "epochs": 0.6})


def test_a_loss_that_rose_without_the_score_is_no_evidence() -> None:
    sure = full(trained(np.linspace(1.1, 0.01, 60).tolist(), [0.89, 0.9, 0.9], [0.3, 0.5, 0.7]), 60)
    assert only("regularisation", evidence(sure)).order == Order.SMALL


def test_a_larger_backbone_is_a_prior() -> None:
    words, head = candidate("words", "tfidf", judged(120)), candidate("head", "head", judged(90))
    step = only("backbone", evidence(words, head, larger=("mpnet-base-en", 4.8)))
    assert (step.order, step.gain) == (Order.PRIOR, pytest.approx(0.15 * 0.15))
    assert not KINDS.get("backbone").propose(evidence(words, head))
    first = only("backbone", evidence(words, larger=("minilm-en", 1.0)))
    assert first.gain == pytest.approx(0.38 * 0.2)


def open_claim(**needs: Any) -> dict[str, Any]:
    return {
        "claim": "full > words + 0.02",
        "verdict": "inconclusive",
        "effect": 0.03,
        "margin": 0.02,
        "level": None,
        "needs": {"seeds": None, "rows": None, "both": None, **needs},
    }


def test_an_open_claim_takes_the_cheapest_way() -> None:
    words, fine = candidate("words", "tfidf", judged(90)), candidate("full", "full", judged(60))
    found = evidence(words, fine, claims=(open_claim(seeds=9, rows=900),))
    step = only("answer_claims", found)
    # Nine runs of 10 s each and one of words, against 400 rows of 15 s.
    assert (step.details["seeds"], step.people_seconds, step.machine_seconds) == (9, 0, 100.0)
    assert step.gain == pytest.approx(0.8 * 0.01)
    dear = only("answer_claims", evidence(words, fine, claims=(open_claim(rows=50_000),)))
    assert dear.order == Order.SMALL
    assert not KINDS.get("answer_claims").propose(evidence(words, fine, claims=(open_claim(),)))


def test_a_cheaper_candidate_of_the_same_score_is_offered_once() -> None:
    words = candidate("words", "tfidf", judged(62), use_cost=1.0)
    fine = candidate("full", "full", judged(60), use_cost=91.0)
    step = only("cheaper", evidence(words, fine))
    assert step.gain == pytest.approx(0.01 * (1 - 1 / 91))
    assert step.change is not None
    assert step.change.claims == ("words >= full - 0.01",)
    said = {"verdict": "supported", "left": {"name": "words"}, "right": {"name": "full"}}
    assert not KINDS.get("cheaper").propose(evidence(words, fine, claims=(said,)))
    worse = candidate("words", "tfidf", judged(72), use_cost=1.0)
    assert not KINDS.get("cheaper").propose(evidence(worse, fine))


def met(answer: bool | None) -> tuple[dict[str, Any], ...]:
    return ({"metric": "accuracy", "required": ">= 0.85", "value": 0.9, "met": answer},)


def test_stop_stands_only_where_nothing_promises_more() -> None:
    words = candidate("words", "tfidf", judged(60))
    assert propose_steps(evidence(words, accept=met(True)))[0].kind == "stop"
    growing = evidence(words, accept=met(True), curves={"words": curve((180, 127, 104, 90))})
    assert "stop" not in [step.kind for step in propose_steps(growing)]
    assert not KINDS.get("stop").propose(evidence(words, accept=met(None)))
    assert not KINDS.get("stop").propose(evidence(words))


def test_what_is_broken_comes_first_then_evidence_by_gain_for_cost() -> None:
    def step(kind: str, order: Order, gain: float, seconds: float) -> Step:
        return Step(kind, "", "", gain, (0.0, gain), seconds, order, "")

    found = rank(
        [
            step("d", Order.PRIOR, 0.5, 10),
            step("c", Order.QUESTION, 0.01, 10),
            step("b", Order.EVIDENCE, 0.02, 7200),
            step("a", Order.EVIDENCE, 0.015, 3600),
            step("e", Order.BROKEN, 0.01, 1e6),
        ]
    )
    assert [each.kind for each in found] == ["e", "a", "b", "c", "d"]

"""Claims judged on outcomes made by hand: the numbers of plain loops, and the right words where it goes wrong."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import t

from provetune.problem.claims import parse_claim
from provetune.statistics.failures import most_failures
from provetune.statistics.rows import JudgedRows
from provetune.study.verdict import CandidateRows, judge_claims, refuted

LABELS = ("a", "b", "c")
KINDS = {
    "accuracy": "sums",
    "macro_f1": "sums",
    "recall": "sums",
    "precision": "sums",
    "log_loss": "sums",
    "ece": "bootstrap",
    "latency_p95_ms": "system",
}


def rows(right: Sequence[int] | np.ndarray, labels: np.ndarray | None = None, groups: Any = None) -> JudgedRows:
    """Outcomes of a run that is right where `right` is 1; where it is wrong it says the next label."""
    right = np.asarray(right)
    gold = np.arange(len(right)) % 3 if labels is None else labels
    said = np.where(right == 1, gold, (gold + 1) % 3)
    sure = np.full((len(right), 3), 0.1, dtype=np.float32)
    sure[np.arange(len(right)), said] = 0.8
    return JudgedRows(gold, said, sure, LABELS, None, None if groups is None else np.asarray(groups))


def draw(accuracy: float, count: int, seeds: int, *, spread: float = 0.01, seed: int = 0) -> CandidateRows:
    random = np.random.default_rng(seed)
    difficulty = np.random.default_rng(99).random(count)
    found = []
    for _ in range(seeds):
        level = accuracy + random.normal(0, spread)
        found.append(rows((0.7 * difficulty + 0.3 * random.random(count) < 0.85 * level).astype(int)))
    return CandidateRows(tuple(found))


def judge(claims: Sequence[str], candidates: dict[str, CandidateRows], **more: Any) -> list[dict[str, Any]]:
    asked = {"metric": "accuracy", "kinds": KINDS, "alpha": 0.05, **more}
    return judge_claims([parse_claim(claim) for claim in claims], candidates, **asked)


def bound_by_loops(left: list[list[int]], right: list[list[int]], p: float) -> tuple[float, float]:
    """Effect and bound of the formulas in the documentation, without arrays; an upper bound where p is under 0.5."""
    n = len(left[0])
    means = [[sum(run) / n for run in side] for side in (left, right)]
    effect = sum(means[0]) / len(left) - sum(means[1]) / len(right)
    shares, residuals = [], []
    for side, scores in zip((left, right), means, strict=True):
        k = len(side)
        middle = sum(scores) / k
        shares.append(sum((score - middle) ** 2 for score in scores) / (k - 1) / k)
        total = 0.0
        for s in range(k):
            for i in range(n):
                row = sum(run[i] for run in side) / k
                total += (side[s][i] - row - scores[s] + middle) ** 2
        residuals.append(total / ((k - 1) * (n - 1)) / (k * n))
    between = [sum(run[i] for run in left) / len(left) - sum(run[i] for run in right) / len(right) for i in range(n)]
    mean = sum(between) / n
    seeds_part = sum(shares)
    rows_part = max(sum((value - mean) ** 2 for value in between) / (n - 1) / n - sum(residuals), 0.0)
    # Together they are never taken to vary less than two rows that differ, one each way.
    rows_part = max(rows_part, 2 / n**2 - seeds_part)
    freedom = seeds_part**2 / sum(share**2 / (len(s) - 1) for share, s in zip(shares, (left, right), strict=True))
    variance = seeds_part + rows_part
    squares = [(value - mean) ** 2 for value in between]
    kurtosis = sum(square**2 for square in squares) / n / (sum(squares) / n) ** 2 - 3
    freedom_of_rows = 2 / (max(kurtosis, 0) / n + 2 / (n - 1))
    q = (seeds_part * t.ppf(p, freedom) + rows_part * t.ppf(p, freedom_of_rows)) / variance
    return effect, effect - q * sqrt(variance)


def small_study() -> tuple[list[list[int]], list[list[int]]]:
    random = np.random.default_rng(5)
    hard = random.random(40)
    left = [[int(value < 0.9 - 0.1 * s) for value in hard + random.normal(0, 0.1, 40)] for s in range(3)]
    right = [[int(value < 0.6 + 0.05 * s) for value in hard + random.normal(0, 0.1, 40)] for s in range(4)]
    return left, right


def test_bound_and_interval_are_those_of_plain_loops() -> None:
    left, right = small_study()
    candidates = {"x": CandidateRows(tuple(map(rows, left))), "y": CandidateRows(tuple(map(rows, right)))}
    found = judge(["x > y", "y < x - 0.05"], candidates)[0]
    effect, bound = bound_by_loops(left, right, 0.95)
    assert found["effect"] == pytest.approx(effect)
    assert found["bound"] == pytest.approx(bound)
    assert found["interval"] == pytest.approx([bound_by_loops(left, right, p)[1] for p in (0.975, 0.025)])
    assert found["left"]["seeds"] == pytest.approx([sum(run) / 40 for run in left])
    assert found["right"]["mean"] == pytest.approx(sum(map(sum, right)) / 160)
    # The p-value is where the bound touches the margin.
    assert bound_by_loops(left, right, 1 - found["p"])[1] == pytest.approx(0.0, abs=1e-7)
    assert found["estimand"] == "procedure"


def test_mirrored_claims_have_mirrored_answers() -> None:
    candidates = {"x": draw(0.95, 600, 5, seed=1), "y": draw(0.75, 600, 5, seed=2)}
    above, below = judge(["x > y + 0.02", "x < y + 0.02"], candidates)
    assert (above["verdict"], below["verdict"]) == ("supported", "refuted")
    assert above["words"].startswith("Supported: accuracy of x is more than 0.02 above that of y (difference +")
    assert below["words"].startswith("Refuted: accuracy of x is more than 0.02 above that of y")
    assert refuted([above, below])
    assert not refuted([above])


def test_holm_runs_over_all_claims_of_a_study() -> None:
    candidates = {"x": draw(0.9, 400, 5, seed=1), "y": draw(0.86, 400, 5, seed=2)}
    alone = judge(["x > y"], candidates)[0]
    together = judge(["x > y", "x > 0.5", "y >= 0.99", "y ~ 0.2 ± 0.01"], candidates)
    assert together[0]["p"] == pytest.approx(alone["p"])
    assert alone["p_holm"] == pytest.approx(alone["p"])
    # "x > 0.5" is surer, so three are left when this one's turn comes.
    assert together[0]["p_holm"] == pytest.approx(3 * alone["p"])
    # Claims that cannot be judged were asked all the same.
    crowd = judge(["x > y", *(f"x > y + {n / 100} [latency_p95_ms]" for n in range(1, 10))], candidates)
    assert crowd[0]["p_holm"] == pytest.approx(10 * alone["p"])


def test_recall_of_a_label_is_that_of_its_rows() -> None:
    labels = np.array([0] * 60 + [1] * 90)
    left = [np.r_[np.ones(55 - s), np.zeros(5 + s), np.ones(90)] for s in range(3)]
    right = [np.r_[np.ones(20 + s), np.zeros(40 - s), np.ones(90)] for s in range(3)]
    candidates = {
        name: CandidateRows(tuple(rows(run, labels) for run in side)) for name, side in (("x", left), ("y", right))
    }
    found = judge(["x > y [recall:a]"], candidates)[0]
    assert found["left"]["seeds"] == pytest.approx([55 / 60, 54 / 60, 53 / 60])
    assert found["effect"] == pytest.approx(54 / 60 - 21 / 60)
    assert (found["metric"], found["verdict"]) == ("recall:a", "supported")
    # The same from the 60 rows alone, but for the sample's n/(n − 1).
    only = {
        name: CandidateRows(tuple(rows(run[:60], labels[:60]) for run in side))
        for name, side in (("x", left), ("y", right))
    }
    assert found["interval"] == pytest.approx(judge(["x > y"], only)[0]["interval"], abs=1e-2)


def test_slices_take_the_rows_of_a_value() -> None:
    left, right = small_study()
    candidates = {"x": CandidateRows(tuple(map(rows, left))), "y": CandidateRows(tuple(map(rows, right)))}
    examples = pa.table({"raw.channel": ["mail"] * 32 + ["phone"] * 8})
    mail, phone, none = judge(
        ["x > y [accuracy @ channel=mail]", "x > y [accuracy @ channel=phone]", "x > y [accuracy @ channel=fax]"],
        candidates,
        examples=examples,
    )
    effect, bound = bound_by_loops([run[:32] for run in left], [run[:32] for run in right], 0.95)
    assert (mail["effect"], mail["bound"]) == (pytest.approx(effect), pytest.approx(bound))
    assert "over 32 rows" in mail["notes"]
    assert phone["verdict"] == "inconclusive"
    assert any("only 8 independent rows" in note for note in phone["notes"])
    assert none["verdict"] == "inconclusive"
    assert "No row has channel=fax" in none["words"]
    assert none["interval"] == [None, None]


def test_grouped_rows_count_as_one() -> None:
    random = np.random.default_rng(3)
    hard = random.random(60)
    right = [np.repeat(hard + random.normal(0, 0.05, 60) < 0.8, 5).astype(int) for _ in range(3)]
    groups = np.repeat(np.arange(60), 5)
    alone = {"x": CandidateRows(tuple(rows(run) for run in right))}
    grouped = {"x": CandidateRows(tuple(rows(run, groups=groups) for run in right))}
    once = {"x": CandidateRows(tuple(rows(run[::5], np.zeros(60, dtype=int)) for run in right))}
    claim = ["x > 0.7"]
    assert judge(claim, grouped)[0]["interval"] == pytest.approx(judge(claim, once)[0]["interval"])
    assert judge(claim, grouped)[0]["p"] > judge(claim, alone)[0]["p"]


def test_runs_made_from_others_are_compared_run_by_run() -> None:
    origin = draw(0.9, 500, 5, spread=0.05, seed=1)
    worse = []
    for number, run in enumerate(origin.seeds):
        right = (run.predictions == run.labels).astype(int)
        right[number * 3 : number * 3 + 5] = 0
        worse.append(rows(right))
    plain = {"full": origin, "quantised": CandidateRows(tuple(worse))}
    derived = {"full": origin, "quantised": CandidateRows(tuple(worse), derived_from="full")}
    claim = ["quantised >= full - 0.03"]
    apart, paired = judge(claim, plain)[0], judge(claim, derived)[0]
    assert (apart["verdict"], paired["verdict"]) == ("inconclusive", "supported")
    assert paired["effect"] == pytest.approx(apart["effect"])
    differences = np.array(worse_scores(paired)) - np.array(paired["right"]["seeds"])
    assert paired["effect"] == pytest.approx(differences.mean())
    assert any("run by run" in note for note in paired["notes"])


def worse_scores(entry: dict[str, Any]) -> list[float]:
    return list(entry["left"]["seeds"])


def test_calibration_error_is_resampled_and_says_that_it_is_biased() -> None:
    sure, unsure = draw(0.8, 400, 5, seed=1), draw(0.5, 400, 5, seed=2)
    found = judge(["x < y [ece]"], {"x": sure, "y": unsure})[0]
    # Every answer is 0.8 sure, so the error is the distance of accuracy from it.
    accuracies = [float((run.predictions == run.labels).mean()) for run in sure.seeds]
    assert found["left"]["seeds"] == pytest.approx([abs(0.8 - score) for score in accuracies], abs=1e-6)
    assert found["verdict"] == "supported"
    assert "calibration error is biased upwards where rows are few" in found["notes"]


def test_figures_of_the_machine_are_judged_by_the_median_of_differences() -> None:
    random = np.random.default_rng(1)
    drift = random.random(40) * 10
    blocks = {"x": {"latency_p95_ms": list(20 + drift)}, "y": {"latency_p95_ms": list(21 + drift)}}
    candidates = {"x": draw(0.9, 100, 1), "y": draw(0.9, 100, 1)}
    faster, slow = judge(["x < y [latency_p95_ms]", "y < 10 [latency_p95_ms]"], candidates, blocks=blocks)
    assert (faster["verdict"], faster["effect"]) == ("supported", pytest.approx(-1.0))
    assert faster["p"] == pytest.approx(0.5**40)
    assert (faster["estimand"], faster["needs"]) == ("these weights", None)
    assert slow["verdict"] == "refuted"


# -- what must not go wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_decide_nothing(seeds: int) -> None:
    candidates = {"x": draw(0.99, 500, seeds, seed=1), "y": draw(0.2, 500, 5, seed=2)}
    found = judge(["x > y", "x > 0.1"], candidates)
    for one in found:
        assert one["verdict"] == "inconclusive"
        assert f"needs at least 3 seeds of each candidate, and 'x' has {seeds}" in one["words"]
        assert one["needs"] == {"seeds": 3, "rows": None, "both": None, "note": None}
        assert one["effect"] > 0.3
        assert (one["p"], one["interval"]) == (None, [None, None])


def test_a_candidate_without_chance_needs_one_run() -> None:
    words = CandidateRows(draw(0.6, 500, 1, seed=1).seeds * 5, deterministic=True)
    found = judge(["x > words + 0.02", "words > 0.3"], {"x": draw(0.9, 500, 5, seed=2), "words": words})
    assert [one["verdict"] for one in found] == ["supported", "supported"]
    assert len(found[0]["right"]["seeds"]) == 1
    assert any("draws no random number" in note for note in found[0]["notes"])


def test_ties_everywhere_are_inconclusive_both_ways() -> None:
    same = draw(0.9, 500, 5, seed=1)
    found = judge(["x > y", "x < y - 0.001", "x ~ y ± 0.05"], {"x": same, "y": same})
    assert [one["verdict"] for one in found] == ["inconclusive", "inconclusive", "supported"]
    assert found[0]["effect"] == 0
    one = CandidateRows(same.seeds[:1], deterministic=True)
    found = judge(["x > y", "x >= y"][:1], {"x": one, "y": one})
    assert found[0]["verdict"] == "inconclusive"
    assert found[0]["p"] >= 0.5


def test_all_right_on_few_rows_is_no_certainty() -> None:
    perfect = CandidateRows(tuple(rows(np.ones(20, dtype=int)) for _ in range(5)))
    found = judge(["x >= 0.9", "x > y", "x >= y - 0.01", "x >= 0.3"], {"x": perfect, "y": perfect})
    assert [one["verdict"] for one in found] == ["inconclusive", "inconclusive", "inconclusive", "supported"]
    assert found[0]["needs"]["rows"] >= 30
    assert found[0]["needs"]["seeds"] is None


def test_twenty_rows_make_no_false_certainty() -> None:
    # Four rows of twenty decide for x: normal theory gives p = 0.02, a sign test 0.06.
    x = CandidateRows(tuple(rows([1] * 16 + [0] * 4) for _ in range(5)))
    y = CandidateRows(tuple(rows([1] * 12 + [0] * 8) for _ in range(5)))
    assert judge(["x > y"], {"x": x, "y": y})[0]["verdict"] == "inconclusive"


def test_a_label_of_few_rows_makes_no_false_certainty() -> None:
    labels = np.array([0] * 12 + [1] * 988)
    perfect = CandidateRows(tuple(rows(np.ones(1000, dtype=int), labels) for _ in range(5)))
    found = judge(["x >= 0.9 [recall:a]", "x >= 0.9 [recall:b]", "x >= 0.9 [recall:c]"], {"x": perfect})
    assert [one["verdict"] for one in found] == ["inconclusive", "supported", "inconclusive"]
    assert found[0]["needs"]["rows"] >= 2500
    assert "No test row is what 'recall:c' is about." in found[2]["words"]


def test_unknown_metrics_labels_and_candidates_are_said_and_decide_nothing() -> None:
    candidates = {"x": draw(0.9, 200, 3, seed=1), "y": draw(0.9, 200, 3, seed=2)}
    found = judge(["x > y [acuracy]", "x > y [recall:d]", "x > z", "x > y [latency_p95_ms]"], candidates)
    assert {one["verdict"] for one in found} == {"inconclusive"}
    for one, words in zip(
        found,
        ("Did you mean 'accuracy'?", "There is no label 'd'.", "There is no candidate 'z'.", "was not measured"),
        strict=True,
    ):
        assert words in one["words"]
        assert (one["p_holm"], one["needs"]) == (None, None)


def test_failed_runs_are_counted_bounded_and_said() -> None:
    good = draw(0.9, 500, 5, seed=1)
    hurt = CandidateRows(good.seeds[:4], failed=((4, "its validation accuracy of 0.33 is no better"),))
    gone = CandidateRows((), failed=tuple((k, "collapsed") for k in range(5)))
    found = judge(["x > y", "x > z"], {"x": hurt, "y": draw(0.5, 500, 5, seed=2), "z": gone})
    assert found[0]["verdict"] == "supported"
    share = f"{most_failures(1, 5, 0.95):.0%}"
    assert any(
        f"1 of 5 runs of 'x' failed (run 4: its validation accuracy of 0.33 is no better); up to {share}" in note
        for note in found[0]["notes"]
    )
    assert found[1]["verdict"] == "inconclusive"
    assert "No run of 'z' passed" in found[1]["words"]


def test_claims_added_after_a_look_are_marked() -> None:
    candidates = {"x": draw(0.9, 300, 3, seed=1)}
    old, new = judge(["x > 0.5", "x > 0.6"], candidates, alpha=0.025, look=2, added=[1])
    assert (old["added_after_look"], new["added_after_look"]) == (False, True)
    assert (new["alpha"], new["look"]) == (0.025, 2)
    assert any("added after" in note for note in new["notes"])


def test_a_hundred_claims_at_once() -> None:
    candidates = {"x": draw(0.9, 500, 5, seed=1), "y": draw(0.88, 500, 5, seed=2)}
    found = judge([f"x > y + {n / 1000}" for n in range(100)], candidates)
    assert [one["claim"] for one in found] == [f"x > y + {n / 1000}" for n in range(100)]
    assert all(one["p_holm"] >= one["p"] for one in found)
    assert found[0]["p_holm"] == pytest.approx(min(1.0, 100 * min(one["p"] for one in found)))


def test_what_would_settle_it_is_said() -> None:
    candidates = {"x": draw(0.9, 300, 3, seed=1), "y": draw(0.87, 300, 3, seed=2)}
    found = judge(["x > y + 0.03"], candidates)[0]
    assert found["verdict"] == "inconclusive"
    assert set(found["needs"]) == {"seeds", "rows", "both", "note"}
    assert "would settle it" in found["needs"]["note"] or "nothing" in found["needs"]["note"]


def test_no_claims_no_verdicts() -> None:
    assert judge([], {}) == []


def test_a_large_study_is_quick() -> None:
    candidates = {name: draw(0.9, 5000, 5, seed=n) for n, name in enumerate(("x", "y", "z"))}
    claims = ["x > y + 0.02", "z >= x - 0.01", "z >= 0.9", "x ~ y ± 0.01 [macro_f1]", "x < y [ece]"]
    started = time.monotonic()
    judge(claims, candidates)
    # Five seconds are the promise; the rest is for a machine that others use too.
    assert time.monotonic() - started < 30
    tracemalloc.start()
    judge(claims, candidates)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**30


def test_no_bound_is_shown_beyond_what_a_metric_can_be() -> None:
    """Six rows say little; their interval reaches past 1, which no share can. The verdict stands as it is."""
    few = {"good": draw(0.9, 6, 3), "other": draw(0.5, 6, 3, seed=1)}
    claims = ["good >= 0.5", "good > other"]
    free = judge(claims, few, limits={"accuracy": (-9.0, 9.0)})
    cut = judge(claims, few, limits={"accuracy": (0.4, 0.6)})
    for one, other, (low, high) in zip(free, cut, ((0.4, 0.6), (-0.2, 0.2)), strict=True):
        wide = one["interval"]
        assert wide[0] < low
        assert wide[1] > high
        assert other["interval"] == [pytest.approx(low), pytest.approx(high)]
        assert other["bound"] == pytest.approx(min(max(one["bound"], low), high))
        assert (other["verdict"], other["p"]) == (one["verdict"], one["p"])

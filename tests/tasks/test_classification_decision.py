"""Thresholds of several labels and abstention: what is tuned, given, told, judged and shown."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from provetune.core.protocols import Reports, Targets, Tunable
from provetune.statistics.judged import bound_of
from provetune.tasks import TASKS

TASK = TASKS.get("classification")
LISTS = pa.list_(pa.string())
NAMES = ("cards", "loans", "oos")


def examples(labels) -> pa.Table:
    several = any(isinstance(label, list) for label in labels)
    kind = LISTS if several else pa.string()
    return pa.table({"row_id": [f"r{k}" for k in range(len(labels))], "label": pa.array(labels, kind)})


def targets(kind="single_label", names=NAMES, out_of_scope=None, **options) -> Targets:
    settled = TASK.settle_options(options)
    return Targets(kind, names, (1,) * len(names), out_of_scope, settled)


def sure(values) -> np.ndarray:
    """Probabilities of three labels, the first with these."""
    first = np.asarray(values, dtype=float)
    return np.stack([first, (1 - first) * 0.6, (1 - first) * 0.4], axis=1)


class TestOptions:
    def test_defaults(self):
        assert TASK.settle_options(None) == {"thresholds": "auto", "abstain": None}

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"abstain": {}}, "either coverage or risk"),
            ({"abstain": {"coverage": 0.9, "risk": 0.1}}, "either coverage or risk"),
            ({"abstain": {"coverage": 0.9, "certainty": 0.9}}, "certainty only with risk"),
            ({"abstain": {"coverage": 1.5}}, "less than or equal to 1"),
            ({"thresholds": "best"}, "thresholds"),
            ({"threshold": 0.5}, "Extra inputs"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, options, said):
        with pytest.raises(ValidationError, match=said):
            TASK.settle_options(options)


class TestThresholds:
    PROBABILITIES = np.array([[0.9, 0.3], [0.8, 0.35], [0.45, 0.1], [0.2, 0.05]])
    GOLD = ([["x", "y"], ["x", "y"], ["x"], []],)

    def tuned(self, how):
        given = targets("multi_label", ("x", "y"), thresholds=how)
        return TASK.tune(self.PROBABILITIES, examples(*self.GOLD), given)

    def test_each_label_its_own(self):
        assert isinstance(TASK, Tunable)
        found = self.tuned("per_label")
        assert found.tuned["thresholds"] == pytest.approx([0.325, 0.2])
        outcomes = TASK.outcomes(examples(*self.GOLD), self.PROBABILITIES, found)
        assert outcomes.column("prediction").to_pylist() == self.GOLD[0]
        assert TASK.score(outcomes, found)["accuracy"] == 1.0
        told = TASK.predictions(self.PROBABILITIES, found)
        assert told[2] == {"label": ["x"], "score": 0.45}

    def test_one_for_all_or_a_number(self):
        shared = self.tuned("global").tuned["thresholds"]
        assert shared[0] == shared[1] == pytest.approx(0.25)
        assert self.tuned(0.7).tuned["thresholds"] == [0.7, 0.7]
        assert len(set(self.tuned("auto").tuned["thresholds"])) == 1  # too few rows for thresholds of their own

    def test_without_tuning_it_is_one_half(self):
        outcomes = TASK.outcomes(examples(*self.GOLD), self.PROBABILITIES, targets("multi_label", ("x", "y")))
        assert outcomes.column("prediction").to_pylist() == [["x"], ["x"], [], []]

    def test_tuned_targets_survive_json(self):
        found = self.tuned("per_label")
        assert Targets.from_json(found.to_json()) == found

    def test_rows_without_labels_say_nothing(self):
        given = targets("multi_label", ("x", "y"))
        assert TASK.tune(self.PROBABILITIES, examples([None, None, None, None]), given) is given
        labels = [*self.GOLD[0], None]
        found = TASK.tune(np.vstack([self.PROBABILITIES, [[0.5, 0.5]]]), examples(labels), given)
        assert found.tuned == self.tuned("auto").tuned


class TestAbstention:
    ANSWERS = sure([0.95, 0.9, 0.8, 0.7, 0.55])
    GOLD = ("cards", "cards", "loans", "cards", "loans")

    def tuned(self, out_of_scope=None, gold=GOLD, answers=ANSWERS, **aim):
        return TASK.tune(answers, examples(gold), targets(out_of_scope=out_of_scope, abstain=aim))

    def test_a_coverage_is_kept(self):
        found = self.tuned(coverage=0.6)
        assert found.tuned["abstain"] == {"threshold": 0.75, "coverage": 0.6, "risk": pytest.approx(1 / 3)}

    def test_a_risk_is_kept(self):
        assert self.tuned(risk=0.25).tuned["abstain"]["coverage"] == pytest.approx(0.8)
        assert self.tuned(risk=0.1).tuned["abstain"]["coverage"] == pytest.approx(0.4)
        assert self.tuned(risk=0.1, certainty=0.9).tuned["abstain"]["coverage"] == 0.0

    def test_what_is_told(self):
        found = TASK.predictions(self.ANSWERS, self.tuned(coverage=0.6), top_k=1)
        assert found[0] == {"label": "cards", "score": 0.95, "abstained": False, "labels": {"cards": 0.95}}
        assert found[4] == {"label": None, "score": 0.55, "abstained": True, "labels": {"cards": 0.55}}
        assert list(found[0]) == ["label", "score", "abstained", "labels"]
        assert "abstained" not in TASK.predictions(self.ANSWERS, targets())[0]

    def test_what_is_kept_and_judged(self):
        found = self.tuned(coverage=0.6)
        outcomes = TASK.outcomes(examples(self.GOLD), self.ANSWERS, found)
        assert outcomes.column("abstained").to_pylist() == [False, False, False, True, True]
        assert outcomes.column("prediction").to_pylist() == ["cards"] * 5
        # What was tuned is in the outcomes: the study's own targets know nothing of it.
        scores, rows = TASK.score(outcomes, targets()), TASK.judged(outcomes, targets())
        assert scores["coverage"] == 0.6
        assert scores["selective_accuracy"] == pytest.approx(2 / 3)
        assert scores["accuracy"] == pytest.approx(3 / 5)
        for name in ("coverage", "selective_accuracy", "aurc"):
            assert bound_of(name, rows, 0.95).value == pytest.approx(scores[name])

    def test_a_model_that_answers_always_has_no_coverage(self):
        scores = TASK.score(TASK.outcomes(examples(self.GOLD), self.ANSWERS, targets()), targets())
        assert not {"coverage", "selective_accuracy"} & set(scores)
        assert scores["aurc"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 4 + 2 / 5) / 5)


class TestOutOfScope:
    ANSWERS = np.array([[0.9, 0.05, 0.05], [0.5, 0.3, 0.2], [0.3, 0.1, 0.6], [0.45, 0.35, 0.2]])
    GOLD = ("cards", "cards", "oos", "oos")

    def tuned(self, coverage=0.5):
        return TASK.tune(self.ANSWERS, examples(self.GOLD), targets(out_of_scope="oos", abstain={"coverage": coverage}))

    def test_abstaining_is_saying_none_of_these(self):
        found = self.tuned()
        outcomes = TASK.outcomes(examples(self.GOLD), self.ANSWERS, found)
        assert outcomes.column("prediction").to_pylist() == ["cards", "cards", "oos", "oos"]
        scores = TASK.score(outcomes, found)
        assert (scores["out_of_scope_recall"], scores["in_scope_accuracy"], scores["coverage"]) == (1.0, 1.0, 0.5)
        assert scores["selective_accuracy"] == 1.0
        told = TASK.predictions(self.ANSWERS, found)
        assert told[2] == {"label": "oos", "score": 0.6, "abstained": True}
        assert told[3] == {"label": "oos", "score": 0.45, "abstained": True}

    def test_a_row_called_out_of_scope_is_never_answered(self):
        found = self.tuned(coverage=1.0)
        outcomes = TASK.outcomes(examples(self.GOLD), self.ANSWERS, found)
        assert outcomes.column("abstained").to_pylist() == [False, False, True, False]
        # Answered: right, right, and one out-of-scope row that is wrong whatever it is given.
        assert TASK.score(outcomes, found)["selective_accuracy"] == pytest.approx(2 / 3)


class TestSeveralLabels:
    def test_confidence_is_that_all_are_right(self):
        answers = np.array([[0.9, 0.1], [0.6, 0.5], [0.8, 0.3]])
        gold = examples([["x"], ["x"], ["x"]])
        given = targets("multi_label", ("x", "y"), thresholds=0.5, abstain={"coverage": 0.6})
        found = TASK.tune(answers, gold, given)
        # 0.9·0.9, 0.6·0.5 and 0.8·0.7: the two surest are answered.
        assert found.tuned["abstain"]["threshold"] == pytest.approx((0.56 + 0.3) / 2)
        assert [row["label"] for row in TASK.predictions(answers, found)] == [["x"], None, ["x"]]
        assert TASK.score(TASK.outcomes(gold, answers, found), found)["selective_accuracy"] == 1.0


class TestTables:
    def test_the_curve(self):
        assert isinstance(TASK, Reports)
        answers = sure(np.linspace(0.5, 0.95, 20))
        gold = ["loans"] * 5 + ["cards"] * 15  # the least sure ones are wrong
        (table,) = TASK.tables(TASK.outcomes(examples(gold), answers, targets()), targets())
        assert table.columns == ("coverage", "rows answered", "wrong", "share wrong", "least confidence")
        assert [line[:4] for line in table.rows][7:] == [(0.8, 16, 1, 0.0625), (0.9, 18, 3, 0.1667), (1.0, 20, 5, 0.25)]
        assert "options.abstain" in table.note

    def test_it_tells_what_is_answered(self):
        given = targets(out_of_scope="oos", abstain={"coverage": 0.5})
        answers = sure([0.9, 0.8, 0.7, 0.6])
        tuned = TASK.tune(answers, examples(["cards"] * 4), given)
        outcomes = TASK.outcomes(examples(["cards"] * 4), answers, tuned)
        (table,) = TASK.tables(outcomes, targets(out_of_scope="oos"))
        assert "answers 50.0% of these rows" in table.note
        assert "'oos' is no answer" in table.note
        assert TASK.tables(outcomes.slice(0, 0), given) == []

"""Ordinal classification: the order of labels, the loss, which step is said, scores."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from torch.nn import functional

from provetune.core.errors import DataError
from provetune.core.protocols import Calibratable, Targets
from provetune.data.reading import read_table
from provetune.tasks import TASKS
from provetune.tasks.ordinal.order import decide_steps, order_labels, ordered_loss

TASK = TASKS.get("ordinal")
STEPS = Targets("ordinal", ("bad", "fair", "good"), (3, 3, 3), options={"order": None, "decide": "median"})
SHARES = st.lists(st.floats(0.01, 1), min_size=2, max_size=7)


def examples(labels) -> pa.Table:
    count = len(labels)
    columns = {"row_id": [f"r{k}" for k in range(count)], "text": ["a"] * count}
    return pa.table({**columns, "label": pa.array(labels, pa.string())})


class TestDetection:
    @pytest.mark.parametrize(
        ("name", "steps", "fit"), [("stars", 5, 0.65), ("评分", 4, 0.65), ("label", 4, 0.4), ("stars", 2, 0.1)]
    )
    def test_a_scale_is_told_by_its_name_and_its_steps(self, tmp_path, name, steps, fit):
        rows = [{"text": f"some words about number {k}", name: k % steps} for k in range(60)]
        path = tmp_path / "rows.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        found = TASK.detect(read_table(str(path)), {})
        assert found.columns == {"text": "text", "label": name}
        assert found.fit == fit


def test_a_label_out_of_order_is_told_with_its_row():
    import pyarrow as pa

    rows = {"text": ["a", "b", "c"], "label": ["1", "2", "six"], "_file": ["rows.csv"] * 3, "_row": [2, 3, 4]}
    with pytest.raises(DataError, match=r"rows\.csv, row 4: The order .* 'six' is no number"):
        TASKS.get("ordinal").targets(pa.table(rows))
    with pytest.raises(DataError, match=r"rows\.csv, row 2: The label '1' is not in options\.order"):
        TASKS.get("ordinal").targets(pa.table(rows), options={"order": ["2", "six"]})


class TestOrder:
    def test_numbers_order_themselves(self):
        assert order_labels({"10", "2", "-1", "2.5"}, None) == ("-1", "2", "2.5", "10")

    def test_names_need_an_order(self):
        assert order_labels({"good", "bad"}, ["bad", "fair", "good"]) == ("bad", "fair", "good")
        with pytest.raises(DataError, match="order of the labels is not known: 'bad' is no number"):
            order_labels({"good", "bad"}, None)
        with pytest.raises(DataError, match=r"'gut' is not in options\.order"):
            order_labels({"gut", "bad"}, ["bad", "good"])

    def test_targets_follow_it(self):
        options = {"order": ["bad", "fair", "good"]}
        found = TASK.targets(examples(["good", "bad", "good", None]), options=options)
        assert (found.kind, found.names, found.counts) == ("ordinal", ("bad", "fair", "good"), (1, 0, 2))
        assert TASK.targets(examples(["3", "1", "2"])).names == ("1", "2", "3")
        with pytest.raises(DataError, match="several labels"):
            TASK.targets(pa.table({"label": pa.array([["1"]], pa.list_(pa.string()))}))

    def test_numbers_in_the_order_are_labels(self):
        assert TASK.options(order=[1, 2.5, "x"]).order == ["1", "2.5", "x"]
        with pytest.raises(ValueError, match="each label once"):
            TASK.options(order=["a", "a"])


class TestLoss:
    def test_two_labels_by_hand(self):
        logits, labels = torch.tensor([[2.0, 0.0], [0.5, 1.0]]), torch.tensor([0, 1])
        twice = 2 * float(functional.cross_entropy(logits, labels))  # both parts are cross-entropy there
        assert float(ordered_loss(logits, labels, None)) == pytest.approx(twice)

    def test_three_labels_by_hand(self):
        shares = np.array([0.5, 0.3, 0.2])
        found = ordered_loss(torch.tensor(np.log(shares)[None]), torch.tensor([2]), None)
        # Above step 0: 0.5; above step 1: 0.2; and the label itself: 0.2.
        wanted = -(np.log(0.5) + np.log(0.2)) / 2 - np.log(0.2)
        assert float(found) == pytest.approx(wanted, rel=1e-5)

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.floats(-30, 30), min_size=3, max_size=6), st.integers(0, 5))
    def test_it_equals_sums_of_probabilities(self, logits, label):
        label = min(label, len(logits) - 1)
        shares = np.exp(np.array(logits) - max(logits))
        shares /= shares.sum()
        steps = [shares[k + 1 :].sum() if label > k else shares[: k + 1].sum() for k in range(len(logits) - 1)]
        wanted = -np.mean(np.log(steps)) - np.log(shares[label])
        found = float(ordered_loss(torch.tensor([logits]), torch.tensor([label]), None))
        assert found == pytest.approx(wanted, rel=1e-3, abs=1e-4)

    def test_weights_and_rows_without_a_label(self):
        logits, weights = (
            torch.randn(3, 4, generator=torch.Generator().manual_seed(0)),
            torch.tensor([1.0, 2.0, 3.0, 4.0]),
        )
        each = [float(ordered_loss(logits[k : k + 1], torch.tensor([k]), None)) for k in range(3)]
        found = ordered_loss(logits, torch.tensor([0, 1, -100]), weights)
        assert float(found) == pytest.approx((each[0] + 2 * each[1]) / 3, rel=1e-5)


class TestDecision:
    @settings(max_examples=100, deadline=None)
    @given(SHARES)
    def test_the_median_has_the_least_mean_distance(self, shares):
        values = np.array([shares]) / np.sum(shares)
        steps = np.arange(len(shares))
        distances = [(values[0] * np.abs(steps - step)).sum() for step in steps]
        assert distances[decide_steps(values, "median")[0]] == pytest.approx(min(distances))

    @settings(max_examples=100, deadline=None)
    @given(SHARES)
    def test_the_mean_has_the_least_mean_square(self, shares):
        values = np.array([shares]) / np.sum(shares)
        steps = np.arange(len(shares))
        squares = [(values[0] * (steps - step) ** 2).sum() for step in steps]
        assert squares[decide_steps(values, "mean")[0]] == pytest.approx(min(squares), abs=1e-9)

    def test_the_ways_differ(self):
        values = np.array([[0.4, 0.05, 0.2, 0.35]])
        assert [decide_steps(values, how)[0] for how in ("median", "mean", "most_likely")] == [2, 2, 0]


class TestScores:
    def test_scores_of_steps(self):
        answers = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7], [0.6, 0.2, 0.2]])
        outcomes = TASK.outcomes(examples(["bad", "good", "good", "good"]), answers, STEPS)
        assert outcomes.column("prediction").to_pylist() == ["bad", "fair", "good", "bad"]
        scores = TASK.score(outcomes, STEPS)
        assert scores["mae"] == pytest.approx((0 + 1 + 0 + 2) / 4)
        assert scores["within_one"] == 0.75
        assert scores["accuracy"] == 0.5
        wanted = cohen_kappa_score([0, 2, 2, 2], [0, 1, 2, 0], weights="quadratic", labels=[0, 1, 2])
        assert scores["quadratic_kappa"] == pytest.approx(wanted)
        assert next(iter(TASK.metrics)).name == "quadratic_kappa"
        assert set(scores) <= {metric.name for metric in TASK.metrics}

    def test_head_is_that_of_classification(self):
        assert TASK.head(STEPS)["problem_type"] == "single_label_classification"
        assert TASK.head(STEPS)["id2label"] == {0: "bad", 1: "fair", 2: "good"}
        assert isinstance(TASK, Calibratable)

    def test_scales_of_two_and_of_many_steps_are_noted(self):
        assert [one.kind for one in TASK.check({"train": examples(["1", "2"] * 5)})] == ["two_steps"]
        assert [one.kind for one in TASK.check({"train": examples([str(k) for k in range(30)])})] == ["many_steps"]
        assert TASK.check({"train": examples(["1", "2", "3"])}) == []

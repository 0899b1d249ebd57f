"""Regression: reading, targets, loss, answers, scores, faults, detection and plain transformers."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from word_tokenizer import make_tokenizer

from provetune.core.errors import DataError
from provetune.core.protocols import EncodeSettings, FinishesModel, GivesLabelArrays, PreparesModel, Targets
from provetune.data.examples import to_examples
from provetune.data.reading import read_table
from provetune.problem.syntax import Columns, Data
from provetune.tasks import TASKS

TASK = TASKS.get("regression")
ONE = Targets("regression", ("value",), (4,), options={"loss": "squared"}, tuned={"mean": [10.0], "scale": [2.0]})
TWO = Targets("regression", ("x", "y"), (4, 4), tuned={"mean": [0.0, 1.0], "scale": [1.0, 0.5]})
PAIR = pa.struct({"x": pa.float64(), "y": pa.float64()})


def examples(labels, kind=None) -> pa.Table:
    kind = kind or pa.float64()
    count = len(labels)
    columns = {"row_id": [f"r{k}" for k in range(count)], "text": ["a b"] * count, "label": pa.array(labels, kind)}
    return pa.table({**columns, "_file": ["n.csv"] * count, "_row": list(range(2, count + 2))})


def rows_of(tmp_path, rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return read_table(str(path))


class TestReading:
    def test_numbers_bad_rows_and_strata(self, tmp_path):
        raw = rows_of(
            tmp_path,
            [{"headline": f"text {k}", "score": k / 10} for k in range(60)] + [{"headline": "x", "score": "?"}],
        )
        columns = Columns(text="headline", label="score")
        table = to_examples(raw, Data(columns=columns), columns, TASK)
        assert table["label"].to_pylist() == [k / 10 for k in range(60)] + [None]
        assert [why for why in table["_bad"].to_pylist() if why] == [table["_bad"][60].as_py()]
        assert "'?' is no number" in table["_bad"][60].as_py()
        assert len(set(table["stratum"].to_pylist()[:60])) == 3

    def test_no_text_column_is_said(self, tmp_path):
        raw = rows_of(tmp_path, [{"score": 1.5}])
        with pytest.raises(DataError, match="No text column"):
            TASK.read(raw, Data(), Columns(label="score"))


class TestDetection:
    def detect(self, tmp_path, rows, **named):
        return TASK.detect(rows_of(tmp_path, rows), named)

    def test_decimals_beside_an_identifier(self, tmp_path):
        rows = [{"id": str(k), "headline": f"profits of firm {k} fall", "score": f"{np.sin(k):.3f}"} for k in range(60)]
        found = self.detect(tmp_path, rows)
        assert found.columns == {"label": "score", "text": "headline"}
        assert found.fit > 0.7
        assert found.samples[0] == {"score": "0.000", "headline": "profits of firm 0 fall"}

    def test_kinds_are_none_of_its_business(self, tmp_path):
        words = [{"text": f"some words about {k}", "label": "good" if k % 2 else "bad"} for k in range(60)]
        assert self.detect(tmp_path, words).fit == 0.0
        stars = [{"text": f"some words about {k}", "stars": k % 5} for k in range(60)]
        assert self.detect(tmp_path, stars).fit == pytest.approx(0.2)

    def test_a_named_column_is_taken(self, tmp_path):
        rows = [{"text": f"some words about {k}", "score": k / 7, "other": k / 3} for k in range(60)]
        found = self.detect(tmp_path, rows, label="other")
        assert found.columns == {"text": "text"}
        assert found.fit > 0.7

    def test_whole_numbers_that_count_rows_are_none(self, tmp_path):
        rows = [{"text": f"some words about {k}", "n": k} for k in range(60)]
        assert "label" not in self.detect(tmp_path, rows).columns

    def test_a_pair_may_be_another_tasks(self, tmp_path):
        rows = [{"sentence_A": f"a man runs {k}", "sentence_B": f"nobody runs {k}", "score": k / 7} for k in range(60)]
        found = self.detect(tmp_path, rows)
        assert found.columns["text"] == ["sentence_A", "sentence_B"]
        assert found.fit < 0.6


class TestTargets:
    def test_mean_and_spread_of_the_labelled_rows(self):
        found = TASK.targets(examples([1.0, 3.0, None, 8.0]), options={"loss": "huber"})
        assert (found.kind, found.names, found.counts) == ("regression", ("value",), (3,))
        assert found.tuned == {"mean": [4.0], "scale": [pytest.approx(np.std([1, 3, 8]))]}
        assert found.options == {"loss": "huber"}

    def test_several_numbers_have_the_names_of_their_columns(self):
        found = TASK.targets(examples([{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 6.0}], PAIR))
        assert found.names == ("x", "y")
        assert found.tuned["mean"] == [2.0, 4.0]

    @pytest.mark.parametrize(("labels", "said"), [([None, None], "no labelled rows"), ([2.0, 2.0], "one value, 2")])
    def test_nothing_to_learn_is_said(self, labels, said):
        with pytest.raises(DataError, match=said):
            TASK.targets(examples(labels))


class TestLearning:
    def test_labels_are_numbers_and_unknown_ones_are_ignored(self):
        table = TASK.encode(examples([1.5, None]), make_tokenizer(), EncodeSettings(8), ONE)
        values = table.column("labels").to_pylist()
        assert values[0] == [1.5]
        assert np.isnan(values[1][0])
        batch = TASK.collate([{"input_ids": [1], "labels": np.array(value)} for value in values], 0)
        assert batch["labels"].shape == (2, 1)
        loss = TASK.loss(torch.tensor([[3.5], [7.0]]), batch["labels"], ONE, None)
        assert float(loss) == pytest.approx((2 / 2) ** 2)

    def test_loss_is_in_units_of_the_spread(self):
        found = TASK.loss(torch.tensor([[2.0, 2.0]]), torch.tensor([[0.0, 1.0]]), TWO, None)
        assert float(found) == pytest.approx((2.0**2 + (1 / 0.5) ** 2) / 2)

    def test_huber_counts_far_ones_less(self):
        huber = Targets("regression", ("value",), (4,), options={"loss": "huber"}, tuned=ONE.tuned)
        found = TASK.loss(torch.tensor([[16.0], [11.0]]), torch.tensor([[10.0], [10.0]]), huber, None)
        assert float(found) == pytest.approx(((3 - 0.5) + 0.5 * 0.5**2) / 2)

    def test_label_arrays(self):
        assert isinstance(TASK, GivesLabelArrays)
        np.testing.assert_array_equal(TASK.label_array(examples([1.5, None]), ONE), [[1.5], [np.nan]])
        labels = TASK.label_array(examples([{"x": 1.0, "y": 2.0}], PAIR), TWO)
        np.testing.assert_array_equal(labels, [[1.0, 2.0]])


class TestAnswers:
    def test_windows_are_averaged(self):
        class Features:
            rows = np.array([0, 0, 1])

        found = TASK.answers(np.array([[1.0], [3.0], [5.0]]), Features(), examples([0.0, 0.0]), ONE)
        np.testing.assert_allclose(found, [[2.0], [5.0]])

    def test_outcomes_scores_and_judgement_agree(self):
        gold, said = [1.0, 2.0, None, 4.0], np.array([[1.5], [2.0], [9.0], [3.0]])
        outcomes = TASK.outcomes(examples(gold), said, ONE)
        assert outcomes.column("prediction").to_pylist() == [1.5, 2.0, 9.0, 3.0]
        scores = TASK.score(outcomes, ONE)
        assert scores["mae"] == pytest.approx((0.5 + 0 + 1) / 3)
        assert scores["rmse"] == pytest.approx(np.sqrt((0.25 + 0 + 1) / 3))
        rows = TASK.judged(outcomes, ONE, groups=["a", "a", "b", "c"])
        assert len(rows) == 3
        assert rows.groups.tolist() == [0, 0, 1]
        assert rows.metric("mae").value() == pytest.approx(scores["mae"])

    def test_several_numbers(self):
        table = examples([{"x": 1.0, "y": 2.0}, {"x": 2.0, "y": 0.0}], PAIR)
        outcomes = TASK.outcomes(table, np.array([[1.0, 1.0], [3.0, 0.0]]), TWO)
        assert outcomes.column("prediction").to_pylist() == [{"x": 1.0, "y": 1.0}, {"x": 3.0, "y": 0.0}]
        assert TASK.score(outcomes, TWO)["mae"] == pytest.approx(0.5)
        assert TASK.judged(outcomes, TWO).metric("mae", "x").value() == pytest.approx(0.5)
        assert [table.name for table in TASK.tables(outcomes, TWO)] == ["values", "value_ranges:x", "value_ranges:y"]

    def test_what_a_person_is_told(self):
        assert TASK.predictions(np.array([[1.5]]), ONE) == [{"value": 1.5}]
        assert TASK.predictions(np.array([[1.5, 2.0]]), TWO, proba=True) == [{"value": {"x": 1.5, "y": 2.0}}]
        assert TASK.show(0.123456) == "0.1235"
        assert TASK.show({"x": 1.0, "y": -2.5}) == "x 1, y -2.5"
        assert TASK.show(None) == ""

    def test_a_guess_is_the_mean(self):
        np.testing.assert_array_equal(TASK.guess(examples([1.0, 2.0]), ONE), [[10.0], [10.0]])
        assert TASK.fit_temperature(np.zeros((2, 1)), None, examples([1.0, 2.0]), ONE) == 1.0

    def test_the_table_by_what_is_true(self):
        gold = np.arange(10.0)
        outcomes = TASK.outcomes(examples(gold.tolist()), np.full((10, 1), 4.5), ONE)
        (table,) = TASK.tables(outcomes, ONE)
        assert [line[0] for line in table.rows] == ["0 to 1", "2 to 3", "4 to 5", "6 to 7", "8 to 9"]
        assert [line[4] for line in table.rows] == [4.0, 2.0, 0.0, -2.0, -4.0]
        assert TASK.tables(outcomes.slice(0, 0), ONE) == []


class TestFaults:
    def kinds(self, train, **others):
        found = TASK.check({"train": examples(train), **{name: examples(rows) for name, rows in others.items()}})
        return {finding.kind: finding for finding in found}

    def test_steps_of_a_scale(self):
        found = self.kinds([1.0, 2.0, 3.0] * 10)["few_values"]
        assert (found.severity, found.count) == ("note", 30)
        assert "1, 2, 3" in found.message
        assert "few_values" not in self.kinds([0.5, 1.0] * 10)

    def test_a_wild_value_has_its_place(self):
        found = self.kinds([*np.linspace(0, 1, 50).tolist(), 1e6])["far_values"]
        assert (found.severity, found.count, found.rows) == ("warning", 1, ({"file": "n.csv", "row": 52},))

    def test_numbers_that_training_lacks(self):
        found = self.kinds(np.linspace(0, 1, 50).tolist(), test=[0.5, 1.5])["values_outside_training"]
        assert (found.count, found.rows) == (1, ({"file": "n.csv", "row": 3},))

    def test_ordinary_numbers_are_fine(self):
        values = np.random.default_rng(0).normal(size=100).tolist()
        assert self.kinds(values, test=values[:5]) == {}


def test_plain_transformers_says_the_same_number(tmp_path):
    """A model that learned in units of the spread, kept as a bundle would be, in the plain pipeline."""
    import transformers
    from word_tokenizer import VOCABULARY, wrapped_tokenizer

    assert isinstance(TASK, PreparesModel)
    assert isinstance(TASK, FinishesModel)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.BertConfig(vocab_size=len(VOCABULARY), **sizes, **TASK.head(ONE))
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    model = TASK.prepare_model(model, wrapped_tokenizer(), ONE)
    with torch.inference_mode():
        wanted = float(model(**wrapped_tokenizer()("a b c", return_tensors="pt")).logits[0, 0])
    assert 4 < wanted < 16  # around the mean of 10
    TASK.finish_model(model, ONE).save_pretrained(tmp_path)
    wrapped_tokenizer().save_pretrained(tmp_path)
    found = transformers.pipeline("text-classification", model=str(tmp_path))("a b c")[0]
    assert found == {"label": "value", "score": pytest.approx(wanted, rel=1e-5)}

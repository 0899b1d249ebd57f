"""Classification: targets, encoding, batches, loss, outcomes and what a person is told."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from word_tokenizer import make_tokenizer, wrapped_tokenizer

from provetune.core.errors import DataError, UsageError
from provetune.core.protocols import Calibratable, EncodeSettings, Targets
from provetune.tasks import TASKS

TASK = TASKS.get("classification")
SINGLE = Targets("single_label", ("bad", "good"), (3, 5))
MULTI = Targets("multi_label", ("x", "y", "z"), (1, 1, 1))
LISTS = pa.list_(pa.string())
DEFAULTS = {"thresholds": "auto", "abstain": None}


@pytest.fixture
def tokenizer():
    return make_tokenizer()


def examples(texts, labels=None, pairs=None, **more) -> pa.Table:
    columns = {"row_id": [f"r{k}" for k in range(len(texts))], "text": pa.array(texts, pa.string())}
    if pairs is not None:
        columns["text_pair"] = pa.array(pairs, pa.string())
    if labels is not None:
        several = any(isinstance(label, list) for label in labels)
        columns["label"] = pa.array(labels, LISTS if several else pa.string())
    return pa.table({**columns, **more})


def ids(table: pa.Table) -> list[list[int]]:
    return table.column("input_ids").to_pylist()


class TestTargets:
    def test_names_are_sorted_and_counted(self):
        found = TASK.targets(examples(["a"] * 4, ["b", "a", "b", None]))
        assert found == Targets("single_label", ("a", "b"), (1, 2), options=DEFAULTS)

    def test_lists_of_labels_make_several(self):
        found = TASK.targets(examples(["a"] * 3, [["z", "x"], [], ["x"]]))
        assert found == Targets("multi_label", ("x", "z"), (2, 1), options=DEFAULTS)

    def test_out_of_scope_is_kept(self):
        assert TASK.targets(examples(["a"] * 2, ["b", "oos"]), out_of_scope="oos").out_of_scope == "oos"

    @pytest.mark.parametrize(
        ("labels", "scope", "said"),
        [
            (["a", "a"], None, "All rows have one label, 'a'"),
            ([None, None], None, "no labelled rows"),
            (["a", "oos"], "ooos", "Did you mean 'oos'"),
        ],
    )
    def test_nothing_to_learn_is_said(self, labels, scope, said):
        with pytest.raises(DataError, match=said):
            TASK.targets(examples(["t"] * 2, labels), out_of_scope=scope)


class TestCheck:
    def kinds(self, labels):
        return {
            finding.kind: finding.severity for finding in TASK.check({"train": examples(["t"] * len(labels), labels)})
        }

    def test_ordinary_labels_are_fine(self):
        assert self.kinds(["a", "b"] * 10) == {}
        assert self.kinds([["a", "b"], ["a"], []]) == {}

    def test_identifiers_and_numbers(self):
        assert self.kinds([f"id{k}" for k in range(30)]) == {"labels_like_identifiers": "blocking"}
        assert self.kinds([str(k / 2) for k in range(25)] * 4) == {"labels_like_numbers": "warning"}

    def test_several_labels_that_are_none(self):
        assert self.kinds([["a"], ["b"], []]) == {"never_several_labels": "warning"}
        assert self.kinds([["a", "b"], ["a"], ["a", "c"]]) == {"label_on_every_row": "warning"}


class TestEncode:
    def encode(self, texts, tokenizer, pairs=None, **settings):
        return TASK.encode(examples(texts, pairs=pairs), tokenizer, EncodeSettings(**settings), None)

    def test_short_texts_go_in_whole(self, tokenizer):
        table = self.encode(["a b", "", "zebra"], tokenizer, max_length=8)
        a, b = tokenizer.token_to_id("a"), tokenizer.token_to_id("b")
        assert ids(table) == [[2, a, b, 3], [2, 3], [2, 1, 3]]
        assert table.column("row").to_pylist() == [0, 1, 2]
        assert table.column("cut").to_pylist() == [0, 0, 0]
        assert table.schema.field("input_ids").type == pa.list_(pa.int32())
        assert "token_type_ids" not in table.column_names

    def test_head_and_head_tail(self, tokenizer):
        number = [tokenizer.token_to_id(word) for word in "abcdefg"]
        head = self.encode(["a b c d e f g"], tokenizer, max_length=6)
        assert ids(head) == [[2, *number[:4], 3]]
        assert head.column("cut").to_pylist() == [3]
        both = self.encode(["a b c d e f g"], tokenizer, max_length=6, long_texts="head_tail")
        assert ids(both) == [[2, number[0], *number[-3:], 3]]

    def test_windows_cover_everything_and_overlap_by_the_stride(self, tokenizer):
        number = [tokenizer.token_to_id(word) for word in "abcdefg"]
        table = self.encode(["a b", "a b c d e f g"], tokenizer, max_length=6, long_texts="windows", stride=2)
        assert table.column("row").to_pylist() == [0, 1, 1, 1]
        assert ids(table)[1:] == [[2, *number[0:4], 3], [2, *number[2:6], 3], [2, *number[4:7], 3]]
        assert table.column("cut").to_pylist() == [0, 3, 3, 4]

    def test_pairs_have_types_where_the_model_tells_them_apart(self, tokenizer):
        table = self.encode(["a b"], tokenizer, pairs=["c"], max_length=8)
        a, b, c = (tokenizer.token_to_id(word) for word in "abc")
        assert ids(table) == [[2, a, b, 3, c, 3]]
        assert table.column("token_type_ids").to_pylist() == [[0, 0, 0, 0, 1, 1]]
        assert (
            "token_type_ids"
            not in self.encode(["a"], make_tokenizer(types=False), pairs=["b"], max_length=8).column_names
        )

    def test_windows_of_pairs_keep_the_first_text(self, tokenizer):
        number = [tokenizer.token_to_id(word) for word in "abcdefg"]
        table = self.encode(["a b"], tokenizer, pairs=["c d e f g"], max_length=8, long_texts="windows", stride=1)
        assert ids(table) == [
            [2, *number[:2], 3, *number[2:5], 3],
            [2, *number[:2], 3, *number[4:7], 3],
        ]

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 14), st.integers(0, 14), st.integers(6, 12))
    def test_heads_equal_transformers_truncation(self, first, second, length):
        texts, pairs = [" ".join(["a", "b", "c"] * 5)[: 2 * first]], [" ".join(["d", "e", "f"] * 5)[: 2 * second]]
        wanted = wrapped_tokenizer()(texts, pairs, truncation=True, max_length=length)
        assert ids(self.encode(texts, make_tokenizer(), pairs=pairs, max_length=length)) == wanted["input_ids"]
        alone = wrapped_tokenizer()(texts, truncation=True, max_length=length)
        assert ids(self.encode(texts, make_tokenizer(), max_length=length)) == alone["input_ids"]

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 60), st.integers(4, 20), st.integers(0, 30))
    def test_windows_lose_no_token(self, words, length, stride):
        text = " ".join("abcdefg"[k % 7] for k in range(words))
        options = {"max_length": length, "long_texts": "windows", "stride": stride}
        table = self.encode([text], make_tokenizer(), **options)
        whole = make_tokenizer().encode(text, add_special_tokens=False).ids
        kept = [part[1:-1] for part in ids(table)]
        assert all(len(part) <= length - 2 for part in kept)
        step = max(1, length - 2 - stride)
        rebuilt = kept[0] + [token for k, part in enumerate(kept[1:], 1) for token in part[len(kept[0]) - step :]]
        assert rebuilt == whole

    def test_labels_are_numbers_and_unknown_ones_are_ignored(self, tokenizer):
        table = TASK.encode(examples(["a", "b", "c"], ["good", "odd", None]), tokenizer, EncodeSettings(8), SINGLE)
        assert table.column("labels").to_pylist() == [1, -100, -100]

    def test_windows_repeat_their_rows_label(self, tokenizer):
        settings = EncodeSettings(4, "windows", 0)
        table = TASK.encode(examples(["a", "a b c"], ["bad", "good"]), tokenizer, settings, SINGLE)
        assert table.column("labels").to_pylist() == [0, 1, 1]

    def test_several_labels_are_indicators(self, tokenizer):
        table = TASK.encode(examples(["a", "b"], [["z", "x"], []]), tokenizer, EncodeSettings(8), MULTI)
        assert table.column("labels").to_pylist() == [[1, 0, 1], [0, 0, 0]]

    def test_a_missing_text_names_its_row(self, tokenizer):
        table = examples(["a", None], _file=["m.csv"] * 2, _row=[2, 17])
        with pytest.raises(DataError, match=r"m\.csv, row 17: There is no text"):
            TASK.encode(table, tokenizer, EncodeSettings(8), None)

    def test_no_room_for_text_is_refused(self, tokenizer):
        with pytest.raises(UsageError, match="leaves no room"):
            self.encode(["a"], tokenizer, max_length=2)

    def test_many_rows_come_in_chunks(self, tokenizer):
        table = self.encode(["a b"] * 3000, tokenizer, max_length=8)
        assert len(table) == 3000
        assert table.column("row").num_chunks == 3
        assert table.column("row").to_pylist() == list(range(3000))


class TestCollate:
    def test_pads_to_a_multiple_of_eight(self):
        features = [{"input_ids": [2, 5, 3], "labels": 1}, {"input_ids": list(range(9)), "labels": 0}]
        batch = TASK.collate(features, pad_id=7)
        assert batch["input_ids"].shape == (2, 16)
        assert batch["input_ids"][0].tolist() == [2, 5, 3] + [7] * 13
        assert batch["attention_mask"].sum(1).tolist() == [3, 9]
        assert batch["labels"].tolist() == [1, 0]
        assert batch["labels"].dtype is torch.int64

    def test_indicators_are_floats(self):
        batch = TASK.collate([{"input_ids": [1], "labels": np.array([1, 0, 1], dtype=np.float32)}], 0)
        assert batch["labels"].dtype is torch.float32
        assert "token_type_ids" not in batch


class Windows:
    """Features as far as answers look at them: the row of each."""

    def __init__(self, *rows):
        self.rows = np.asarray(rows)


def rows(count):
    return examples(["t"] * count, ["good"] * count)


class TestLoss:
    def test_single_by_hand(self):
        logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
        wanted = (np.log(1 + np.exp(-2)) + np.log(1 + np.exp(1))) / 2
        assert float(TASK.loss(logits, labels, SINGLE, None)) == pytest.approx(wanted, rel=1e-6)
        weighted = TASK.loss(logits, torch.tensor([0, 1]), SINGLE, torch.tensor([1.0, 3.0]))
        by_hand = (np.log(1 + np.exp(-2)) + 3 * np.log(1 + np.exp(-1))) / 4
        assert float(weighted) == pytest.approx(by_hand, rel=1e-6)

    def test_several_by_hand(self):
        found = TASK.loss(torch.tensor([[1.0, -1.0, 0.0]]), torch.tensor([[1.0, 0.0, 1.0]]), MULTI, None)
        assert float(found) == pytest.approx((2 * np.log(1 + np.exp(-1)) + np.log(2)) / 3, rel=1e-6)


class TestProbabilities:
    def test_windows_are_averaged(self):
        logits = np.log(np.array([[0.8, 0.2], [0.4, 0.6], [0.1, 0.9]]))
        found = TASK.answers(logits, Windows(0, 0, 1), rows(2), SINGLE)
        np.testing.assert_allclose(found, [[0.6, 0.4], [0.1, 0.9]])

    def test_several_are_sigmoids(self):
        np.testing.assert_allclose(TASK.answers(np.zeros((1, 3)), None, rows(1), MULTI), 0.5)

    def test_a_row_without_features_is_an_error(self):
        with pytest.raises(ValueError, match="must have a feature"):
            TASK.answers(np.zeros((1, 2)), Windows(0), rows(2), SINGLE)


class TestOutcomes:
    def test_outcomes_and_scores(self):
        table = examples(["t"] * 3, ["good", "bad", "good"])
        outcomes = TASK.outcomes(table, np.array([[0.1, 0.9], [0.4, 0.6], [0.2, 0.8]]), SINGLE)
        assert outcomes.column("prediction").to_pylist() == ["good", "good", "good"]
        scores = TASK.score(outcomes, SINGLE)
        assert scores["accuracy"] == pytest.approx(2 / 3)
        assert scores["macro_f1"] == pytest.approx((0 + 0.8) / 2)
        assert scores["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.8]).mean(), rel=1e-6)

    def test_every_score_is_a_declared_metric(self):
        table = examples(["t"] * 3, ["good", "bad", "good"])
        scope = Targets("single_label", ("bad", "good"), (1, 2), "bad")
        scores = TASK.score(TASK.outcomes(table, np.full((3, 2), 0.5), scope), scope)
        declared = {metric.name for metric in TASK.metrics}
        assert set(scores) <= declared
        left = {name for name in declared - set(scores) if not name.startswith("latency")}
        assert left == {"precision", "recall", "f1", "auc", "coverage", "selective_accuracy"}

    def test_several_labels(self):
        table = examples(["t"] * 2, [["x"], ["y", "z"]])
        outcomes = TASK.outcomes(table, np.array([[0.9, 0.1, 0.2], [0.1, 0.5, 0.6]]), MULTI)
        assert outcomes.column("prediction").to_pylist() == [["x"], ["y", "z"]]
        assert TASK.score(outcomes, MULTI)["accuracy"] == 1.0

    def test_temperature_of_windows_is_fitted_on_averaged_probabilities(self):
        table = examples(["t"] * 4, ["bad", "bad", "bad", "good"])
        outcomes = TASK.outcomes(table, np.full((4, 2), 0.5), SINGLE)
        logits, rows = np.tile([2.0, 0.0], (8, 1)), np.repeat(np.arange(4), 2)
        assert TASK.fit_temperature(logits, Windows(*rows), outcomes, SINGLE) == pytest.approx(2 / np.log(3), rel=1e-4)
        assert isinstance(TASK, Calibratable)


class TestPredictions:
    def test_single(self):
        assert TASK.predictions(np.array([[0.25, 0.75]]), SINGLE) == [{"label": "good", "score": 0.75}]
        ranked = TASK.predictions(np.array([[0.25, 0.75]]), SINGLE, proba=True)[0]["labels"]
        assert list(ranked.items()) == [("good", 0.75), ("bad", 0.25)]
        assert TASK.predictions(np.array([[0.25, 0.75]]), SINGLE, top_k=1)[0]["labels"] == {"good": 0.75}

    def test_several(self):
        found = TASK.predictions(np.array([[0.9, 0.6, 0.1], [0.2, 0.3, 0.1]]), MULTI, top_k=2)
        assert found[0] == {"label": ["x", "y"], "score": 0.6, "labels": {"x": 0.9, "y": 0.6}}
        assert found[1] == {"label": [], "score": 0.7, "labels": {"y": 0.3, "x": 0.2}}


def test_labels_that_training_rows_lack_stand_among_the_others_without_rows() -> None:
    examples = pa.table({"row_id": ["1", "2", "3"], "text": ["x", "y", "z"], "label": ["b", "d", "b"]})
    found = TASK.targets(examples, options={"labels": ["a", "c", "b"]})
    assert found.names == ("a", "b", "c", "d")
    assert found.counts == (0, 2, 0, 1)
    assert found.options["labels"] == ["a", "c", "b"]
    assert "labels" not in TASK.targets(examples).options

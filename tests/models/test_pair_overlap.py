"""Measures of overlap by hand, and the method that is fitted on them against scikit-learn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from provetune.core.errors import CorruptError
from provetune.models.methods.pair_overlap import METHOD, OverlapSettings, measure, scaled
from provetune.models.pair_features import NAMES, PairFeatures, with_products
from provetune.tasks import TASKS

WORDS = ["red", "blue", "car", "bus", "runs", "stops", "here", "there", "slowly", "never"]


def measured(first: str, second: str, texts: list[str]) -> dict[str, float]:
    found = PairFeatures.of_texts(texts).transform([first], [second])
    return dict(zip(NAMES, found[0].tolist(), strict=True))


def test_measures_are_those_worked_out_by_hand() -> None:
    texts = ["a red car", "a blue car", "a car", "a"]
    found = measured("a red car", "a car is not 7", texts)
    weight = {"a": 1.0, "car": math.log(5 / 4) + 1, "red": math.log(5 / 2) + 1}
    new = math.log(5) + 1
    assert found["words_in_common"] == pytest.approx(2 / 6)
    assert found["share_of_first_in_second"] == pytest.approx(2 / 3)
    assert found["share_of_second_in_first"] == pytest.approx(2 / 5)
    shared = weight["a"] + weight["car"]
    assert found["weight_of_first_in_second"] == pytest.approx(shared / (shared + weight["red"]))
    assert found["weight_of_second_in_first"] == pytest.approx(shared / (shared + 3 * new))
    left = math.sqrt(sum(value**2 for value in weight.values()))
    right = math.sqrt(weight["a"] ** 2 + weight["car"] ** 2 + 3 * new**2)
    assert found["cosine"] == pytest.approx((weight["a"] ** 2 + weight["car"] ** 2) / (left * right))
    assert found["word_pairs"] == 0
    assert found["longer"] == pytest.approx(math.log(4 / 6))
    assert found["length_difference"] == pytest.approx(math.log(6 / 4))
    assert (found["negated_first_only"], found["negated_second_only"], found["both_negated"]) == (0, 1, 0)
    assert (found["numbers_differ"], found["equal"]) == (1, 0)
    assert found["rarest_of_first_only"] == pytest.approx(weight["red"] / new)
    assert found["rarest_of_second_only"] == pytest.approx(1.0)
    assert found["words_of_second_only"] == pytest.approx(math.log(4))
    first, second = {"ab", "bc"}, {"bc", "cd"}
    assert measured("abc", "bcd", texts)["letter_pairs"] == pytest.approx(2 * len(first & second) / 4)


def test_chinese_texts_are_compared_by_characters() -> None:
    found = measured("花呗怎么还款", "花呗不能还款", ["花呗怎么还款"])
    assert found["words_in_common"] > 0.3
    assert found["negated_second_only"] == 1


def test_products_are_all_of_them() -> None:
    found = with_products(np.array([[2.0, 3.0, 5.0]]))
    assert found.tolist() == [[2, 3, 5, 4, 6, 10, 9, 15, 25]]


def rows(count: int = 160, *, numbers: bool = False) -> pa.Table:
    """Pairs of four words; the label is how many they share."""
    draw = np.random.default_rng(4)
    firsts = [draw.choice(WORDS, 4, replace=False).tolist() for _ in range(count)]
    seconds = [draw.choice(WORDS, 4, replace=False).tolist() for _ in range(count)]
    shared = [len(set(one) & set(other)) for one, other in zip(firsts, seconds, strict=True)]
    labels = pa.array(np.array(shared) + 0.5) if numbers else pa.array(["many" if n > 1 else "few" for n in shared])
    return pa.table({"text": list(map(" ".join, firsts)), "text_pair": list(map(" ".join, seconds)), "label": labels})


def test_labels_are_fitted_as_scikit_learn_does() -> None:
    task, table = TASKS.get("pair"), rows()
    targets = task.targets(table)
    model = METHOD.fit(table, task, targets, OverlapSettings(C=0.5), validation=table.slice(0, 0))
    inputs = scaled(measure(model.features, table), model.mean, model.spread)
    theirs = LogisticRegression(C=0.5, max_iter=5000, tol=1e-8).fit(inputs, table["label"].to_pylist())
    outputs, features = model.outputs(table)
    answers = task.answers(outputs, features, table, targets)
    np.testing.assert_allclose(answers, theirs.predict_proba(inputs), atol=2e-3)
    said = np.array(targets.names)[np.asarray(answers).argmax(axis=1)]
    assert np.mean(said == np.array(table["label"].to_pylist())) > 0.95


def test_numbers_are_fitted_as_scikit_learn_does() -> None:
    task, table = TASKS.get("similarity"), rows(numbers=True)
    targets = task.targets(table)
    model = METHOD.fit(table, task, targets, OverlapSettings(C=0.5), validation=table.slice(0, 0))
    inputs = scaled(measure(model.features, table), model.mean, model.spread).astype(np.float64)
    gold = table["label"].to_numpy()
    theirs = Ridge(alpha=2.0).fit(inputs, (gold - gold.mean()) / gold.std())
    np.testing.assert_allclose(
        model.outputs(table)[0][:, 0], theirs.predict(inputs) * gold.std() + gold.mean(), atol=5e-3
    )


def test_it_answers_the_same_after_saving(tmp_path: Path) -> None:
    task, table = TASKS.get("pair"), rows()
    targets = task.targets(table)
    model = METHOD.fit(table, task, targets, OverlapSettings(), validation=table.slice(100))
    model.save(tmp_path)
    again = METHOD.load(tmp_path, task, targets)
    np.testing.assert_array_equal(again.outputs(table)[0], model.outputs(table)[0])
    assert again.facts["C"] in (0.001, 0.01, 0.1, 1.0, 10.0)
    (tmp_path / "pair_overlap.json").write_text('{"words": []}')
    with pytest.raises(CorruptError, match="overlap"):
        METHOD.load(tmp_path, task, targets)

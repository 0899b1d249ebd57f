"""Taggers without a backbone: what they learn, by hand and by scikit-learn, and that they come back from the disk."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from provetune.core.errors import CorruptError, DataError
from provetune.core.protocols import ExampleMethod
from provetune.models.methods import METHODS
from provetune.models.word_features import choose_terms, feature_matrix, word_features, word_shape
from provetune.models.word_tags import known_tags
from provetune.tasks import TASKS

TASK: Any = TASKS.get("tagging")
SPAN = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]))
NAMES = ("token_features", "most_frequent_tag")


def rows(*marked: str) -> pa.Table:
    """Texts in which ``[Ann]p`` marks a span with a label of one letter."""
    texts, labels = [], []
    for line in marked:
        text, spans = "", []
        plain_name_label = re.split(r"\[(.+?)\](\w)", line)
        for k in range(0, len(plain_name_label) - 1, 3):
            plain, name, label = plain_name_label[k : k + 3]
            text += plain + name
            spans.append({"start": len(text) - len(name), "end": len(text), "label": label})
        texts.append(text + plain_name_label[-1])
        labels.append(spans)
    return pa.table({"row_id": [str(k) for k in range(len(texts))], "text": texts, "label": pa.array(labels, SPAN)})


TRAIN = rows(
    "Mr. [Ann Lee]p met [Bo]p in [Rome]c",
    "Mrs. [Kim]p left [Rome]c",
    "Mr. [Paul]p is in [Bern]c",
    "they met in [Rome]c today",
    "Rome was not built in a day",
    "[Bo]p met Mr. [Cho]p in [Oslo]c",
)


def fitted(name: str, train: pa.Table = TRAIN, validation: pa.Table | None = None, **settings: Any) -> tuple[Any, Any]:
    method: Any = METHODS.get(name)
    targets = TASK.targets(train)
    made = method.fit(
        train,
        TASK,
        targets,
        method.settings(**settings),
        seed=0,
        validation=TRAIN.slice(0, 0) if validation is None else validation,
    )
    return made, targets


def answers(model: Any, targets: Any, table: pa.Table) -> list[list[str]]:
    outputs, features = model.outputs(table)
    told = TASK.predictions(TASK.answers(outputs, features, table, targets), targets)
    return [[f"{span['text']}/{span['label']}" for span in row["spans"]] for row in told]


def test_marked_texts_are_what_they_look_like() -> None:
    assert TRAIN["text"].to_pylist()[0] == "Mr. Ann Lee met Bo in Rome"
    assert TRAIN["label"].to_pylist()[0][0] == {"start": 4, "end": 11, "label": "p"}
    assert TRAIN["label"].to_pylist()[4] == []
    assert [tags.tolist() for tags in known_tags(TRAIN.slice(1, 1), TASK.targets(TRAIN))] == [[0, 0, 3, 0, 1]]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_method_for_tagging(name: str) -> None:
    method = METHODS.get(name)
    assert isinstance(method, ExampleMethod)
    assert method.learns_from == "examples"
    assert method.tasks == ("tagging",)


def test_the_most_frequent_tag_by_hand() -> None:
    model, targets = fitted("most_frequent_tag")
    # "Rome" is a city three times of four, "lee" continues a name, "Zed" was never seen.
    asked = rows("Zed saw Rome", "Ann Lee and Bo", "Lee went", "ROME")
    assert answers(model, targets, asked) == [["Rome/c"], ["Ann Lee/p", "Bo/p"], [], ["ROME/c"]]
    (logs,), features = model.outputs(rows("rome"))
    assert features is None
    shares = np.exp(logs[0])
    assert shares.sum() == pytest.approx(1)
    # What is known of all words counts as a hundredth of one word.
    words = sum(len(tags) for tags in known_tags(TRAIN, targets))
    begun = sum(int((tags == 1).sum()) for tags in known_tags(TRAIN, targets))
    prior = (begun + 1) / (words + 5)
    assert shares[1] == pytest.approx((3 + 0.01 * prior) / (4 + 0.01))


def test_token_features_learn_from_neighbours() -> None:
    model, targets = fitted("token_features", C=4.0, least_words=1)
    asked = rows("Mr. Zed is in Turin", "they left today")
    assert answers(model, targets, asked) == [["Zed/p", "Turin/c"], []]
    assert model.facts["C"] == 4.0
    assert model.facts["words"] == sum(len(tags) for tags in known_tags(TRAIN, targets))


def test_token_features_are_the_regression_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    model, targets = fitted("token_features", C=1.0, least_words=2)
    matrix, bounds = feature_matrix(TRAIN["text"].to_pylist(), model.columns)
    tags = np.concatenate(known_tags(TRAIN, targets))
    reference = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000).fit(matrix, tags)
    expected = np.zeros((len(tags), 5))
    expected[:, reference.classes_] = reference.predict_proba(matrix)
    outputs, _ = model.outputs(TRAIN)
    logits = np.concatenate(outputs)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert np.abs(odds / odds.sum(axis=1, keepdims=True) - expected).max() < 0.02
    assert [len(each) for each in outputs] == np.diff(bounds).tolist()


def test_the_strength_is_chosen_by_the_score_on_validation_rows() -> None:
    model, targets = fitted("token_features", validation=TRAIN, least_words=1)
    assert model.facts["C"] in (0.25, 1.0, 4.0, 16.0)
    outputs, features = model.outputs(TRAIN)
    outcomes = TASK.outcomes(TRAIN, TASK.answers(outputs, features, TRAIN, targets), targets)
    assert TASK.score(outcomes, targets)["micro_f1"] == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_back_from_the_disk(name: str, tmp_path: Path) -> None:
    model, targets = fitted(name)
    model.save(tmp_path / "model")
    back: Any = METHODS.get(name).load(tmp_path / "model", TASK, targets)  # type: ignore[attr-defined]
    for one, other in zip(model.outputs(TRAIN)[0], back.outputs(TRAIN)[0], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    with pytest.raises(CorruptError):
        METHODS.get(name).load(tmp_path / "nowhere", TASK, targets)  # type: ignore[attr-defined]
    other_targets = TASK.targets(rows("[Ann]x [Bo]y [Rome]z"))
    with pytest.raises(CorruptError, match="do not fit"):
        METHODS.get(name).load(tmp_path / "model", TASK, other_targets)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_order_and_unlabelled_rows_change_nothing(name: str) -> None:
    model, _ = fitted(name)
    unlabelled = pa.table({"row_id": ["x"], "text": ["Zed in Oslo"], "label": pa.array([None], SPAN)})
    mixed = pa.concat_tables([unlabelled, TRAIN.take([3, 1, 0, 5, 4, 2])])
    other, _ = fitted(name, mixed)
    for one, two in zip(model.outputs(TRAIN)[0], other.outputs(TRAIN)[0], strict=True):
        np.testing.assert_allclose(one, two, atol=2e-3)


def test_features_of_a_word_by_hand() -> None:
    features = list(word_features("Mr.Lee 12"))
    assert len(features) == 4
    assert {"w=lee", "form=Lee", "w-1=.", "w+1=12", "shape=Xxx", "glued=True", "prefix2=le", "suffix1=e"} <= set(
        features[2]
    )
    assert {"glued=False", "shape=dd"} <= set(features[3])
    assert not any(one.startswith("prefix3") for one in features[2])


@pytest.mark.parametrize(
    ("word", "shape"),
    [("McDonald", "XxXxx"), ("2019", "dd"), ("USA", "XX"), ("北京市", "cc"), ("-", "-"), ("b2b", "xdx")],
)
def test_shapes(word: str, shape: str) -> None:
    assert word_shape(word) == shape


def test_terms_are_counted_and_limited() -> None:
    texts = ["a b", "a c"]
    assert "w=a" in choose_terms(texts, least=2, most=100)
    assert "w=b" not in choose_terms(texts, least=2, most=100)
    assert len(choose_terms(texts, least=1, most=7)) == 7


def test_texts_without_words_cannot_be_learned() -> None:
    nothing = pa.table({"row_id": ["0"], "text": [" "], "label": pa.array([[]], SPAN)})
    method: Any = METHODS.get("token_features")
    with pytest.raises(DataError, match="no words"):
        method.fit(nothing, TASK, TASK.targets(TRAIN), method.settings(), seed=0, validation=nothing)


def test_what_is_written_is_plain_json(tmp_path: Path) -> None:
    model, _ = fitted("most_frequent_tag")
    model.save(tmp_path)
    document = json.loads((tmp_path / "most_frequent_tag.json").read_text())
    assert document["counts"]["rome"] == {"0": 1, "1": 3}

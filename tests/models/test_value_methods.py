"""`tfidf` and `head` with numbers for labels: a ridge regression, saved and loaded without loss."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from provetune.core.protocols import Targets
from provetune.models.methods import METHODS

TARGETS = Targets("regression", ("value",), (60,), tuned={"mean": [0.0], "scale": [1.0]})
GOOD, BAD = ("great", "lovely", "superb"), ("awful", "broken", "cold")


def rows(count: int, seed: int) -> tuple[list[str], np.ndarray]:
    draw = np.random.default_rng(seed)
    texts, values = [], []
    for _ in range(count):
        good = draw.integers(0, 4)
        texts.append(" ".join(["the meal was", *draw.choice(GOOD, good), *draw.choice(BAD, 3 - good)]))
        values.append([10.0 * good + draw.normal()])
    return texts, np.array(values)


def test_tfidf_says_scikit_learns_numbers():
    texts, values = rows(60, 0)
    method = METHODS.get("tfidf")
    model = method.fit(texts, values, TARGETS, method.settings(C=1.0, words=(1, 1), characters="none"))
    counted = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    theirs = Ridge(alpha=1.0).fit(counted.fit_transform(texts), (values - values.mean()) / values.std())
    asked = rows(20, 1)[0]
    wanted = theirs.predict(counted.transform(asked)).reshape(-1, 1) * values.std() + values.mean()
    np.testing.assert_allclose(model.logits(asked), wanted, atol=0.05 * values.std())
    assert model.facts["C"] == 1.0


@pytest.mark.parametrize("name", ["tfidf", "head"])
def test_the_strength_is_chosen_and_the_model_kept(name, tmp_path):
    (texts, values), (checked, answers) = rows(60, 0), rows(60, 1)
    method = METHODS.get(name)
    inputs, held_out = texts, checked
    if name == "head":
        draw = np.random.default_rng(0)
        slopes = draw.normal(size=(1, 12))
        inputs, held_out = (values / 10 @ slopes + draw.normal(size=(60, 12)), answers / 10 @ slopes)
    model = method.fit(inputs, values, TARGETS, method.settings(), validation=(held_out, answers))
    said = model.logits(held_out)
    assert said.shape == (60, 1)
    assert np.corrcoef(said[:, 0], answers[:, 0])[0, 1] > 0.9
    model.scaled(1.0).save(tmp_path)
    np.testing.assert_array_equal(method.load(tmp_path).logits(held_out), said)

"""The nearest prototype, by hand and against its distances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from provetune.core.protocols import FitMethod, Targets
from provetune.models.methods import METHODS
from provetune.models.methods.prototype import Prototype, PrototypeSettings

TARGETS = Targets("single_label", ("a", "b"), (2, 2))
SEVERAL = Targets("multi_label", ("a", "b"), (2, 2))


def test_it_is_a_registered_fit_method() -> None:
    assert isinstance(METHODS.get("prototype"), FitMethod)


def test_means_by_hand() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [-1.0, 0.0]])
    model = Prototype().fit(rows, np.array([0, 0, 1, 1]), TARGETS, PrototypeSettings())
    # Prototypes are (0.5, 0.5) and (-1, 0): 2 c·x − |c|² is x + y − 0.5 and −2 x − 1.
    np.testing.assert_allclose(model.logits(np.array([[1.0, 0.0], [0.0, 0.0]])), [[0.5, -3.0], [-0.5, -1.0]])
    assert model.facts == {"distance": "euclidean", "rows": [2, 2]}


def test_softmax_is_that_of_negative_squared_distances() -> None:
    draw = np.random.default_rng(0)
    rows, labels, asked = draw.normal(size=(30, 5)), np.arange(30) % 3, draw.normal(size=(7, 5))
    targets = Targets("single_label", ("a", "b", "c"), (10, 10, 10))
    found = softmax(Prototype().fit(rows, labels, targets, PrototypeSettings()).logits(asked), axis=1)
    means = np.stack([rows[labels == label].mean(axis=0) for label in range(3)])
    distances = ((asked[:, None] - means[None]) ** 2).sum(axis=-1)
    np.testing.assert_allclose(found, softmax(-distances, axis=1), atol=1e-5)


def test_angles_forget_how_long_a_prototype_is() -> None:
    rows = np.array([[0.1, 0.0], [0.0, 1.0]])
    settings = PrototypeSettings(prototype_distance="cosine")
    model = Prototype().fit(rows, np.array([0, 1]), TARGETS, settings)
    np.testing.assert_allclose(model.logits(np.array([[1.0, 0.0]])), [[2.0, 0.0]])


def test_several_labels_weigh_rows_with_against_rows_without() -> None:
    rows = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    having = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], dtype=np.float32)
    model = Prototype().fit(rows, having, SEVERAL, PrototypeSettings())
    # The first label: (1, 0.5) with, (0, 0.5) without; the second (0.5, 1) and (0.5, 0).
    asked = np.array([[0.9, 0.2]])
    with_, without = np.array([[1.0, 0.5], [0.5, 1.0]]), np.array([[0.0, 0.5], [0.5, 0.0]])
    wanted = ((asked - without) ** 2).sum(axis=1) - ((asked - with_) ** 2).sum(axis=1)
    np.testing.assert_allclose(model.logits(asked)[0], wanted, atol=1e-6)


def test_a_label_without_rows_is_never_given() -> None:
    targets = Targets("single_label", ("a", "b", "c"), (1, 1, 0))
    model = Prototype().fit(np.eye(2), np.array([0, 1]), targets, PrototypeSettings())
    assert model.logits(np.random.default_rng(0).normal(size=(20, 2))).argmax(axis=1).max() == 1


def test_weights_are_prior_odds() -> None:
    plain, heavy = (
        Prototype().fit(np.eye(2), np.array([0, 1]), TARGETS, PrototypeSettings(), label_weights=weights)
        for weights in (None, np.array([1.0, 3.0]))
    )
    asked = np.array([[0.3, 0.4]])
    assert heavy.logits(asked)[0, 1] - plain.logits(asked)[0, 1] == pytest.approx(np.log(3), abs=1e-6)


def test_saved_it_answers_the_same(tmp_path: Path) -> None:
    model = Prototype().fit(np.eye(2), np.array([0, 1]), TARGETS, PrototypeSettings()).scaled(0.1)
    model.save(tmp_path)
    np.testing.assert_array_equal(Prototype().load(tmp_path).logits(np.eye(2)), model.logits(np.eye(2)))

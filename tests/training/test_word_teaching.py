"""A teacher of words: aligned by letters, whatever pieces either side has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, kl_divergence
from torch.nn import functional
from toy_runs import linear, plain_pass, step, toy_run

from provetune.core.errors import UsageError
from provetune.core.minimised import BundleAnswers
from provetune.core.protocols import Targets
from provetune.training.objectives import OBJECTIVES
from provetune.training.word_teaching import WordTeacher

# "Anna met Bo" is row 1; words at 0–4, 5–8, 9–11. The student's pieces: [CLS] An ##na met Bo [SEP], with spaces before.
FEATURES = [
    {
        "input_ids": np.array([2, 7, 8, 9, 10, 3]),
        "starts": np.array([-1, 0, 2, 4, 8, -1]),
        "ends": np.array([-1, 2, 4, 8, 11, -1]),
        "labels": np.array([-100, 3, -100, 0, 3, -100]),
    },
    {
        "input_ids": np.array([2, 9, 3]),
        "starts": np.array([-1, 0, -1]),
        "ends": np.array([-1, 3, -1]),
        "labels": np.array([-100, 0, -100]),
    },
]
TARGETS = Targets("spans", ("city", "name"), (1, 2))
NAMES = ("name", "city")


class Store:
    rows = np.array([1, 3])

    def __len__(self) -> int:
        return 2

    def take(self, indices: Any) -> list[dict[str, Any]]:
        return [FEATURES[k] for k in indices]


def told(words: list[tuple[int, int, int]]) -> BundleAnswers:
    values = np.log(np.random.default_rng(5).dirichlet(np.ones(5), size=len(words)))
    return BundleAnswers(NAMES, values, np.array(words).reshape(-1, 3))


def run_of(answers: BundleAnswers, **changes: Any) -> Any:
    import pyarrow as pa

    examples = pa.table({"text": ["a", "Anna met Bo", "b", "met"]})
    return toy_run(
        linear(), Store(), targets=TARGETS, examples=examples, ask_bundle=lambda path, rows: answers, **changes
    )


def batch_of() -> dict[str, torch.Tensor]:
    ids, labels = torch.zeros((2, 6), dtype=torch.long), torch.full((2, 6), -100)
    for k, feature in enumerate(FEATURES):
        ids[k, : len(feature["input_ids"])] = torch.from_numpy(feature["input_ids"])
        labels[k, : len(feature["labels"])] = torch.from_numpy(feature["labels"])
    return {"input_ids": ids, "attention_mask": (ids > 0).long(), "labels": labels}


def test_words_are_found_by_their_letters_and_tags_by_their_names() -> None:
    # Asked about rows 1 and 3, the bundle numbers them 0 and 1; it hides "met" of the first behind "Anna".
    answers = told([(0, 0, 8), (0, 9, 11), (1, 0, 3)])
    teacher = WordTeacher.of(run_of(answers), "teacher")
    assert [each.tolist() for each in teacher.numbers.values()] == [[0, -1, 1], [2]]
    outputs = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(1))
    said_by, said = teacher.beside(outputs, batch_of(), np.array([1, 3]))
    order = [0, 3, 4, 1, 2]  # the bundle's O, B-name, I-name, B-city, I-city as O, B-city, I-city, B-name, I-name
    torch.testing.assert_close(said_by, torch.from_numpy(answers.values[:, order]).float())
    torch.testing.assert_close(said, torch.stack([outputs[0, 1], outputs[0, 4], outputs[1, 1]]))


def test_distillation_of_words_is_the_mean_over_them() -> None:
    answers = told([(0, 0, 4), (0, 5, 8), (0, 9, 11), (1, 0, 3)])
    outputs = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(1))
    loss = lambda logits, labels: functional.cross_entropy(logits.flatten(0, 1), labels.flatten())  # noqa: E731
    run = run_of(answers, forward=lambda batch: outputs, task_loss=loss)
    distil = OBJECTIVES.get("distil")
    working = distil.begin(run, distil.settings(distil_from="t", distil_gold=0.0, distil_temperature=2.0))
    batch = batch_of()
    found = working.loss(batch, plain_pass(run, batch), step([1, 3])).loss
    teacher = torch.from_numpy(answers.values[:, [0, 3, 4, 1, 2]]).float()
    student = torch.stack([outputs[0, 1], outputs[0, 3], outputs[0, 4], outputs[1, 1]])
    wanted = 4 * kl_divergence(Categorical(logits=teacher / 2), Categorical(logits=student / 2)).mean()
    torch.testing.assert_close(found, wanted)


def test_without_a_word_in_common_it_is_refused() -> None:
    with pytest.raises(UsageError, match="no words or labels in common"):
        WordTeacher.of(run_of(told([(0, 30, 34)])), "teacher")
    with pytest.raises(UsageError, match="says nothing about single words"):
        WordTeacher.of(run_of(BundleAnswers(NAMES, np.zeros((2, 2)))), "teacher")

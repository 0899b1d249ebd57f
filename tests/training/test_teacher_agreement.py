"""Distances of two predictions, against torch's own distributions."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Categorical, kl_divergence

from provetune.core.errors import UsageError
from provetune.core.protocols import Targets
from provetune.training.agreement import Agreement, refuse_incomparable

TARGET = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.1, -3.0]])
OUTPUTS = torch.tensor([[0.3, 0.2, -0.4], [1.0, -1.0, 0.0]])


def test_one_label_is_the_divergence_of_two_softmaxes_at_a_temperature() -> None:
    wanted = kl_divergence(Categorical(logits=TARGET / 2), Categorical(logits=OUTPUTS / 2))
    torch.testing.assert_close(Agreement("single_label").divergences(TARGET, OUTPUTS, temperature=2.0), wanted)


def test_log_probabilities_do_as_logits() -> None:
    shifted = TARGET.log_softmax(dim=-1)
    found = Agreement("ordinal").divergences(shifted, OUTPUTS, temperature=3.0)
    torch.testing.assert_close(found, Agreement("ordinal").divergences(TARGET, OUTPUTS, temperature=3.0))


def test_sharpening_changes_the_target_alone() -> None:
    wanted = kl_divergence(Categorical(logits=TARGET / 0.4), Categorical(logits=OUTPUTS))
    torch.testing.assert_close(Agreement("single_label").divergences(TARGET, OUTPUTS, soft=0.4), wanted)


def test_several_labels_are_choices_of_their_own() -> None:
    each = kl_divergence(Bernoulli(logits=TARGET), Bernoulli(logits=OUTPUTS))
    torch.testing.assert_close(Agreement("multi_label").divergences(TARGET, OUTPUTS), each.mean(dim=-1))
    found = Agreement("multi_label").entropies(TARGET)
    torch.testing.assert_close(found, Bernoulli(logits=TARGET).entropy().mean(dim=-1))


def test_numbers_are_compared_in_units_of_their_spread() -> None:
    agreement = Agreement.of(Targets("regression", ("x", "y"), (3, 3), tuned={"mean": [0.0, 1.0], "scale": [2.0, 4.0]}))
    found = agreement.divergences(torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, 1.0]]), temperature=9.0)
    assert found.tolist() == [(1.0 + 1.0) / 2]


def test_distances_of_probabilities() -> None:
    wanted = ((TARGET.softmax(1) - OUTPUTS.softmax(1)) ** 2).sum(1)
    torch.testing.assert_close(Agreement("single_label").distances(TARGET, OUTPUTS), wanted)


def test_certainty_of_one_label_and_of_each_of_several() -> None:
    logits = torch.tensor([[0.0, np.log(3.0)], [np.log(9.0), 0.0]])
    torch.testing.assert_close(Agreement("single_label").certainties(logits), torch.tensor([0.75, 0.9]))
    several = Agreement("multi_label").certainties(-logits)
    torch.testing.assert_close(several, torch.tensor([[0.5, 0.75], [0.9, 0.5]]))


def test_entropy_of_one_label() -> None:
    torch.testing.assert_close(Agreement("single_label").entropies(TARGET), Categorical(logits=TARGET).entropy())


def test_other_forms_of_labels_are_refused_and_mixed_rows() -> None:
    with pytest.raises(UsageError, match="'distil' has no meaning for labels of the kind 'answers' \\(task 'qa'\\)"):
        refuse_incomparable("distil", SimpleNamespace(kind="answers", task="qa", objectives=()))
    with pytest.raises(UsageError, match="'distil' and 'mixup' do not go together"):
        refuse_incomparable("distil", SimpleNamespace(kind="single_label", task="x", objectives=("mixup", "distil")))

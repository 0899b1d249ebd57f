"""The mean of weights, by hand."""

from __future__ import annotations

import pytest
import torch

from provetune.core.errors import UsageError
from provetune.models.weight_mean import WeightMean

FIRST = {"layer": torch.tensor([[1.0, 2.0]]), "places": torch.tensor([0, 1, 2])}
SECOND = {"layer": torch.tensor([[3.0, 6.0]]), "places": torch.tensor([0, 1, 2])}
THIRD = {"layer": torch.tensor([[5.0, -2.0]]), "places": torch.tensor([0, 1, 2])}


def test_it_is_the_mean_of_all_and_leaves_them_as_they_were() -> None:
    one = WeightMean.of(FIRST)
    two = one.with_model(SECOND)
    three = two.with_model(THIRD)
    assert one.weights()["layer"].tolist() == [[1.0, 2.0]]
    assert two.weights()["layer"].tolist() == [[2.0, 4.0]]
    assert three.weights()["layer"].tolist() == [[3.0, 2.0]]
    assert three.weights()["places"].tolist() == [0, 1, 2]
    assert FIRST["layer"].tolist() == [[1.0, 2.0]]


def test_half_precision_is_summed_in_full() -> None:
    small = {"layer": torch.full((1,), 1.0 / 256, dtype=torch.bfloat16)}
    mean = WeightMean.of({"layer": torch.full((1,), 256.0, dtype=torch.bfloat16)}).with_model(small)
    assert mean.weights()["layer"].item() == (256.0 + 1.0 / 256) / 2


@pytest.mark.parametrize("other", [{"layer": torch.zeros(2, 2), "places": FIRST["places"]}, {"layer": FIRST["layer"]}])
def test_models_of_other_shapes_have_no_mean(other: dict[str, torch.Tensor]) -> None:
    with pytest.raises(UsageError, match="have no mean of weights"):
        WeightMean.of(FIRST).with_model(other)

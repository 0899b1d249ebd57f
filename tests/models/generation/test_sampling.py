"""Sampling by noise: the right frequencies, and the same draw for a row whatever stands beside it."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import chisquare

from provetune.models.generation.options import DecodingOptions
from provetune.models.generation.sampling import RowNoise, row_keys, sampling_processors


def draw(probabilities: list[float], keys: list[int], options: DecodingOptions) -> np.ndarray:
    scores = torch.tensor(probabilities).log().repeat(len(keys), 1)
    start = torch.zeros(len(keys), 1, dtype=torch.long)
    for processor in sampling_processors(options, keys):
        scores = processor(start, scores)
    return scores.argmax(dim=1).numpy()


def test_frequencies_are_the_probabilities() -> None:
    probabilities = [0.5, 0.3, 0.15, 0.05]
    drawn = draw(probabilities, list(range(4000)), DecodingOptions(decoding="sample", top_k=0))
    counts = np.bincount(drawn, minlength=4)
    assert chisquare(counts, np.array(probabilities) * 4000).pvalue > 0.001


def test_temperature_top_k_and_top_p_take_their_part() -> None:
    probabilities = [0.5, 0.3, 0.15, 0.05]
    top_k = draw(probabilities, list(range(500)), DecodingOptions(decoding="sample", top_k=2))
    assert set(top_k) == {0, 1}
    top_p = draw(probabilities, list(range(500)), DecodingOptions(decoding="sample", top_k=0, top_p=0.4))
    assert set(top_p) == {0}
    cold = draw(probabilities, list(range(500)), DecodingOptions(decoding="sample", temperature=0.1))
    assert (cold == 0).mean() > 0.98


def test_a_row_draws_the_same_in_every_company_and_anew_at_every_step() -> None:
    scores = torch.zeros(3, 50)
    start = torch.zeros(3, 1, dtype=torch.long)
    together, alone = RowNoise([11, 12, 13]), RowNoise([12])
    first = together(start, scores)
    torch.testing.assert_close(alone(start[:1], scores[:1])[0], first[1])
    second = together(torch.zeros(3, 2, dtype=torch.long), scores)
    assert not torch.equal(second, first)
    torch.testing.assert_close(alone(torch.zeros(1, 2, dtype=torch.long), scores[:1])[0], second[1])


def test_keys_follow_the_row_and_the_seed_and_not_the_padding() -> None:
    ids = torch.tensor([[5, 6, 0, 0], [5, 6, 7, 8]])
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    keys = row_keys(ids, mask, 0)
    assert keys[0] != keys[1]
    assert row_keys(ids[:1, :2], mask[:1, :2], 0) == keys[:1]
    assert row_keys(ids, mask, 1)[0] != keys[0]

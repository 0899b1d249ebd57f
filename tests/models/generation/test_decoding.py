"""Decoding as the options say, against transformers' own ``generate``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tiny_seq2seq import tiny_bart, tiny_t5

from provetune.models.generation.decoding import decode_batch, generation_config
from provetune.models.generation.options import DecodingOptions, longest_target
from provetune.models.generation.scoring import mean_log_probabilities


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(3)
    return tiny_bart().eval()


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    ids = torch.tensor([[3, 20, 30, 40, 1, 0], [3, 25, 35, 45, 55, 1]])
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}


def test_beam_search_is_that_of_generate(model: Any, batch: dict[str, torch.Tensor]) -> None:
    options = DecodingOptions(beams=3, max_target_length=9, length_penalty=0.5, no_repeat_ngram=2)
    plain = model.generate(**batch, num_beams=3, max_new_tokens=9, length_penalty=0.5, no_repeat_ngram_size=2)
    assert torch.equal(decode_batch(model, options, batch), plain)


def test_greedy_is_that_of_generate_whatever_the_model_would_do_by_itself(model: Any, batch: Any) -> None:
    plain = model.generate(**batch, num_beams=1, max_new_tokens=6)
    model.generation_config.num_beams, model.generation_config.no_repeat_ngram_size = 4, 1
    try:
        assert torch.equal(decode_batch(model, DecodingOptions(decoding="greedy", max_target_length=6), batch), plain)
        assert model.generation_config.num_beams == 4
    finally:
        model.generation_config.num_beams, model.generation_config.no_repeat_ngram_size = 1, None


def test_the_least_and_the_greatest_length_hold(model: Any, batch: dict[str, torch.Tensor]) -> None:
    options = DecodingOptions(decoding="greedy", min_target_length=5, max_target_length=7)
    assert 6 <= decode_batch(model, options, batch).shape[1] <= 8


def test_sampling_follows_its_seed_and_not_the_company(model: Any, batch: dict[str, torch.Tensor]) -> None:
    options = DecodingOptions(decoding="sample", max_target_length=8, sampling_seed=5)
    torch.manual_seed(1)
    found = decode_batch(model, options, batch)
    torch.manual_seed(2)
    assert torch.equal(decode_batch(model, options, batch), found)
    alone = decode_batch(model, options, {name: value[1:] for name, value in batch.items()})
    width = min(alone.shape[1], found.shape[1])
    assert torch.equal(alone[0, :width], found[1, :width])
    other = decode_batch(model, options.model_copy(update={"sampling_seed": 6}), batch)
    assert not torch.equal(other, found)


def test_a_model_that_is_kept_decodes_alike_without_us(model: Any, batch: Any, tmp_path: Any) -> None:
    from transformers import AutoModelForSeq2SeqLM

    options = DecodingOptions(beams=2, max_target_length=7, no_repeat_ngram=1)
    wanted = decode_batch(model, options, batch)
    kept, model.generation_config = model.generation_config, generation_config(model, options)
    model.save_pretrained(tmp_path)
    model.generation_config = kept
    assert torch.equal(AutoModelForSeq2SeqLM.from_pretrained(tmp_path).generate(**batch), wanted)


@pytest.mark.parametrize("make", [tiny_bart, tiny_t5])
def test_mean_log_probability_is_that_of_the_tokens_one_by_one(make: Any, batch: dict[str, torch.Tensor]) -> None:
    torch.manual_seed(4)
    model = make().eval()
    written = torch.tensor([[1, 50, 60, 1, 0], [1, 51, 61, 71, 1]])
    judged = torch.tensor([[True, True, True, False], [True, True, True, True]])
    with torch.inference_mode():
        found = mean_log_probabilities(model, batch, written, judged)
        for row, length in enumerate((3, 4)):
            only = {name: value[row : row + 1] for name, value in batch.items()}
            logs = []
            for k in range(length):
                logits = model(**only, decoder_input_ids=written[row : row + 1, : k + 1]).logits[0, -1]
                logs.append(float(torch.log_softmax(logits, 0)[written[row, k + 1]]))
            assert found[row] == pytest.approx(np.mean(logs), abs=1e-5)


def test_no_text_is_longer_than_its_bytes() -> None:
    assert longest_target(["abc", "é"]) == 3 + 4
    assert longest_target(["好" * 10]) == 30 + 4
    assert longest_target(["a" * 5000]) == 256

"""An output layer in units of what it predicts: the same numbers before and after folding, also inside peft."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from provetune.core.errors import UsageError
from provetune.models.methods import METHODS
from provetune.models.scaling import ScaledLinear, fold_scales, scale_outputs

BATCH = {
    "input_ids": torch.tensor([[2, 5, 7, 3], [2, 6, 3, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]),
}


def model(outputs: int = 2) -> BertForSequenceClassification:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=20, num_labels=outputs, max_position_embeddings=16, **sizes)
    return BertForSequenceClassification(config).eval()


def said(one) -> np.ndarray:
    with torch.inference_mode():
        return one(**BATCH).logits.numpy()


def test_outputs_are_multiplied_and_moved():
    plain = model()
    before = said(plain)
    scale_outputs(plain, [20.0, 0.5], [50.0, -1.0])
    assert isinstance(plain.classifier, ScaledLinear)
    np.testing.assert_allclose(said(plain), before * [20.0, 0.5] + [50.0, -1.0], rtol=1e-5)


def test_folding_gives_a_plain_layer_that_says_the_same():
    scaled = model()
    scale_outputs(scaled, [20.0, 0.5], [50.0, -1.0])
    before = said(scaled)
    fold_scales(scaled)
    assert type(scaled.classifier) is torch.nn.Linear
    np.testing.assert_allclose(said(scaled), before, rtol=1e-5)
    fold_scales(scaled)  # nothing left to fold
    np.testing.assert_allclose(said(scaled), before, rtol=1e-5)


def test_parameters_keep_their_names_and_learn_in_small_steps():
    scaled = model(1)
    names = dict(scaled.named_parameters()).keys()
    scale_outputs(scaled, [100.0], [1000.0])
    assert dict(scaled.named_parameters()).keys() == names
    assert not {name for name in scaled.state_dict() if "scale" in name or "shift" in name}
    optimiser = torch.optim.Adam(scaled.parameters(), lr=0.01)
    for _ in range(150):
        loss = (((scaled(**BATCH).logits[:, 0] - torch.tensor([900.0, 1100.0])) / 100) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    np.testing.assert_allclose(said(scaled)[:, 0], [900, 1100], atol=10)


def test_an_adapter_is_kept_for_the_plain_model(tmp_path):
    from provetune.models.methods.lora import Lora

    lora = METHODS.get("lora")
    start = model(1)
    scale_outputs(start, [10.0], [100.0])
    wrapped = lora.prepare(start, lora.settings(rank=2), None)
    with torch.no_grad():
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    wrapped.eval()
    wanted = said(wrapped)
    fold_scales(wrapped)
    np.testing.assert_allclose(said(wrapped), wanted, rtol=1e-4)
    np.testing.assert_allclose(said(lora.merge(wrapped)), wanted, rtol=1e-4)
    lora.save_adapter(wrapped, tmp_path)
    np.testing.assert_allclose(said(Lora().attach(model(1), tmp_path).eval()), wanted, rtol=1e-4)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="must have 2 values"):
        scale_outputs(model(), [1.0], [0.0])
    with pytest.raises(ValueError, match="scale must be positive"):
        scale_outputs(model(), [1.0, 0.0], [0.0, 0.0])
    headless = model().bert
    headless.config.num_labels = 99
    with pytest.raises(UsageError, match="no output layer"):
        scale_outputs(headless, [1.0], [0.0])

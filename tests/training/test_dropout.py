from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import MPNetConfig, MPNetForSequenceClassification

from provetune.training.dropout import ByteDropout, FastDropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_keeps_the_share_it_says_and_divides_by_it(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = ByteDropout(0.1)
    out = layer(torch.ones(1001, 999, dtype=dtype)).float()
    share = 1 - 26 / 256
    kept = out != 0
    assert kept.float().mean().item() == pytest.approx(share, abs=5e-4 * 3)
    assert out[kept].unique().tolist() == pytest.approx([torch.tensor(1 / share, dtype=dtype).float().item()])


def test_gradient_is_the_mask_times_the_scale() -> None:
    torch.manual_seed(1)
    values = torch.randn(7, 13, requires_grad=True)
    out = ByteDropout(0.25)(values)
    out.backward(torch.full_like(out, 2.0))
    expected = torch.where(out == 0, 0.0, 2.0 / 0.75)
    torch.testing.assert_close(values.grad, expected)


def test_does_nothing_outside_training() -> None:
    values = torch.randn(4, 4)
    assert ByteDropout(0.5).eval()(values) is values


def test_same_seed_same_mask() -> None:
    outs = []
    for _ in range(2):
        torch.manual_seed(9)
        outs.append(ByteDropout(0.5)(torch.ones(333)))
    assert torch.equal(*outs)


def test_swaps_hidden_dropout_silences_attention_and_restores(make_model) -> None:
    model = make_model(dropout=0.2)
    before = {name: module for name, module in model.named_modules() if isinstance(module, nn.Dropout)}
    swap = FastDropout(model)
    assert not any(type(module) is nn.Dropout for module in model.modules())
    assert model.bert.encoder.layer[0].attention.self.dropout.p == 0.0
    assert model.bert.encoder.layer[0].output.dropout.threshold == 51
    swap.restore()
    assert {n: m for n, m in model.named_modules() if isinstance(m, nn.Dropout)} == before


def test_mpnet_keeps_its_hidden_dropout() -> None:
    config = MPNetConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    model = MPNetForSequenceClassification(config)
    FastDropout(model)
    attention = model.mpnet.encoder.layer[0].attention
    assert attention.dropout.threshold == 26
    assert attention.attn.dropout.threshold == 0

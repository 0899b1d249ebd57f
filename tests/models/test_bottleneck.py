"""Adapters against their papers' equations, worked out with matrices on one layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from tiny_families import make

from provetune.models.bottleneck import PART, START, Bottleneck, add_bottlenecks
from provetune.models.layer_places import modules_at, places_of

EPSILON = 1e-12


def array(tensor: torch.Tensor) -> Any:
    return tensor.detach().double().numpy()


def linear(module: Any, values: Any) -> Any:
    return values @ array(module.weight).T + array(module.bias)


def normal(module: Any, values: Any) -> Any:
    mean, spread = values.mean(-1, keepdims=True), values.var(-1, keepdims=True)
    return (values - mean) / np.sqrt(spread + EPSILON) * array(module.weight) + array(module.bias)


def gelu(values: Any) -> Any:
    return values * 0.5 * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))


def relu(values: Any) -> Any:
    return np.maximum(values, 0)


def added(owner: Any, values: Any, bend: Any) -> Any:
    """W_up f(W_down h + b) + b."""
    part = getattr(owner, PART)
    return linear(part.up, bend(linear(part.down, values)))


def attended(layer: Any, hidden: Any, heads: int) -> Any:
    """What attention hands to its output projection, of one text (T, D)."""
    inner = layer.attention.self
    query, key, value = (linear(part, hidden) for part in (inner.query, inner.key, inner.value))
    width = hidden.shape[1] // heads
    found = []
    for head in range(heads):
        span = slice(head * width, (head + 1) * width)
        scores = query[:, span] @ key[:, span].T / math.sqrt(width)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        found.append(shares / shares.sum(-1, keepdims=True) @ value[:, span])
    return np.concatenate(found, axis=1)


def grown(placement: Any) -> Any:
    """A BERT of one layer whose adapters are far from nought."""
    model = make("bert", num_hidden_layers=1)
    torch.manual_seed(4)
    add_bottlenecks(model, placement, 5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if PART in name:
                parameter.copy_(torch.randn_like(parameter) * 0.3)
            elif "LayerNorm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def through(model: Any) -> tuple[Any, Any, Any]:
    """One text's hidden states before and after the one layer."""
    seen: dict[str, torch.Tensor] = {}
    layer = model.bert.encoder.layer[0]
    layer.register_forward_pre_hook(lambda _, given: seen.update(before=given[0]))
    with torch.no_grad():
        after = model.bert(input_ids=torch.tensor([[2, 9, 17, 33, 3]])).last_hidden_state
    return layer, array(seen["before"][0]), array(after[0])


def test_houlsby_adds_to_what_each_block_adds() -> None:
    layer, before, after = through(grown("houlsby"))
    first = linear(layer.attention.output.dense, attended(layer, before, 4))
    middle = normal(layer.attention.output.LayerNorm, before + first + added(layer.attention.output.dense, first, gelu))
    second = linear(layer.output.dense, gelu(linear(layer.intermediate.dense, middle)))
    expected = normal(layer.output.LayerNorm, middle + second + added(layer.output.dense, second, gelu))
    np.testing.assert_allclose(after, expected, rtol=1e-4, atol=1e-5)


def test_pfeiffer_reads_the_normalised_sum_and_is_normalised_with_it() -> None:
    layer, before, after = through(grown("pfeiffer"))
    first = linear(layer.attention.output.dense, attended(layer, before, 4))
    middle = normal(layer.attention.output.LayerNorm, before + first)
    second = linear(layer.output.dense, gelu(linear(layer.intermediate.dense, middle)))
    read = normal(layer.output.LayerNorm, middle + second)
    expected = normal(layer.output.LayerNorm, middle + second + added(layer.output.LayerNorm, read, relu))
    np.testing.assert_allclose(after, expected, rtol=1e-4, atol=1e-5)


def test_where_sums_are_not_normalised_the_sum_itself_is_read() -> None:
    model = make("llama", "AutoModel", num_hidden_layers=1)
    ids = torch.tensor([[2, 9, 17]])
    layer = model.layers[0]
    seen: list[torch.Tensor] = []
    layer.register_forward_hook(lambda module, given, output: seen.append(output))
    with torch.no_grad():
        model(input_ids=ids)
        torch.manual_seed(4)
        add_bottlenecks(model, "pfeiffer", 5)
        for name, parameter in model.named_parameters():
            if PART in name:
                parameter.copy_(torch.randn_like(parameter) * 0.3)
        normed = model(input_ids=ids).last_hidden_state
    plain = array(seen[0][0])
    expected = plain + added(layer, plain, relu)
    scale = 1 / np.sqrt((expected**2).mean(-1, keepdims=True) + model.config.rms_norm_eps)
    np.testing.assert_allclose(array(normed[0]), expected * scale * array(model.norm.weight), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "placement", "count"),
    [
        *(("bert", "houlsby", 4), ("bert", "pfeiffer", 2), ("distilbert", "houlsby", 4), ("modernbert", "pfeiffer", 2)),
        # An encoder of two layers, and a decoder whose layers have a third block.
        *(("t5", "houlsby", 10), ("t5", "pfeiffer", 4), ("bart", "houlsby", 10), ("bart", "pfeiffer", 4)),
    ],
)
def test_there_is_one_for_every_block_or_for_every_layer(family: str, placement: Any, count: int) -> None:
    model = make(family)
    add_bottlenecks(model, placement, 5)
    assert sum(isinstance(module, Bottleneck) for module in model.modules()) == count


def test_weights_of_a_new_one_are_normal_and_cut_at_two_spreads() -> None:
    torch.manual_seed(0)
    part = Bottleneck(300, 200, "gelu")
    for layer in (part.down, part.up):
        weight = layer.weight.detach()
        assert float(weight.abs().max()) <= 2 * START
        # A normal cut at two spreads has 0.8796 of its spread.
        assert float(weight.std()) == pytest.approx(0.8796 * START, rel=0.02)
        assert not layer.bias.any()


def test_share_of_weights_that_learn_is_what_the_sizes_say() -> None:
    """2 blocks × 2 layers of 2 × 32 × 5 weights and 5 + 32 biases, beside four normalisations of 64."""
    model = make("bert").requires_grad_(False)
    add_bottlenecks(model, "houlsby", 5)
    learning = sum(each.numel() for each in model.parameters() if each.requires_grad)
    assert learning == 4 * (2 * 32 * 5 + 37) + 4 * 64


def test_patterns_end_where_names_end() -> None:
    model = make("bert")
    found = [name for name, _ in modules_at(model, places_of(model).outputs)]
    ends = ("attention.output.dense", "output.dense")
    assert found == [f"bert.encoder.layer.{number}.{end}" for number in range(2) for end in ends]

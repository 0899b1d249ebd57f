"""A prefix against attention written out, and against peft's."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from tiny_families import batch, learn_a_little, logits, make

from provetune.models.methods import METHODS
from provetune.models.packed_attention import can_pack, packed_logits
from provetune.models.prefix_attention import PART, Prefix, add_prefixes, settle_prefixes
from provetune.tasks import TASKS

TASK = TASKS.get("classification")


def array(tensor: torch.Tensor) -> Any:
    return tensor.detach().double().numpy()


def test_attention_with_a_prefix_is_that_over_longer_keys_and_values() -> None:
    """One head after the other, one text, with numpy."""
    model = make("bert", num_hidden_layers=1)
    torch.manual_seed(3)
    add_prefixes(model, 4, 0)
    attention = model.bert.encoder.layer[0].attention.self
    with torch.no_grad():
        attention.prefix.values.copy_(torch.randn(4, 64))
    seen: dict[str, torch.Tensor] = {}
    attention.register_forward_hook(lambda _, given, output: seen.update(given=given[0], found=output[0]))
    with torch.no_grad():
        model(input_ids=torch.tensor([[2, 9, 17, 33, 3]]))
    hidden, learned = array(seen["given"][0]), array(attention.prefix.values)
    query, key, value = (
        hidden @ array(part.weight).T + array(part.bias) for part in (attention.query, attention.key, attention.value)
    )
    keys, values = np.concatenate([learned[:, :32], key]), np.concatenate([learned[:, 32:], value])
    expected = []
    for head in range(4):
        span = slice(8 * head, 8 * head + 8)
        weights = np.exp(query[:, span] @ keys[:, span].T / math.sqrt(8))
        expected.append(weights / weights.sum(-1, keepdims=True) @ values[:, span])
    np.testing.assert_allclose(array(seen["found"][0]), np.concatenate(expected, axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hidden", [0, 6])
def test_answers_are_peft_s_where_positions_do_not_matter(hidden: int) -> None:
    """peft moves a text's positions by the prefix's length; in a model without positions both are one function."""
    from peft import PrefixTuningConfig, get_peft_model

    def levelled() -> Any:
        model = make("bert")
        with torch.no_grad():
            model.bert.embeddings.position_embeddings.weight.zero_()
        return model

    config = PrefixTuningConfig(
        task_type="SEQ_CLS", num_virtual_tokens=3, prefix_projection=hidden > 0, encoder_hidden_size=hidden or None
    )
    torch.manual_seed(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = get_peft_model(levelled(), config).eval()
        expected = logits(theirs, **batch(levelled()))
    made: Any = theirs.prompt_encoder.default
    ours = levelled()
    add_prefixes(ours, 3, hidden)
    prefixes = [module for module in ours.modules() if isinstance(module, Prefix)]
    # theirs: (P, layers × 2 × D), keys of a layer before its values
    rows = [slice(64 * number, 64 * number + 64) for number in range(2)]
    with torch.no_grad():
        for prefix, span in zip(prefixes, rows, strict=True):
            if prefix.outer is None or prefix.source is None:
                assert prefix.values is not None
                prefix.values.copy_(made.embedding.weight[:, span])
            else:
                prefix.source.table.copy_(made.embedding.weight)
                prefix.source.inner.load_state_dict(made.transform[0].state_dict())
                prefix.outer.weight.copy_(made.transform[2].weight[span])
                prefix.outer.bias.copy_(made.transform[2].bias[span])
    torch.testing.assert_close(logits(ours), expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(logits(ours), logits(levelled()), atol=1e-3)


def test_the_network_is_shared_and_goes_when_the_prefix_is_settled() -> None:
    model = make("roberta")
    add_prefixes(model, 3, 6)
    learned = logits(model)
    names = {name.rsplit(f"{PART}.", 1)[1] for name, _ in model.named_parameters() if f"{PART}." in name}
    assert names == {"source.table", "source.inner.weight", "source.inner.bias", "outer.weight", "outer.bias"}
    assert sum(name.endswith("source.table") for name, _ in model.named_parameters()) == 1
    settle_prefixes(model)
    assert {name.rsplit(f"{PART}.", 1)[1] for name, _ in model.named_parameters() if f"{PART}." in name} == {"values"}
    torch.testing.assert_close(logits(model), learned)


def test_grouped_keys_get_as_many_heads_as_the_backbone_has() -> None:
    model = make("llama")
    add_prefixes(model, 3, 0)
    keys, values = model.model.layers[0].self_attn.prefix()
    assert keys.shape == values.shape == (1, 2, 3, 8)  # two of four heads, of size 8


def test_every_attention_of_an_encoder_decoder_has_one() -> None:
    """Self-attention of both sides and the attention to the source: the encoder is reached too."""
    model = make("bart")
    add_prefixes(model, 3, 0)
    owners = [name for name, module in model.named_modules() if isinstance(module, Prefix)]
    assert len(owners) == 2 + 2 * 2
    source = batch(model)["input_ids"]
    with torch.no_grad():
        found = model.get_encoder()(input_ids=source).last_hidden_state
        plain = make("bart").get_encoder()(input_ids=source).last_hidden_state
    assert not torch.allclose(found, plain, atol=1e-4)


@pytest.mark.parametrize("family", ["t5", "bart", "marian"])
def test_writing_with_a_cache_is_writing_without(family: str) -> None:
    method: Any = METHODS.get("prefix")
    torch.manual_seed(2)
    model = method.prepare(make(family), method.settings(prefix_length=3), TASK)
    learn_a_little(model)
    asked = {name: value for name, value in batch(model).items() if name != "decoder_input_ids"}
    options = {"max_new_tokens": 6, "do_sample": False, "num_beams": 1}
    with torch.no_grad():
        written = [model.generate(**asked, **options, use_cache=kept) for kept in (True, False)]
    assert torch.equal(*written)


def test_texts_of_a_packed_row_are_answered_as_alone() -> None:
    """Packing attends by other means, which know nothing of a prefix: such a model is not packed."""
    model = make("llama", "AutoModelForCausalLM")
    assert can_pack(model)  # and this is remembered for the very model
    add_prefixes(model, 3, 0)
    assert not can_pack(model)
    texts = [[2, 9, 17], [2, 33, 41, 5]]
    row = torch.tensor([texts[0] + texts[1]])
    wanted = torch.ones(7, dtype=torch.bool)
    with torch.no_grad():
        together = packed_logits(model, row, [3, 4], wanted)
        alone = torch.cat([model(input_ids=torch.tensor([text])).logits[0] for text in texts])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)

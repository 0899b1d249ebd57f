"""What is taken out of a model: the rest answers as the whole model does with that part silenced."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForSequenceClassification

from provetune.compression.importance import most_important
from provetune.compression.layers import chosen_layers, drop_layers
from provetune.compression.narrowing import (
    attentions,
    feed_forwards,
    inner_field,
    keep_head_groups,
    narrow_block,
    why_heads_stay,
)
from provetune.compression.steps.prune_ffn import kept_of
from provetune.core.errors import UsageError

IDS = torch.tensor([[5, 6, 7, 8, 9, 3], [4, 4, 2, 7, 1, 8]])


def bert(**fields: Any) -> Any:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=20, max_position_embeddings=16, num_labels=3, **{**sizes, **fields})
    return BertForSequenceClassification(config).eval()


def llama() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=20,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=8,
        num_key_value_heads=4,
        intermediate_size=48,
        head_dim=4,
        max_position_embeddings=16,
        num_labels=3,
        pad_token_id=0,
    )
    return LlamaForSequenceClassification(config).eval()


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
    return found


def reloaded(model: Any, folder: Path) -> Any:
    """Through plain transformers, as anyone would load it."""
    model.save_pretrained(folder)
    return type(model).from_pretrained(folder).eval()


@pytest.mark.parametrize(
    ("count", "keep", "which", "kept"),
    [
        (6, 3, "bottom", [0, 1, 2]),
        (6, 2, "top", [4, 5]),
        (6, 3, "spread", [0, 2, 5]),
        (12, 6, "spread", [0, 2, 4, 7, 9, 11]),
        (4, 1, "spread", [0]),
    ],
)
def test_chosen_layers(count: int, keep: int, which: str, kept: list[int]) -> None:
    assert chosen_layers(count, keep, which) == kept


def test_as_many_layers_as_there_are_cannot_stay() -> None:
    with pytest.raises(UsageError, match="between 1 and 3"):
        chosen_layers(4, 4, "bottom")


def test_dropped_layers_are_those_that_were_skipped(tmp_path: Path) -> None:
    model = bert()
    assert drop_layers(model, 2, "spread") == [0, 3]
    whole = bert()
    # A layer that hands on what it was given is no layer.
    for number in (1, 2):
        whole.bert.encoder.layer[number].forward = lambda hidden, *rest, **more: hidden
    found = reloaded(model, tmp_path)
    assert found.config.num_hidden_layers == 2
    torch.testing.assert_close(logits(found), logits(whole), atol=1e-6, rtol=0)


@pytest.mark.parametrize("make", [bert, llama])
def test_pruned_neurons_are_those_that_were_silenced(make: Any, tmp_path: Path) -> None:
    model, whole = make(), make()
    kept = [0, 3, 7, 11, 12, 30, 31, 40]
    for block in feed_forwards(model):
        narrow_block(model, block, kept)
    setattr(model.config, inner_field(model), len(kept))
    for block in feed_forwards(whole):
        down = whole.get_submodule(block.down)
        silenced = [number for number in range(down.in_features) if number not in kept]
        with torch.no_grad():
            down.weight[:, silenced] = 0.0
    found = reloaded(model, tmp_path)
    torch.testing.assert_close(logits(found), logits(whole), atol=1e-5, rtol=0)
    assert sum(p.numel() for p in found.parameters()) < sum(p.numel() for p in whole.parameters())


def test_pruned_heads_are_those_that_were_masked(tmp_path: Path) -> None:
    model, whole = llama(), llama()
    kept = [[0, 2], [1, 3]]
    for block, groups in zip(attentions(model), kept, strict=True):
        keep_head_groups(model, block, groups)
    model.config.num_attention_heads, model.config.num_key_value_heads = 4, 2
    for block, groups in zip(attentions(whole), kept, strict=True):
        output = whole.get_submodule(block.output)
        with torch.no_grad():
            # Two query heads of four numbers share a key and a value.
            for group in set(range(4)) - set(groups):
                output.weight[:, group * 8 : group * 8 + 8] = 0.0
    found = reloaded(model, tmp_path)
    torch.testing.assert_close(logits(found), logits(whole), atol=1e-5, rtol=0)
    assert found.model.layers[0].self_attn.q_proj.weight.shape == (16, 32)


def test_families_without_a_head_size_of_their_own_keep_their_heads() -> None:
    assert why_heads_stay(llama().config) is None
    why = why_heads_stay(bert().config)
    assert why is not None
    assert "'bert'" in why
    assert "prune_ffn" in why


def test_blocks_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(UsageError, match="were not found"):
        feed_forwards(bert(intermediate_size=32))


@pytest.mark.parametrize(
    ("count", "share", "kept"),
    [(64, 0.5, 32), (1536, 0.7, 1072), (64, 0.01, 8), (64, 0.99, 63), (6, 0.5, 3), (2, 0.9, 1)],
)
def test_kept_of(count: int, share: float, kept: int) -> None:
    assert kept_of(count, share) == kept


def test_most_important() -> None:
    assert most_important(np.array([0.1, 0.9, 0.5, 0.9]), 2) == [1, 3]
    assert most_important(np.array([0.5, 0.5, 0.5]), 2) == [0, 1]


def test_importance_is_activation_times_gradient(tiny_backbone: Path) -> None:
    """One row, worked out with autograd on a copy of the block's input."""
    import pyarrow as pa

    from provetune.compression.importance import input_importance
    from provetune.core.protocols import EncodeSettings, Targets
    from provetune.models.loading import load_model, load_tokenizer
    from provetune.tasks import TASKS

    task, targets = TASKS.get("classification"), Targets("single_label", ("a", "b"), (1, 1))
    model = load_model(tiny_backbone, task.auto_class, task.head(targets), seed=3)
    tokenizer = load_tokenizer(tiny_backbone)
    rows = pa.table({"row_id": ["0"], "text": ["some text"], "label": ["b"]})
    given: Any = SimpleNamespace(
        bundle=SimpleNamespace(encode=EncodeSettings(16)),
        task=task,
        targets=targets,
        train=rows,
        say=lambda what, done, of: None,
    )
    (first, *_) = feed_forwards(model)
    found = input_importance(given, model, tokenizer, {first.down: model.get_submodule(first.down)})[first.down]
    seen: list[torch.Tensor] = []

    def keep(module: Any, inputs: Any) -> Any:
        seen.append(inputs[0].detach().requires_grad_(True))
        return (seen[-1],)

    hook = model.get_submodule(first.down).register_forward_pre_hook(keep)
    tokens = tokenizer("some text", return_tensors="pt")
    loss = torch.nn.functional.cross_entropy(model(**tokens).logits, torch.tensor([1]))
    (gradient,) = torch.autograd.grad(loss, [seen[0]])
    hook.remove()
    expected = (seen[0] * gradient).sum(dim=(0, 1)).abs().detach().double().numpy()
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


def test_smallest_weights_become_zero() -> None:
    from provetune.compression.steps.sparsify import cut_smallest, layer_weights, shares, zero_share

    model = bert()
    before = torch.cat([weight.detach().abs().flatten() for weight in layer_weights(model)])
    embeddings = model.bert.embeddings.word_embeddings.weight.detach().clone()
    cut_smallest(model, 0.25)
    after = torch.cat([weight.detach().flatten() for weight in layer_weights(model)])
    assert zero_share(model) == pytest.approx(0.25, abs=1e-4)
    # What is zero was smaller than what is not.
    assert before[after == 0].max() <= before[after != 0].min()
    torch.testing.assert_close(model.bert.embeddings.word_embeddings.weight.detach(), embeddings)
    assert shares(0.5, 1) == [0.5]
    assert shares(0.8, 2) == pytest.approx([0.8 * (1 - 0.125), 0.8])

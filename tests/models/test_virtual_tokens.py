"""Virtual tokens against embeddings put in front by hand, and against peft's network for them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_families import batch, logits, make

from provetune.models.virtual_tokens import VirtualTokens, add_virtual_tokens, has_virtual_tokens


def prompted(family: str, auto_class: str | None = None, count: int = 3, **changes: Any) -> Any:
    model = make(family, auto_class, **changes)
    torch.manual_seed(6)
    add_virtual_tokens(model, count, start="random", encoder="none", hidden=1)
    with torch.no_grad():
        model.base_model.virtual_tokens.table.copy_(torch.randn(count, model.base_model.virtual_tokens.table.shape[1]))
    return model


def test_bert_reads_them_as_embeddings_at_its_first_position() -> None:
    model, plain = prompted("bert"), make("bert")
    asked = batch(plain)
    table = model.bert.virtual_tokens.table.detach()
    words = torch.cat([table.expand(2, -1, -1), plain.bert.embeddings.word_embeddings(asked["input_ids"])], dim=1)
    mask = torch.cat([torch.ones(2, 3, dtype=torch.long), asked["attention_mask"]], dim=1)
    positions = torch.tensor([[0, 0, 0, *range(8)]] * 2)
    with torch.no_grad():
        hidden = plain.bert(inputs_embeds=words, attention_mask=mask, position_ids=positions).last_hidden_state
        pooled = plain.bert.pooler(hidden[:, 3:])  # what [CLS] says, not the first virtual token
        expected = plain.classifier(pooled)
    torch.testing.assert_close(logits(model), expected, rtol=1e-5, atol=1e-5)


def test_roberta_s_padding_keeps_its_position() -> None:
    model, plain = prompted("roberta"), make("roberta")
    asked = batch(plain)
    table = model.roberta.virtual_tokens.table.detach()
    words = torch.cat([table.expand(2, -1, -1), plain.roberta.embeddings.word_embeddings(asked["input_ids"])], dim=1)
    mask = torch.cat([torch.ones(2, 3, dtype=torch.long), asked["attention_mask"]], dim=1)
    # Positions count from 2; padding has 1.
    positions = torch.tensor([[2, 2, 2, 2, 3, 4, 5, 6, 1, 1, 1], [2, 2, 2, *range(2, 10)]])
    with torch.no_grad():
        hidden = plain.roberta(inputs_embeds=words, attention_mask=mask, position_ids=positions).last_hidden_state
        expected = plain.classifier(hidden[:, 3:])
    torch.testing.assert_close(logits(model), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "deberta-v2", "distilbert", "electra", "modernbert"])
def test_tokens_are_where_they_were(family: str) -> None:
    """Labels of words stay beside their words: outputs are as long as the text, and a word moves its own the most."""
    model = prompted(family, "AutoModelForTokenClassification")
    asked = batch(model)
    found = logits(model)
    assert found.shape == (2, 8, 3)
    changed = {**asked, "input_ids": asked["input_ids"].clone()}
    changed["input_ids"][1, 4] = 88
    moved = (logits(model, **changed) - found)[1].abs().sum(dim=-1)
    assert int(moved.argmax()) == 4


@pytest.mark.parametrize("encoder", ["lstm", "mlp"])
def test_the_network_is_that_of_p_tuning(encoder: Any) -> None:
    """peft's module with the same weights gives the same tokens."""
    from peft import PromptEncoder, PromptEncoderConfig

    config = PromptEncoderConfig(
        task_type="SEQ_CLS",
        num_virtual_tokens=5,
        token_dim=8,
        num_transformer_submodules=1,
        encoder_reparameterization_type=encoder.upper(),
        encoder_hidden_size=6,
        encoder_num_layers=2,
        encoder_dropout=0.0,
    )
    torch.manual_seed(7)
    theirs = PromptEncoder(config)
    ours = VirtualTokens(theirs.embedding.weight.detach(), encoder, 6)
    assert ours.mlp is not None
    ours.mlp.load_state_dict(theirs.mlp_head.state_dict())
    if ours.lstm is not None:
        ours.lstm.load_state_dict(theirs.lstm_head.state_dict())
    torch.testing.assert_close(ours(), theirs(torch.arange(5)[None])[0])
    learned = ours().detach()
    ours.settle()
    assert [name for name, _ in ours.named_parameters()] == ["table"]
    assert torch.equal(ours(), learned)


def test_they_begin_as_words_of_the_vocabulary() -> None:
    model = make("bert")
    torch.manual_seed(8)
    add_virtual_tokens(model, 12, start="words", encoder="none", hidden=1)
    words = model.bert.embeddings.word_embeddings.weight
    assert has_virtual_tokens(model)
    assert all((words == row).all(dim=1).any() for row in model.bert.virtual_tokens.table)


def test_objectives_still_reach_the_words_embeddings() -> None:
    """A hook on the input embeddings, as an attack on them has it, sees the text's tokens and no virtual ones."""
    model = prompted("bert")
    shapes: list[torch.Size] = []
    model.get_input_embeddings().register_forward_hook(lambda _, given, output: shapes.append(output.shape))
    logits(model)
    assert shapes == [(2, 8, 32)]

"""Direct preference optimisation against the formula worked out by hand, and against texts one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
import torch
from chat_tokenizers import make_chat_tokenizer, make_tiny_llama

from provetune.core.errors import UsageError
from provetune.core.minimised import LossRun, LossStep, Pass, Situation
from provetune.core.protocols import EncodeSettings, Targets
from provetune.models.methods.lora import Lora, LoraSettings
from provetune.tasks import TASKS
from provetune.training.features import FeatureStore
from provetune.training.objectives.dpo import Dpo, DpoSettings
from provetune.training.preference import dpo_loss, reference_columns, summed_log_probabilities

CHAT: Any = TASKS.get("chat")
TARGETS = Targets("preference", (), options={"turns": "all"})


def rows(count: int = 4) -> pa.Table:
    texts = [f'[{{"role":"user","content":"about {k}"}}]' for k in range(count)]
    return pa.table(
        {
            "row_id": [str(k) for k in range(count)],
            "text": texts,
            "label": [f"yes {'y' * k}" for k in range(count)],
            "rejected": [f"no {k}" for k in range(count)],
        }
    )


@pytest.fixture
def store() -> FeatureStore:
    settings = EncodeSettings(max_length=200, long_texts="head_tail")
    return FeatureStore(CHAT.encode(rows(), make_chat_tokenizer(), settings, TARGETS))


@pytest.fixture
def model() -> Any:
    return make_tiny_llama(len(make_chat_tokenizer()))


def ask_reference(model: Any, store: FeatureStore, cache: Path, weights: str = "w") -> dict[str, Any]:
    def forward(batch: Any) -> torch.Tensor:
        return CHAT.forward(model, batch)

    return reference_columns(forward, CHAT, store, 0, device="cpu", batch_tokens=100, cache=cache, weights=weights)


def answer_log_probability(model: Any, prompt: str, answer: str) -> float:
    """By the plain model, one text at a time, with the whole softmax."""
    tokenizer = make_chat_tokenizer()
    messages = [{"role": "user", "content": prompt}]
    start = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    ids = [*start, *tokenizer(f"{answer}<|end|>", add_special_tokens=False)["input_ids"]]
    with torch.no_grad():
        logs = torch.log_softmax(model(torch.tensor([ids])).logits[0], dim=-1)
    return sum(float(logs[place - 1, ids[place]]) for place in range(len(start), len(ids)))


def test_the_loss_is_that_of_the_paper() -> None:
    chosen, rejected = torch.tensor([-3.0, -5.0]), torch.tensor([-4.0, -2.0])
    before = (torch.tensor([-3.5, -5.0]), torch.tensor([-3.0, -2.5]))
    margins = [0.2 * (0.5 - -1.0), 0.2 * (0.0 - 0.5)]
    wanted = np.mean([math.log(1 + math.exp(-margin)) for margin in margins])
    assert float(dpo_loss(chosen, rejected, *before, beta=0.2)) == pytest.approx(wanted, rel=1e-6)
    turned = np.mean([0.9 * math.log(1 + math.exp(-m)) + 0.1 * math.log(1 + math.exp(m)) for m in margins])
    assert float(dpo_loss(chosen, rejected, *before, beta=0.2, doubt=0.1)) == pytest.approx(turned, rel=1e-6)
    assert float(dpo_loss(chosen, rejected, chosen, rejected, beta=3.0)) == pytest.approx(math.log(2), rel=1e-6)


def test_packed_log_probabilities_are_those_of_the_texts_one_by_one(model: Any, store: FeatureStore) -> None:
    batch = CHAT.collate(store.take(range(4)), 0)
    found = summed_log_probabilities(CHAT.forward(model, batch), batch)
    wanted = [answer_log_probability(model, f"about {k}", f"yes {'y' * k}") for k in range(4)]
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-5)


def test_the_reference_is_asked_once_and_is_the_model_with_its_adapter_off(
    model: Any, store: FeatureStore, tmp_path: Path
) -> None:
    columns = ask_reference(model, store, tmp_path)
    wanted = [answer_log_probability(model, f"about {k}", f"no {k}") for k in range(4)]
    np.testing.assert_allclose(columns["reference_rejected"], wanted, rtol=1e-5)
    wrapped: Any = Lora().prepare(model, LoraSettings(dropout=0.0), CHAT)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    # Found in the cache: the adapter, which changes what the model says, is not asked.
    again = ask_reference(wrapped, store, tmp_path)
    np.testing.assert_array_equal(again["reference_chosen"], columns["reference_chosen"])
    changed = ask_reference(wrapped, store, tmp_path, weights="others")
    assert np.abs(changed["reference_chosen"] - columns["reference_chosen"]).max() > 0.05
    with wrapped.disable_adapter():
        off = ask_reference(wrapped, store, tmp_path, weights="off")
    np.testing.assert_allclose(off["reference_chosen"], columns["reference_chosen"], rtol=1e-5)


def test_rows_that_are_left_out_are_not_asked(model: Any, store: FeatureStore, tmp_path: Path) -> None:
    kept = store.keep_rows(np.asarray([1, 3]))
    columns = ask_reference(model, kept, tmp_path)
    assert len(columns["reference_chosen"]) == 2
    wider = kept.with_columns(columns)
    found = [feature["reference_chosen"] for feature in wider.take([0, 1])]
    np.testing.assert_array_equal(found, columns["reference_chosen"])
    whole = ask_reference(model, store, tmp_path)
    np.testing.assert_allclose(found, whole["reference_chosen"][[1, 3]], rtol=1e-5)


def pair_loss(model: Any, batch: dict[str, torch.Tensor], settings: DpoSettings) -> torch.Tensor:
    """The objective's loss of a batch, as the loop asks for it."""
    run: Any = SimpleNamespace(
        forward=lambda part: CHAT.forward(model, part),
        task_loss=lambda outputs, labels: CHAT.loss(outputs, labels, TARGETS, None),
    )
    step = LossStep(0, 0, np.arange(4), lambda loss: None)

    def inner(part: Any) -> Pass:
        raise AssertionError("the pairs' loss takes the place of the plain one")

    return Dpo().begin(cast(LossRun, run), settings).loss(batch, inner, step).loss


def test_training_on_it_prefers_the_chosen_answers(model: Any, store: FeatureStore, tmp_path: Path) -> None:
    wider = store.with_columns(ask_reference(model, store, tmp_path))
    batch = CHAT.collate(wider.take(range(4)), 0)

    def loss() -> torch.Tensor:
        return pair_loss(model, batch, DpoSettings(beta=0.5))

    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    assert loss().item() == pytest.approx(math.log(2), abs=1e-5)
    for _ in range(15):
        optimiser.zero_grad()
        value = loss()
        value.backward()
        optimiser.step()
    assert loss().item() < 0.1


def test_the_plain_loss_joins_where_it_is_asked_for(model: Any, store: FeatureStore, tmp_path: Path) -> None:
    batch = CHAT.collate(store.with_columns(ask_reference(model, store, tmp_path)).take(range(4)), 0)

    def loss(likelihood: float) -> float:
        return pair_loss(model, batch, DpoSettings(likelihood=likelihood)).item()

    wanted = [answer_log_probability(model, f"about {k}", f"yes {'y' * k}") for k in range(4)]
    tokens = sum(len(f"yes {'y' * k}") + 1 for k in range(4))
    assert loss(2.0) - loss(0.0) == pytest.approx(2.0 * -sum(wanted) / tokens, rel=1e-4)


def test_rows_without_pairs_are_refused(model: Any) -> None:
    situation = Situation("chat", "conversation", 0, (), "full", "weights", ("dpo",), "llama")
    with pytest.raises(UsageError, match=r"pairs of a chosen and a rejected.*data\.columns\.rejected"):
        Dpo().check(situation)
    Dpo().check(replace(situation, kind=TARGETS.kind))
    with pytest.raises(UsageError, match="needs pairs of answers"):
        pair_loss(model, {"labels": torch.zeros(1)}, DpoSettings())

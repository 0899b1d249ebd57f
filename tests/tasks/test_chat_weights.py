"""The catalogue's decoder through the chat task: packed as alone, answering, learning a dialogue by heart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from provetune.core.errors import EnvironmentFault
from provetune.core.protocols import EncodeSettings
from provetune.inference.features import FeatureTable
from provetune.models.backbones import find_backbone
from provetune.models.loading import load_model, load_tokenizer
from provetune.models.methods.lora import Lora, LoraSettings
from provetune.models.packed_attention import can_pack, packed_logits
from provetune.tasks import TASKS

pytestmark = [pytest.mark.weights, pytest.mark.slow, pytest.mark.timeout(900)]
CHAT: Any = TASKS.get("chat")
DIALOGUES = (
    ("#Person1#: Did you post the letter? #Person2#: Yes, this morning.", "Person2 posted the letter this morning."),
    ("#Person1#: Coffee? #Person2#: Tea, please.", "Person2 would rather have tea than coffee."),
)
BY_HEART = 0.02
"""Loss of a token below which another step would show nothing more."""


@pytest.fixture(scope="module")
def backbone() -> Path:
    try:
        return find_backbone("auto", "en", kind="decoder").path
    except EnvironmentFault as fault:
        pytest.skip(str(fault))


def rows() -> pa.Table:
    texts = [json.dumps([{"role": "user", "content": dialogue}]) for dialogue, _ in DIALOGUES]
    return pa.table({"row_id": ["a", "b"], "text": texts, "label": [summary for _, summary in DIALOGUES]})


def test_packed_says_what_it_says_alone_and_learns_by_heart(backbone: Path) -> None:
    targets = CHAT.targets(rows(), options={"system": "Summarise.", "max_target_length": 24})
    tokenizer = CHAT.prepare_tokenizer(load_tokenizer(backbone), targets)
    plain = CHAT.prepare_model(load_model(backbone, CHAT.auto_class, {}, seed=0), tokenizer, targets)
    assert plain.generation_config.eos_token_id == [2]
    features = FeatureTable(CHAT.encode(rows(), tokenizer, EncodeSettings(200, "head_tail"), targets))
    batch = CHAT.collate(features.take([0, 1]), 2)
    assert can_pack(plain)
    ids, lengths = batch["input_ids"], batch["lengths"].tolist()
    with torch.inference_mode():
        found = packed_logits(plain, ids, lengths, torch.ones(ids.shape[1], dtype=torch.bool))
        alone = [plain(part).logits[0] for part in ids.split(lengths, dim=1)]
    torch.testing.assert_close(found, torch.cat(alone), atol=2e-3, rtol=1e-3)
    learned = batch["labels"][0][batch["labels"][0] != -100]
    summaries = [summary for _, summary in DIALOGUES]
    assert tokenizer.decode(learned) == "<|im_end|>".join(summaries) + "<|im_end|>"

    model: Any = Lora().prepare(plain, LoraSettings(dropout=0.0), CHAT).train()
    optimiser = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=3e-3)
    losses = []
    for _ in range(20):
        loss = CHAT.loss(CHAT.forward(model, batch), batch["labels"], targets, None)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if losses[-1] < BY_HEART:
            break
    assert losses[0] < 5
    assert losses[-1] < 0.2
    merged = Lora().merge(model).eval()
    with torch.inference_mode():
        records = CHAT.infer(merged, {k: v for k, v in batch.items() if k != "labels"}, targets, tokenizer)
    answers = CHAT.answers(records, features, rows(), targets)
    assert [answer.text for answer in answers] == summaries
    assert all(answer.score > 0.5 and not answer.stopped for answer in answers)
    assert "".join(CHAT.stream(merged, CHAT.collate(features.take([1]), 2), targets, tokenizer)) == summaries[1]

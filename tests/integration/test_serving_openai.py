"""Conversations and vectors over the two addresses that programs written for OpenAI's interface ask."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_tokenizers import write_tiny_decoder
from served import Server, real_server

pytestmark = pytest.mark.slow
MESSAGES = [{"role": "user", "content": "about parcel 3"}]


def write_chat_bundle(folder: Path) -> Path:
    """A random decoder that writes twelve tokens."""
    import pyarrow as pa
    from transformers import AutoModelForCausalLM

    from provetune.models.bundle import BundleContents, Golden, write_bundle
    from provetune.models.loading import load_tokenizer
    from provetune.tasks import TASKS

    task: Any = TASKS.get("chat")
    write_tiny_decoder(folder.parent / "decoder")
    model = AutoModelForCausalLM.from_pretrained(folder.parent / "decoder").eval()
    rows = pa.table({"row_id": ["0"], "text": [json.dumps(MESSAGES)], "label": ["fine"]})
    targets = task.targets(rows, options={"max_target_length": 12})
    tokenizer = task.prepare_tokenizer(load_tokenizer(folder.parent / "decoder"), targets)
    record = {"columns": {"text": "messages"}, "encode": {"max_length": 128, "long_texts": "head", "stride": 0}}
    contents = BundleContents("transformers", "chat", targets, Golden((), ()), record, model=model, tokenizer=tokenizer)
    return write_bundle(folder, contents)


def write_retrieval_bundle(folder: Path, backbone: Path) -> Path:
    """A random encoder of texts."""
    from transformers import AutoModel

    from provetune.core.protocols import Targets
    from provetune.models.bundle import BundleContents, Golden, write_bundle
    from provetune.models.loading import load_tokenizer
    from provetune.tasks import TASKS

    task: Any = TASKS.get("retrieval")
    targets = Targets("documents", (), (), None, task.options().model_dump(mode="json"))
    tokenizer = task.prepare_tokenizer(load_tokenizer(backbone), targets)
    model = task.prepare_model(AutoModel.from_pretrained(backbone).eval(), tokenizer, targets)
    contents = BundleContents(
        "transformers",
        "retrieval",
        targets,
        Golden((), ()),
        {"encode": {"max_length": 48, "long_texts": "head", "stride": 8}, "inputs": "question"},
        model=model,
        tokenizer=tokenizer,
        furnish=lambda place: task.furnish(place, model, tokenizer, targets),
    )
    return write_bundle(folder, contents)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    found = tmp_path_factory.mktemp("openai")
    write_chat_bundle(found / "talk")
    write_retrieval_bundle(found / "find", tiny_backbone)
    return found


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Server]:
    with real_server(place, str(place / "talk"), str(place / "find"), "--threads", "1") as found:
        yield found


def test_a_conversation_is_answered_whole_and_in_pieces_as_offline(server: Server, place: Path) -> None:
    from provetune.inference.predictor import load

    offline = load(place / "talk").predict(MESSAGES)[0]["text"]
    body = {"model": "talk", "messages": MESSAGES, "temperature": 0.7}
    found = server.client.post("/v1/chat/completions", json=body).json()
    assert found["object"] == "chat.completion"
    assert found["choices"][0]["message"] == {"role": "assistant", "content": offline}
    assert found["usage"]["total_tokens"] == found["usage"]["prompt_tokens"] + found["usage"]["completion_tokens"]
    with server.client.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as answer:
        events = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(each)["choices"][0] for each in events[:-1]]
    assert "".join(each["delta"].get("content", "") for each in chunks) == offline
    assert [each["finish_reason"] for each in chunks[-2:]] == [None, "stop"]
    assert server.predict(MESSAGES).json()["answer"]["text"] == offline
    with server.client.stream("POST", "/v1/predict", json={"input": MESSAGES, "stream": True}) as answer:
        events = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert "".join(json.loads(each)["text"] for each in events[:-1]) == offline


def test_vectors_are_those_of_the_bundle_in_both_forms(server: Server, place: Path) -> None:
    from provetune.inference.predictor import load

    texts = ["the red car", "a blue bus"]
    offline = [row["embedding"] for row in load(place / "find").predict(texts)]
    plain = server.client.post("/v1/embeddings", json={"model": "find", "input": texts}).json()
    assert [each["index"] for each in plain["data"]] == [0, 1]
    np.testing.assert_allclose([each["embedding"] for each in plain["data"]], offline, atol=1e-5)
    body = {"model": "find", "input": texts[1], "encoding_format": "base64"}
    packed = server.client.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]
    np.testing.assert_allclose(np.frombuffer(base64.b64decode(packed), "<f4"), offline[1], atol=1e-5)


def test_each_address_says_which_bundles_it_is_not_for(server: Server) -> None:
    wrong = [
        server.client.post("/v1/embeddings", json={"model": "talk", "input": "a"}),
        server.client.post("/v1/chat/completions", json={"model": "find", "messages": MESSAGES}),
        server.client.post("/v1/predict", json={"model": "find", "input": "a", "stream": True}),
    ]
    assert [each.status_code for each in wrong] == [422, 422, 422]
    assert "/v1/predict" in wrong[0].json()["error"]["message"]

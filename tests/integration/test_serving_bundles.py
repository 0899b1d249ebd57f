"""`provetune serve` with real bundles: their answers, what cannot be served, and what changes while it is served."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from served import Server, in_threads, odd_server, real_server, write_network_bundle, write_plain_bundle
from word_tokenizer import WORDS

VOCABULARY = WORDS.split()


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("bundles")
    return {
        "net": write_network_bundle(place / "net"),
        "alone": write_network_bundle(place / "alone", seed=1, batches=False),
        "plain": write_plain_bundle(place / "plain"),
    }


@pytest.fixture(scope="module")
def server(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    words = [*map(str, bundles.values()), "--threads", "1", "--max-batch-tokens", "600"]
    with real_server(tmp_path_factory.mktemp("real"), *words) as found:
        yield found


def texts(count: int, seed: int = 0) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(VOCABULARY, draw.integers(1, 40))) for _ in range(count)]


@pytest.mark.slow
def test_an_answer_does_not_depend_on_who_else_asks(server: Server, bundles: dict[str, Path]) -> None:
    """Rows 11 and 12: offline, alone, and in one batch with others of every length."""
    from provetune.inference.predictor import load

    asked = texts(40)
    for name in ("net", "alone", "plain"):
        offline = load(bundles[name]).predict(asked, proba=True)
        alone = [server.predict(text, model=name, proba=True).json()["answer"] for text in asked]
        body = {"inputs": asked, "model": name, "proba": True}
        together = server.client.post("/v1/predict", json=body).json()["answers"]
        at_once = in_threads(20, lambda k, name=name: server.predict(asked[k], model=name, proba=True).json()["answer"])
        for found in (alone, together, [*at_once, *offline[20:]]):
            assert [each["label"] for each in found] == [each["label"] for each in offline]
            for one, other in zip(found, offline, strict=True):
                assert max(abs(one["labels"][label] - other["labels"][label]) for label in one["labels"]) <= 1e-5


@pytest.mark.slow
def test_in_eight_bits_an_answer_does_not_depend_on_who_else_asks(
    tmp_path: Path, tiny_backbone: Path, bundles: dict[str, Path]
) -> None:
    """Row 12 over HTTP: an int8 graph under micro-batching, beside neighbours that one scale for all would be drawn
    by; and a torch bundle that is computed as a graph without torch."""
    from encoder_bundles import write_encoder_bundle, write_made

    from provetune.compression.neighbours import EXTREME
    from provetune.compression.steps import STEPS
    from provetune.inference.predictor import load

    sample, step = write_encoder_bundle(tmp_path / "parent", "classification", tiny_backbone), STEPS.get("int8")
    eight = write_made(tmp_path / "eight", sample.bundle, step.apply(sample.given(tmp_path), step.settings())).path
    asked = sample.asked.column("text").to_pylist()
    strange = [EXTREME, "a", " ".join(asked), "9" * 60]
    offline = load(eight, threads=1).predict(asked, proba=True)
    with real_server(tmp_path, str(eight), str(bundles["net"]), "--threads", "1", backend="onnx") as server:
        alone = [server.predict(text, proba=True).json()["answer"] for text in asked]
        at_once = in_threads(
            32, lambda k: server.predict(asked[k // 4] if k % 4 == 0 else strange[k % 4], proba=True).json()["answer"]
        )
        among = [server.client.post("/v1/predict", json={"inputs": [*strange, text], "proba": True}) for text in asked]
        assert server.metric("provetune_batch_items_count", model="eight") < 8 + 32 + 8 * 5  # batches were shared
        answers = [each.json()["answers"][-1] for each in among]
        for found in (alone, at_once[::4], answers):
            assert [each["label"] for each in found] == [each["label"] for each in offline]
            for one, other in zip(found, offline, strict=True):
                assert max(abs(one["labels"][label] - other["labels"][label]) for label in one["labels"]) <= 1e-3
        engines = {each["id"]: each["engine"] for each in server.client.get("/v1/models").json()["data"]}
        assert "a graph of this bundle" in engines["net"]
        wanted = load(bundles["net"], threads=1).predict(texts(5), proba=True)
        told = server.client.post("/v1/predict", json={"inputs": texts(5), "model": "net", "proba": True}).json()
        for one, other in zip(told["answers"], wanted, strict=True):
            assert one["labels"] == pytest.approx(other["labels"], abs=1e-5)
        for worker in server.workers():
            assert "libtorch" not in Path(f"/proc/{worker.pid}/maps").read_text()


@pytest.mark.slow
def test_memory_does_not_grow_with_shapes(server: Server) -> None:
    """Row 10 in short: every length twice; the second time costs nothing more."""
    (worker,) = [each for each in server.workers() if each.pid == max(each.pid for each in server.workers())]

    def ask_every_length() -> int:
        for length in range(1, 45):
            server.client.post(
                "/v1/predict", json={"inputs": [" ".join((VOCABULARY * 4)[:length])] * 3, "model": "net"}
            )
        return sum(each.memory_info().rss for each in server.workers())

    first = ask_every_length()
    assert ask_every_length() <= 1.1 * first
    assert worker.is_running()


@pytest.mark.slow
def test_the_interface_is_described_with_each_bundle_s_own_items(server: Server) -> None:
    import jsonschema

    document = server.client.get("/openapi.json").json()
    schema = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(schema["example"])
    assert server.client.post("/v1/predict", json=schema["example"]).status_code == 200
    for wrong in ({}, {"input": "a", "inputs": ["a"]}, {"input": "a", "top_k": 0}, {"input": "a", "nope": 1}):
        assert not validator.is_valid(wrong)
        assert server.client.post("/v1/predict", json=wrong).status_code == 422
    models = server.client.get("/v1/models").json()
    assert [each["id"] for each in models["data"]] == ["net", "alone", "plain"]
    assert models["aliases"] == {"production": {"model": "net", "share": 1.0}}
    assert server.predict("a", model="nett").json()["error"]["type"] == "model_not_found"


@pytest.mark.slow
def test_one_port_is_open_and_json_is_all_that_is_printed(server: Server) -> None:
    """Row 31: the server listens once, its workers not at all."""
    listening = [
        each.laddr.port
        for process in (psutil.Process(server.process.pid), *server.workers())
        for each in process.net_connections("inet")
        if each.status == psutil.CONN_LISTEN
    ]
    assert listening == [int(server.url.rsplit(":", 1)[1])]


def refused(*words: str) -> str:
    """What `provetune serve` says when it does not start; it is one line."""
    command = [sys.executable, "-c", "from provetune.cli.main import main; main()", "serve", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
    return last


@pytest.mark.slow
def test_what_cannot_be_served_is_said_in_a_line(bundles: dict[str, Path], tmp_path: Path) -> None:
    place = ("--workspace", str(tmp_path / "w"), "--port")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(str(bundles["plain"]), *place, port)
        assert port in said
        assert "--port" in said
    assert "no bundle" in refused(str(tmp_path / "nothing"), *place, "0")
    (tmp_path / "empty").mkdir()
    assert "not a bundle" in refused(str(tmp_path / "empty"), *place, "0")
    broken = tmp_path / "broken"
    shutil.copytree(bundles["net"], broken)
    weights = broken / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert "model.safetensors" in refused(str(broken), *place, "0")


@pytest.mark.slow
def test_a_bundle_is_loaded_again_while_it_answers(tmp_path: Path, bundles: dict[str, Path]) -> None:
    """The new worker is ready before the old one goes; what does not load changes nothing."""
    spoiled = tmp_path / "spoiled"
    with odd_server(tmp_path / "w", bundle=bundles["plain"], env={"ODD_BROKEN_IF": str(spoiled)}) as server:
        (before,) = server.workers()

        def ask_or_reload(number: int) -> list[int]:
            if number == 0:
                time.sleep(0.2)
                return [server.client.post("/v1/admin/reload", json={"model": "odd"}).status_code]
            return [server.predict(f"#sleep 0.02 {number} {step}").status_code for step in range(60)]

        found = [status for each in in_threads(5, ask_or_reload) for status in each]
        assert set(found) == {200}
        server.wait_until(lambda: before not in server.workers(), 10)
        (after,) = server.workers()
        spoiled.touch()
        told = server.client.post("/v1/admin/reload", json={})
        assert (told.status_code, told.json()["error"]["type"]) == (409, "refused")
        assert str(tmp_path) not in told.text
        assert server.workers() == [after]
        assert server.predict("still").status_code == 200


@pytest.mark.slow
def test_aliases_are_shared_by_two_servers_and_survive_their_death(tmp_path: Path, bundles: dict[str, Path]) -> None:
    place = tmp_path / "w"
    names = ("one", "two", "three")
    with odd_server(place, *names, bundle=bundles["plain"]) as mine:
        with odd_server(place, *names, bundle=bundles["plain"]) as theirs:

            def answering(server: Server) -> str:
                return str(server.predict("who?").json()["model"])

            assert answering(mine) == answering(theirs) == "one"
            assert _admin(mine, "promote", alias="production", model="two") == "two"
            assert answering(mine) == "two"
            theirs.wait_until(lambda: answering(theirs) == "two", 5)
            _admin(mine, "promote", alias="canary", model="three", share=0.3)
            asked = [f"text {number}" for number in range(300)]
            answered = [mine.predict(text).json()["model"] for text in asked]
            assert set(answered) == {"two", "three"}
            assert 50 < answered.count("three") < 130  # 90 expected, 8 the standard deviation
            theirs.wait_until(lambda: "canary" in theirs.client.get("/v1/models").json()["aliases"], 5)
            assert [theirs.predict(text).json()["model"] for text in asked[:60]] == answered[:60]
            assert mine.predict("x", model="canary").json()["model"] == "three"
            _admin(mine, "promote", alias="canary", model=None)
            _admin(mine, "promote", alias="shadow", model="three")
            assert mine.predict("seen by two").json()["model"] == "two"
            same = {"model": "three", "outcome": "same"}
            mine.wait_until(lambda: mine.metric("provetune_shadow_answers_total", **same) == 1, 5)
            assert mine.client.post("/v1/admin/promote", json={"model": "../../etc"}).status_code == 422
            theirs.process.send_signal(signal.SIGKILL)
            theirs.process.wait()
        mine.process.send_signal(signal.SIGKILL)
        mine.process.wait()
    with odd_server(place, *names, bundle=bundles["plain"]) as again:
        assert again.predict("who?").json()["model"] == "two"
        assert _admin(again, "rollback", alias="production") == "one"
        assert json.loads((place / "serving" / "aliases.json").read_text())["aliases"]["production"]["name"] == "one"


@pytest.mark.slow
def test_workers_end_with_a_server_that_was_killed(tmp_path: Path, bundles: dict[str, Path]) -> None:
    with odd_server(tmp_path, bundle=bundles["plain"]) as server:
        workers = server.workers()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        gone, left = psutil.wait_procs(workers, timeout=10)
        assert (len(gone), left) == (1, [])


def _admin(server: Server, what: str, **body: object) -> str:
    """Production after a change."""
    found = server.client.post(f"/v1/admin/{what}", json=body)
    assert found.status_code == 200, found.text
    return str(found.json()["aliases"]["production"]["model"])

"""Servers as processes of their own, and bundles for them."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

HERE = Path(__file__).parent


class Server:
    """A server that runs.

    Attributes:
        url: where it listens.
        process: the server itself.
    """

    def __init__(self, command: Sequence[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=stream, env={**os.environ, **(env or {})}
            )
        try:
            self.url = str(self._first_document(240.0)["url"])
        except AssertionError:
            self.process.kill()
            self.process.communicate()
            raise
        self.client = httpx.Client(base_url=self.url, timeout=60.0, trust_env=False)

    def _first_document(self, within_s: float) -> dict[str, Any]:
        """The first JSON document on its standard output."""
        found = b""
        end = time.monotonic() + within_s
        assert self.process.stdout is not None
        while time.monotonic() < end:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                piece = os.read(self.process.stdout.fileno(), 65536)
                found += piece
                try:
                    return dict(json.loads(found))
                except ValueError:
                    if not piece:
                        break
        raise AssertionError(f"no server: {self.log.read_text()} {found!r}")

    def predict(self, text: Any, **fields: Any) -> httpx.Response:
        return self.client.post("/v1/predict", json={"input": text, **fields})

    def ready(self) -> bool:
        return self.client.get("/health/ready").status_code == 200

    def metric(self, name: str, **labels: str) -> float:
        """A figure of `/metrics`, summed over the series that have these labels."""
        found = 0.0
        for line in self.client.get("/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            if series.split("{")[0] == name and all(f'{key}="{each}"' in series for key, each in labels.items()):
                found += float(value)
        return found

    def workers(self) -> list[psutil.Process]:
        return [each for each in psutil.Process(self.process.pid).children() if each.is_running()]

    def wait_until(self, what: Callable[[], bool], within_s: float) -> float:
        """Seconds until something holds; it must within a time."""
        began = time.monotonic()
        while not what():
            assert time.monotonic() - began < within_s, f"not within {within_s} s"
            time.sleep(0.05)
        return time.monotonic() - began

    def stop(self) -> int:
        """End it as a service manager does; its exit code."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()


class Caller:
    """One client with one connection, as light as clients are: many of them are to fit beside a server."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)

    def ask(self, **document: Any) -> tuple[int, dict[str, Any], float]:
        """Status, document and seconds of one prediction.

        Raises:
            ConnectionRefusedError: nobody listens.
            ConnectionError, http.client.HTTPException: the connection broke before the answer.
        """
        began = time.monotonic()
        body = json.dumps(document).encode()
        self._connection.request("POST", "/v1/predict", body, {"content-type": "application/json"})
        answer = self._connection.getresponse()
        found = dict(json.loads(answer.read()))
        if "retry-after" in answer.headers:
            found["retry_after"] = int(answer.headers["retry-after"])
        return answer.status, found, time.monotonic() - began

    def leave(self, **document: Any) -> None:
        """Ask, and hang up without waiting for the answer."""
        body = json.dumps(document).encode()
        self._connection.request("POST", "/v1/predict", body, {"content-type": "application/json"})
        time.sleep(0.02)
        self._connection.close()

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


@contextmanager
def odd_server(
    folder: Path, *names: str, bundle: Path, env: dict[str, str] | None = None, **settings: Any
) -> Iterator[Server]:
    """A server whose models do as their texts say, see `odd_worker`."""
    named = [f"{name}={bundle}" for name in names or ("odd",)]
    command = [sys.executable, str(HERE / "odd_server.py"), json.dumps(settings), str(folder), *named]
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(command, folder / f"server-{time.monotonic_ns()}.log", env)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def real_server(
    folder: Path, *words: str, env: dict[str, str] | None = None, backend: str = "torch"
) -> Iterator[Server]:
    """`provetune serve` with these words, on a port that is free; `backend` ``"auto"`` takes time to try both."""
    workspace = folder / ".provetune"
    command = [sys.executable, "-c", "from provetune.cli.main import main; main()", "serve", *words]
    command += ["--port", "0", "--json", "--workspace", str(workspace), "--backend", backend]
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(command, folder / f"server-{time.monotonic_ns()}.log", env)
    try:
        yield server
    finally:
        server.stop()


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work` gives for 0 … count - 1, each in a thread of its own."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def write_plain_bundle(folder: Path, **record: Any) -> Path:
    """A bundle of the tfidf method on a few texts: small, quick, no torch."""
    import numpy as np

    from provetune.core.protocols import Targets
    from provetune.models.bundle import BundleContents, Golden, write_bundle
    from provetune.models.methods.tfidf import METHOD

    targets = Targets("single_label", ("billing", "delivery", "other"), (3, 3, 3))
    texts = ["card charged", "charged twice", "the card", "parcel lost", "the parcel", "no parcel", "a b", "b c", "a c"]
    fitted = METHOD.fit(texts, np.repeat([0, 1, 2], 3), targets, METHOD.settings(), seed=0)
    kept = {"columns": {"text": "text", "label": "label"}, "problem": {"data": {}}, **record}
    return write_bundle(folder, BundleContents("tfidf", "classification", targets, Golden((), ()), kept, fitted=fitted))


def write_network_bundle(
    folder: Path, *, seed: int = 0, max_length: int = 48, positions: int = 64, **record: Any
) -> Path:
    """A random BERT classifier with golden examples, its answers far apart from text to text."""
    import torch
    import transformers
    from word_tokenizer import VOCABULARY, wrapped_tokenizer

    from provetune.core.protocols import Targets
    from provetune.inference.predictor import load
    from provetune.models.bundle import BundleContents, Golden, write_bundle
    from provetune.tasks import TASKS

    torch.manual_seed(seed)
    task, targets = TASKS.get("classification"), Targets("single_label", ("billing", "delivery", "other"), (3, 3, 3))
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        initializer_range=0.4,
        max_position_embeddings=positions,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        **task.head(targets),
    )
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    kept = {
        "columns": {"text": "text", "label": "label"},
        "encode": {"max_length": max_length, "long_texts": "head", "stride": 0},
        "problem": {"data": {}},
        **record,
    }

    def write(place: Path, golden: Golden) -> Path:
        contents = BundleContents(
            "transformers", "classification", targets, golden, kept, model=model, tokenizer=wrapped_tokenizer()
        )
        return write_bundle(place, contents)

    asked = ("the card was charged twice", "parcel says delivered but nothing arrived")
    bare = load(write(folder.parent / f"{folder.name}-bare", Golden((), ())))
    answers = bare.probabilities(list(asked))
    return write(folder, Golden.of(asked, answers))

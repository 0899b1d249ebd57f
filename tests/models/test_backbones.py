"""Where a backbone comes from: a folder, the catalogue, the hub (a local server), or nowhere, said at once."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from crafted import entry_of, make_wheel, package_of

from provetune.core.errors import CorruptError, EnvironmentFault, UsageError
from provetune.models import catalogue
from provetune.models.backbones import content_hash, find_backbone
from provetune.models.cache import downloads_folder


def test_a_folder(tiny_bert: Path) -> None:
    found = find_backbone(str(tiny_bert))
    assert found.family == "bert"
    assert found.source == "folder"
    assert found.max_positions == 32  # the tokenizer's limit, under the 40 positions of the weights
    assert found.content_hash == content_hash(tiny_bert)


def test_a_relative_folder_starts_at_the_problem_file(tiny_bert: Path) -> None:
    assert find_backbone(f"./{tiny_bert.name}", base=tiny_bert.parent).path == tiny_bert


def test_equal_content_has_one_hash_wherever_it_lies(tiny_bert: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_bert, tmp_path / "elsewhere")
    (copy / "README.md").write_text("a note")
    assert content_hash(copy) == content_hash(tiny_bert)
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(weights))
    assert content_hash(copy) != content_hash(tiny_bert)


def test_roberta_numbers_positions_from_two(tiny_bert: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_bert, tmp_path / "roberta")
    config = json.loads((copy / "config.json").read_text())
    config.update(model_type="roberta", pad_token_id=1, max_position_embeddings=27)
    (copy / "config.json").write_text(json.dumps(config))
    # 27 less the two that it leaves out, in whole eights because batches are padded to those.
    assert find_backbone(str(copy)).max_positions == 24


@pytest.mark.parametrize("broken", ["config.json", "model.safetensors"])
def test_a_folder_without_a_part_is_no_backbone(tiny_bert: Path, tmp_path: Path, broken: str) -> None:
    copy = shutil.copytree(tiny_bert, tmp_path / "broken")
    (copy / broken).unlink()
    with pytest.raises(UsageError, match="A model folder has"):
        find_backbone(str(copy))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no folder './minilm-em'.*Did you mean 'minilm-en'"):
        find_backbone("./minilm-em", base=tmp_path)


def test_a_model_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match=r"is a decoder.*with an encoder.*minilm-en, m3e-small-zh, mpnet-base-en"):
        find_backbone("smollm2-135m-en")
    with pytest.raises(UsageError, match=r"'minilm-en' is an encoder; .*a decoder.*Take one of: smollm2-135m-en"):
        find_backbone("minilm-en", kind="decoder")
    with pytest.raises(UsageError, match=r"an encoder-decoder.*The catalogue has none: name a folder"):
        find_backbone("minilm-en", kind="encoder_decoder")


@pytest.fixture
def catalogued(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_bert: Path) -> catalogue.Entry:
    monkeypatch.setenv("PROVETUNE_CACHE", str(tmp_path / "cache"))
    files = {f"tiny_model/model/{path.name}": path.read_bytes() for path in tiny_bert.iterdir()}
    wheel = make_wheel(tmp_path / "wheels", "tiny-model", "1.0", files)
    entry = entry_of(package_of(wheel, "tiny-model", "1.0"), licence_note="Be careful.")
    monkeypatch.setattr(catalogue, "_read", lambda: (entry, replace(entry, name="other", default_for=())))
    downloads_folder().mkdir(parents=True)
    shutil.move(wheel, downloads_folder())
    return entry


def test_auto_takes_the_default_of_the_language(catalogued: catalogue.Entry, tiny_bert: Path) -> None:
    found = find_backbone("auto", "en")
    assert (found.name, found.source, found.languages) == ("tiny-model", "catalogue", ("en",))
    assert found.licence == "Apache-2.0. Be careful."
    assert found.content_hash == content_hash(tiny_bert)


def test_a_changed_file_in_the_cache_is_noticed(catalogued: catalogue.Entry) -> None:
    folder = find_backbone("tiny-model").path
    (folder / "tokenizer_config.json").write_text("{}")
    with pytest.raises(CorruptError, match=r"tokenizer_config\.json.*provetune models get tiny-model"):
        find_backbone("tiny-model")


class Hub(BaseHTTPRequestHandler):
    folder: ClassVar[Path]
    commit = "1" * 40

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = self.path.split("?")[0]
        files = sorted(file.name for file in self.folder.iterdir())
        content: bytes | None = None
        kind = "application/json"
        if path in ("/api/models/org/tiny", "/api/models/org/tiny/revision/main"):
            siblings = [{"rfilename": name} for name in files]
            content = json.dumps(
                {"id": "org/tiny", "modelId": "org/tiny", "sha": self.commit, "siblings": siblings}
            ).encode()
        elif path.startswith(f"/api/models/org/tiny/tree/{self.commit}"):
            tree = [
                {"type": "file", "path": name, "size": (self.folder / name).stat().st_size, "oid": "2" * 40}
                for name in files
            ]
            content = json.dumps(tree).encode()
        elif path.startswith(f"/org/tiny/resolve/{self.commit}/"):
            file = self.folder / path.rsplit("/", 1)[1]
            content = file.read_bytes() if file.exists() else None
            kind = "application/octet-stream"
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", self.commit)
        self.send_header("ETag", f'"{"3" * 40}-{path.rsplit("/", 1)[1]}"')
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_bert: Path) -> Iterator[str]:
    from huggingface_hub import constants

    Hub.folder = shutil.copytree(tiny_bert, tmp_path / "served")
    (Hub.folder / "modelling.py").write_text("raise SystemExit")
    (Hub.folder / "pytorch_model.bin").write_bytes(b"never fetched")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    yield "org/tiny"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_hub_name_fetches_weights_and_no_code(hub: str, tiny_bert: Path) -> None:
    found = find_backbone(hub)
    assert found.source == "hub"
    assert found.content_hash == content_hash(tiny_bert)
    assert sorted(path.name for path in found.path.iterdir()) == sorted(path.name for path in tiny_bert.iterdir())


def test_what_the_hub_gave_once_needs_no_hub(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = find_backbone(hub)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert find_backbone(hub) == first


def test_the_hub_has_no_such_model(hub: str) -> None:
    with pytest.raises(UsageError, match=r"no model 'org/other'.*minilm-en \(en\), m3e-small-zh \(zh\)"):
        find_backbone("org/other")


def test_a_hub_out_of_reach_is_said_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(EnvironmentFault, match=r"hub is out of reach.*'bert-base-uncased'.*minilm-en \(en\)"):
        find_backbone("bert-base-uncased")
    assert time.monotonic() - start < 5


def test_no_name_at_all() -> None:
    with pytest.raises(UsageError, match="neither a folder nor a model's name"):
        find_backbone("a b")

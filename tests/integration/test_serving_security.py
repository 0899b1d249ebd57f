"""What strangers may try on a real server: rows 25 to 32, at a twentieth of their size."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from served import real_server, write_network_bundle, write_plain_bundle

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import reliability_security
import security_servers

from provetune.core.files import read_json, sha256_file
from provetune.models.bundle.manifest import MANIFEST, manifest_text

MEASURES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "paths": reliability_security.climb,
    "keys": reliability_security.knock_without_key,
    "names": reliability_security.forge_names,
    "fetches": reliability_security.ask_to_fetch,
    "ports": reliability_security.count_ports,
    "fuzz": lambda place: reliability_security.fuzz(place, requests=1_000),
}
ONE_BY_ONE: dict[str, Any] = {
    "max_examples": 30,
    "deadline": None,
    "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
    "derandomize": True,
    "database": None,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURES)
def test_what_is_tried_fails(name: str, tmp_path: Path) -> None:
    found = MEASURES[name](tmp_path)
    assert found["tried"] > 0
    assert found["faults"] == 0, found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "there is no key that is good"),
        (["--host", "0.0.0.0", "--no-auth"], "stays on this machine"),
        (["--allow-host", "http://a"], "no host name"),
        (["--log-texts", "all"], "masked or not at all"),
    ],
)
def test_an_unsafe_server_does_not_start(words: list[str], said: str, tmp_path: Path) -> None:
    """Row 27, in one line."""
    done = security_servers.refused(tmp_path, write_plain_bundle(tmp_path / "plain"), *words)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert said in done.stderr


def changed_byte(folder: Path) -> None:
    place = next(folder.glob("*.safetensors"))
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 1
    place.write_bytes(bytes(content))


def pickled(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04K\x01.")
    _bless(folder, "pytorch_model.bin")


def asking_for_code(folder: Path) -> None:
    place = folder / "config.json"
    place.write_text(json.dumps({**read_json(place), "auto_map": {"AutoModel": "evil--x.Model"}}))
    _bless(folder, "config.json")


def _bless(folder: Path, name: str) -> None:
    """Make the manifest fit, as whoever brings such a bundle would."""
    hashes = {**read_json(folder / MANIFEST)["files"], name: sha256_file(folder / name)}
    (folder / MANIFEST).write_text(manifest_text(hashes))


@pytest.mark.slow
def test_a_hostile_bundle_is_not_served(tmp_path: Path) -> None:
    """Row 32, and bundles that bring a pickle or ask for code."""
    good = write_network_bundle(tmp_path / "good")
    for change, said in ((changed_byte, "was changed"), (pickled, "can run code"), (asking_for_code, "asks for code")):
        bundle = shutil.copytree(good, tmp_path / change.__name__)
        change(bundle)
        done = security_servers.refused(tmp_path, bundle)
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert said in done.stderr


@pytest.mark.slow
def test_two_servers_on_one_workspace_share_their_keys(tmp_path: Path) -> None:
    bundle = str(write_plain_bundle(tmp_path / "plain"))
    with real_server(tmp_path, bundle) as one, real_server(tmp_path, bundle) as other:
        assert [each.predict("card charged").status_code for each in (one, other)] == [200, 200]
        key = security_servers.make_key(tmp_path)
        for server in (one, other):
            server.wait_until(lambda server=server: server.predict("card").status_code == 401, 10)
            server.client.headers["authorization"] = f"Bearer {key}"
            assert server.predict("card charged").json()["answer"]["label"] == "billing"
        assert one.url != other.url


@pytest.mark.slow
def test_schemathesis_finds_no_fault(tmp_path: Path) -> None:
    """Row 30 by another's hand: requests made from the OpenAPI document, those that fit it and those that do not."""
    schemathesis = pytest.importorskip("schemathesis", reason="the developer tools are not installed")
    # Loading a bundle again takes a second each time.
    slow = {"/v1/admin/reload"}
    with real_server(tmp_path, str(write_plain_bundle(tmp_path / "plain"))) as server:
        schema = schemathesis.openapi.from_dict(server.client.get("/openapi.json").json())
        operations = [found.ok() for found in schema.get_all_operations()]
        statuses: list[int] = []

        def ask(case: Any) -> None:
            answer = case.call(base_url=server.url)
            statuses.append(answer.status_code)
            assert answer.status_code < 500, (case, answer.content)

        for operation in operations:
            if operation.path not in slow:
                settings(**ONE_BY_ONE)(given(case=operation.as_strategy())(ask))()
        assert {200, 422} <= set(statuses)
        assert len(statuses) > 50
        assert server.ready()

"""A bundle that asks for code is refused, however well its manifest fits; one that is written here never asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from served import write_plain_bundle

from provetune.core.errors import CorruptError
from provetune.core.files import read_json, sha256_file
from provetune.models.bundle import open_bundle
from provetune.models.bundle.manifest import MANIFEST, manifest_text, write_manifest


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer_config.json", "encoder/config.json", "generation_config.json"]
)
@pytest.mark.parametrize("key", ["auto_map", "custom_pipelines", "\\u0061uto_map"])
def test_a_bundle_that_asks_for_code_is_refused(tmp_path: Path, name: str, key: str) -> None:
    folder = write_plain_bundle(tmp_path / "bundle")
    place = folder / name
    place.parent.mkdir(exist_ok=True)
    place.write_text(f'{{"model_type": "bert", "{key}": {{"AutoModel": "evil--x.Model"}}}}')
    # As whoever brings such a bundle would do it, not by our own writer, which takes the request out.
    hashes = {**read_json(folder / MANIFEST)["files"], name: sha256_file(place)}
    (folder / MANIFEST).write_text(manifest_text(hashes))
    with pytest.raises(CorruptError, match="asks for code"):
        open_bundle(folder)
    write_manifest(folder)
    assert json.loads(place.read_text()) == {"model_type": "bert"}
    open_bundle(folder)

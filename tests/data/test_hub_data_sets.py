"""Data sets by hub name, against a small hub on this machine. The client reads its address once, so each
case runs in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from data_set_hub import serve_hub

from provetune.core.errors import DataError
from provetune.data.readers.hub import HubName

CARD = b"""---
configs:
- config_name: default
  data_files:
  - {split: train, path: train.csv}
  - {split: dev, path: dev.csv}
  - {split: test, path: test.csv}
dataset_info:
  features:
  - {name: text, dtype: string}
  - name: label
    dtype: {class_label: {names: {'0': negative, '1': positive}}}
---
A tiny set.
"""
FILES = {
    "README.md": CARD,
    "train.csv": b"text,label\nvery good,1\nvery bad,0\nquite good,1\nquite bad,0\n",
    "dev.csv": b"text,label\ngood,1\nbad,0\n",
    "test.csv": b"text,label\nso good,1\nso bad,0\n",
}
SPLIT_SCRIPT = """
import json
from pathlib import Path
from provetune.problem.syntax import Data
from provetune.core.protocols import Role
from provetune.data.labelled_texts import LabelledTexts
from provetune.data.splits import make_splits
roles = (Role("text", "the text", many=True), Role("label", "the label"))
splits = make_splits(Data(train="hub:me/tiny"), Path("."), LabelledTexts(roles))
rows = {name: sorted(table.select(["text", "label"]).to_pylist(), key=str) for name, table in splits.tables.items()}
print(json.dumps({"rows": rows, "notes": splits.notes}))
"""
READ_SCRIPT = """
import sys
from provetune.core.errors import ProvetuneError
from provetune.data.reading import read_table
try:
    print(read_table(sys.argv[1]).table["text"].to_pylist())
except ProvetuneError as error:
    print(type(error).__name__, error)
"""


def run(script: str, endpoint: str, home: Path, *arguments: str) -> str:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    environment = {**inherited, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_splits_of_a_hub_set_become_train_validation_and_test(tmp_path: Path) -> None:
    with serve_hub("me/tiny", FILES) as endpoint:
        found: Any = json.loads(run(SPLIT_SCRIPT, endpoint, tmp_path))
    assert found["rows"]["train"] == [
        {"text": "quite bad", "label": "negative"},
        {"text": "quite good", "label": "positive"},
        {"text": "very bad", "label": "negative"},
        {"text": "very good", "label": "positive"},
    ]
    assert [row["text"] for row in found["rows"]["validation"]] == ["bad", "good"]
    assert [row["text"] for row in found["rows"]["test"]] == ["so bad", "so good"]
    assert any("'dev'" in note for note in found["notes"])


def test_one_split_by_name_and_unknown_ones(tmp_path: Path) -> None:
    with serve_hub("me/tiny", FILES) as endpoint:
        assert run(READ_SCRIPT, endpoint, tmp_path, "hub:me/tiny:test") == "['so good', 'so bad']"
        unknown_split = run(READ_SCRIPT, endpoint, tmp_path, "hub:me/tiny:tests")
        unknown_set = run(READ_SCRIPT, endpoint, tmp_path, "hub:me/huge")
    assert unknown_split.startswith("DataError")
    assert "Did you mean 'test'?" in unknown_split
    assert unknown_set.startswith("DataError")
    assert "no data set 'me/huge'" in unknown_set


def test_offline_fails_at_once_and_helps_and_the_cache_still_serves(tmp_path: Path) -> None:
    with serve_hub("me/tiny", FILES) as endpoint:
        run(READ_SCRIPT, endpoint, tmp_path, "hub:me/tiny")
    start = time.monotonic()
    message = run(READ_SCRIPT, endpoint, tmp_path / "empty", "hub:me/tiny")
    assert message.startswith("EnvironmentFault")
    assert endpoint in message
    assert "HF_ENDPOINT" in message
    assert time.monotonic() - start < 20
    assert run(READ_SCRIPT, endpoint, tmp_path, "hub:me/tiny").startswith("['very good'")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("hub:imdb", HubName("imdb")),
        ("hub:me/set:test", HubName("me/set", None, "test")),
        ("hub:nyu/glue#sst2:validation", HubName("nyu/glue", "sst2", "validation")),
    ],
)
def test_hub_names_are_taken_apart(location: str, expected: HubName) -> None:
    assert HubName.parse(location) == expected


@pytest.mark.parametrize("location", ["hub:", "hub::train", "hub:a/b/c"])
def test_broken_hub_names_are_refused(location: str) -> None:
    with pytest.raises(DataError, match="names no hub data set"):
        HubName.parse(location)

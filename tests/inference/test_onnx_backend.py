"""Answers of an ONNX bundle: without torch, from a cold start, row by row where that is said, and what is refused."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_bundles import ENCODER_TASKS, write_exported

from provetune.core.errors import CorruptError, UsageError
from provetune.inference.backends._graph import FILE
from provetune.inference.predictor import load
from provetune.inference.threads import settled_threads
from provetune.models.bundle import update_record
from provetune.models.bundle.manifest import write_manifest

HEAVY = ("torch", "transformers", "pandas", "sklearn", "datasets", "onnx")
ASK = """
import json, sys
from provetune.core.quick_arrow import leave_pandas_out
leave_pandas_out()
from provetune.inference.predictor import load
found = [load(each).predict([text])[0] for each, text in json.loads(sys.argv[1])]
print(json.dumps([found, [name for name in json.loads(sys.argv[2]) if name in sys.modules]], default=str))
"""


@pytest.fixture(scope="module")
def exported(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            made[name] = write_exported(tmp_path_factory.mktemp("exported") / name, name, tiny_backbone)
        return made[name]

    return make


def test_no_task_of_an_encoder_needs_torch_to_answer(exported: Callable[[str], Path]) -> None:
    asked = [(str(exported(name)), _input(exported(name))) for name in [*ENCODER_TASKS, "frozen"]]
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(asked), json.dumps(HEAVY)], check=True, capture_output=True, text=True
    )
    found, loaded = json.loads(done.stdout)
    assert loaded == []
    for (folder, text), told in zip(asked, found, strict=True):
        here = load(folder).predict([tuple(text) if isinstance(text, list) else text])[0]
        assert _rounded(told) == _rounded(json.loads(json.dumps(here, default=str)))


def _input(folder: Path) -> Any:
    """A text as the bundle reads them, or two."""
    record = json.loads((folder / "provetune.json").read_text())
    if record["task"] == "relation":
        return "The <e1> storm </e1> caused a <e2> flood </e2> ."
    named = record["inputs"]
    return (
        ["What was paid?", "The card was charged 12 euros twice."] if isinstance(named, list) else "a card was charged"
    )


def _rounded(told: Any) -> Any:
    return json.loads(json.dumps(told), parse_float=lambda number: round(float(number), 4))


def test_one_text_from_a_cold_command_line(exported: Callable[[str], Path]) -> None:
    """Time of the processor, which neighbours on the machine change little: under a second everywhere it was tried."""
    line = "import sys; from provetune.cli.main import main; main()"
    least = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", line, "predict", str(exported("classification")), "my card was charged"],
            check=True,
            capture_output=True,
            text=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert done.stdout.split("\t")[0] in ("billing", "delivery")
    assert least < 1.2


@pytest.fixture
def copy(exported: Callable[[str], Path], tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(exported("classification"), tmp_path / "bundle"))


TEXTS = ["my card was charged", "a", "the parcel is late and nobody knows where it is", "why"]


def test_a_bundle_that_must_answers_one_row_at_a_time(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provetune.inference.backends._graph import Graph

    together = load(copy).probabilities(TEXTS)
    update_record(copy, batches=False)
    alone = load(copy)
    assert alone.engine.endswith("one row at a time")
    sizes: list[int] = []
    ask = Graph.ask

    def count(self: Graph, features: Any, *rest: Any) -> Any:
        sizes.append(len(features))
        return ask(self, features, *rest)

    monkeypatch.setattr(Graph, "ask", count)
    assert alone.probabilities(TEXTS) == pytest.approx(together, abs=1e-5)
    assert sizes == [1, 1, 1, 1]


def test_rows_are_batched_with_rows_of_their_length(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provetune.inference.backends import onnx
    from provetune.inference.backends._graph import Graph

    monkeypatch.setattr(onnx, "BATCH_TOKENS", 40)
    asked: list[list[int]] = []
    ask = Graph.ask

    def note(self: Graph, features: Any, *rest: Any) -> Any:
        asked.append([len(each["input_ids"]) for each in features])
        return ask(self, features, *rest)

    monkeypatch.setattr(Graph, "ask", note)
    texts = ["a" * length for length in (30, 3, 8, 60, 3, 8)]
    predictor = load(copy)
    found = predictor.probabilities(texts)
    assert asked == [[62], [32], [10, 10, 5, 5]]
    for text, row in zip(texts, found, strict=True):
        assert predictor.probabilities([text])[0] == pytest.approx(row, abs=1e-5)


def test_another_device_or_precision_is_refused(copy: Path) -> None:
    with pytest.raises(UsageError, match=r"answered on the CPU. Got the device 'cuda'"):
        load(copy, device="cuda")
    with pytest.raises(UsageError, match=r"computes in fp32, as it was exported. Got the precision 'bf16'"):
        load(copy, precision="bf16")
    assert load(copy, precision="auto").precision == "fp32"


def test_a_graph_that_cannot_be_read_is_said(copy: Path) -> None:
    (copy / FILE).write_bytes(b"no graph")
    with pytest.raises(CorruptError, match="was changed"):
        load(copy)
    write_manifest(copy)
    with pytest.raises(CorruptError, match="The graph cannot be loaded"):
        load(copy)


def test_nothing_is_unpickled(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    def refuse(*args: Any, **options: Any) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    assert len(load(copy).predict(TEXTS)) == 4
    assert not [path for path in copy.iterdir() if path.suffix in (".pkl", ".pt", ".bin", ".pth")]


def test_threads_are_those_that_were_asked_for(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert settled_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "nonsense")
    from provetune.core.processor import usable_cores

    assert settled_threads() == usable_cores()
    import torch

    before = torch.get_num_threads()
    try:
        load(copy, threads=1)
        assert (settled_threads(), torch.get_num_threads()) == (1, 1)
    finally:
        torch.set_num_threads(before)


def test_memory_does_not_grow_with_the_lengths_that_were_seen(copy: Path) -> None:
    """Row 10 of the faults in short: the second pass over many lengths claims next to nothing."""
    predictor = load(copy)
    texts = ["a" * length for length in range(1, 90)]

    def ask() -> int:
        for text in texts:
            predictor.probabilities([text])
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    ask()
    first = ask()
    assert ask() - first < 2_000


def test_numbers_are_those_of_torch_bundles_padded_otherwise(exported: Callable[[str], Path]) -> None:
    folder = exported("classification")
    wanted = load(folder.parent / "parent").probabilities(TEXTS)
    assert np.abs(load(folder).probabilities(TEXTS) - wanted).max() < 1e-5

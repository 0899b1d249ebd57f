"""An interrupted benchmark goes on: what was measured under the same conditions is not measured again."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "harness.py"


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmarks' harness with its results in a folder of the test's own."""
    spec = importlib.util.spec_from_file_location("benchmark_harness", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return module


def test_a_round_that_was_cut_off_is_taken_up(harness: ModuleType, tmp_path: Path) -> None:
    calls: list[str] = []

    def ours() -> float:
        calls.append("ours")
        return 10.0 + len(calls)

    def theirs() -> float:
        calls.append("theirs")
        if len(calls) == 4:
            raise KeyboardInterrupt
        return 1.0

    variants = {"ours": ours, "theirs": theirs}
    with pytest.raises(KeyboardInterrupt):
        harness.interleave(variants, 2, cells=harness.Cells("speed.json", {"rows": 5}))
    again = harness.Cells("speed.json", {"rows": 5})
    assert harness.interleave(variants, 2, cells=again) == {"ours": [11.0, 13.0], "theirs": [1.0, 1.0]}
    assert calls == ["ours", "theirs", "ours", "theirs", "theirs"]
    kept = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    assert kept["cells"] == {"ours/round 1": 11.0, "theirs/round 1": 1.0, "ours/round 2": 13.0, "theirs/round 2": 1.0}


def test_a_cell_that_fails_costs_no_other_and_an_interruption_ends_it(harness: ModuleType) -> None:
    from provetune.core.errors import Interrupted

    def broken() -> float:
        raise ValueError("broken")

    def interrupted() -> float:
        raise Interrupted("Interrupted.")

    cells = harness.Cells("all.json", {})
    assert cells.measure_all([("a", lambda: 1.0), ("b", broken), ("c", lambda: 3.0)]) == ["b"]
    with pytest.raises(Interrupted):
        cells.measure_all([("a", broken), ("d", interrupted), ("e", lambda: 5.0)])
    assert harness.Cells("all.json", {}).values == {"a": 1.0, "c": 3.0}
    assert cells.measure_all([("a", lambda: 2.0)], again=True) == []
    assert harness.Cells("all.json", {}).values == {"a": 2.0, "c": 3.0}


def test_other_settings_or_a_fresh_start_are_measured_anew(harness: ModuleType) -> None:
    harness.Cells("speed.json", {"rows": 5}).measure("one", lambda: 1.0)
    assert harness.Cells("speed.json", {"rows": 5}).measure("one", lambda: 2.0) == 1.0
    assert harness.Cells("speed.json", {"rows": 5}, fresh=True).measure("one", lambda: 3.0) == 3.0
    assert harness.Cells("speed.json", {"rows": 6}).measure("one", lambda: 4.0) == 4.0


def test_without_a_file_nothing_is_kept(harness: ModuleType, tmp_path: Path) -> None:
    harness.Cells(None, {}).measure("one", lambda: 1.0)
    assert harness.Cells(None, {}).measure("one", lambda: 2.0) == 2.0
    assert list(tmp_path.iterdir()) == []

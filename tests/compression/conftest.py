"""One small study for all tests of compression, and measurements that take no time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from compressed_study import run_small_study


@pytest.fixture(scope="session")
def study_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the one study lies."""
    return tmp_path_factory.mktemp("compressed") / "study"


@pytest.fixture(scope="module")
def small_study(quick_workers: None, write_problem: Callable[..., Path], study_place: Path) -> Path:
    """Folder of a problem whose study has ended; its encoder's bundle is `bundle_of` it.

    Of a module's scope, because quick workers are; the study runs once all the same.
    """
    if not study_place.exists():
        run_small_study(write_problem, study_place)
    return study_place


@pytest.fixture
def parent(small_study: Path, tmp_path: Path) -> Path:
    """The encoder's bundle in a study of this test's own."""
    folder = tmp_path / "study"
    shutil.copytree(small_study, folder)
    return bundle_of(folder)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs that are made up: measuring real ones takes minutes on a busy machine, and one test does."""
    from provetune.compression import proving

    def costs(predictors: Any, examples: Any) -> dict[str, Any]:
        blocks = {metric: [2.0] * 20 for metric in ("latency_p50_ms", "latency_p95_ms", "latency_p99_ms")}
        return {
            "rounds": 20,
            "texts_a_block": 1,
            "blocks": dict.fromkeys(predictors, blocks),
            "latency": {name: dict.fromkeys(blocks, 2.0) for name in predictors},
            "throughput": dict.fromkeys(predictors, 500.0),
            "threads": 1,
            "engines": dict.fromkeys(predictors, "torch"),
        }

    monkeypatch.setattr(proving, "measure_in_turn", costs)
    monkeypatch.setattr(proving, "peak_memory", lambda *args, **named: 2**20)


def bundle_of(folder: Path) -> Path:
    """The encoder's bundle of a copied study."""
    return next(folder.glob(".provetune/studies/*/trials/full-0/bundle"))

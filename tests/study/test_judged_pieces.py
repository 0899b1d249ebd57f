"""Test rows that workers share: the pieces of one bundle's outcomes are its outcomes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from provetune.core.errors import CorruptError
from provetune.evaluation.outcomes import probability_matrix, read_outcomes
from provetune.ledger.records import Ledger
from provetune.study import judging, sealed_test
from provetune.study.run import Study, run

ROWS = 10


def judged(folder: Path, write_problem: Callable[..., Path]) -> Study:
    candidates = {"head": {"method": "head", "precision": "fp32"}}
    return run(write_problem(folder, candidates=candidates, study={"seeds": 3, "parallel": 1, "keep": "all"}))


def outcome_files(study: Study) -> list[Path]:
    return sorted(study.folder.glob("trials/head-*/test.parquet"))


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Jobs of judging, done in this process with small pieces."""
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(judging, "PIECE_ROWS", ROWS)
    monkeypatch.setattr(sealed_test, "PIECE_ROWS", ROWS)

    def do(self: Any, pool: Any, jobs: list[Any]) -> None:
        for job in jobs:
            seen.append(dict(job.spec))
            list(sealed_test.judge_job({**job.spec, "threads": 1}))

    monkeypatch.setattr(judging.Judging, "_do", do)
    return seen


def test_pieces_add_up_to_the_whole(
    tmp_path: Path, write_problem: Callable[..., Path], pieces: list[dict[str, Any]]
) -> None:
    cut = judged(tmp_path / "cut", write_problem)
    count = cut.document["rows"]["test"]
    starts = [each["start"] for each in pieces if each["trial"]["candidate"] == "head"]
    assert starts == list(range(0, count, ROWS))
    assert len(starts) > 1
    # The tf-idf baseline is judged in one go.
    assert [each.get("start") for each in pieces if each["trial"]["candidate"] != "head"] == [None]
    first = read_outcomes(outcome_files(cut)[0])
    assert first.num_rows == count
    assert all(read_outcomes(path).equals(first) for path in outcome_files(cut))
    assert not list(cut.folder.glob("trials/*/test.pieces"))

    from provetune.inference.predictor import load
    from provetune.study.splits_store import TEST_FILE, map_table

    rows = map_table(cut.folder / TEST_FILE)
    assert first["row_id"].to_pylist() == rows["row_id"].to_pylist()
    bundle = next(cut.folder.glob("trials/head-*/bundle"))
    whole = load(bundle).probabilities(rows)
    np.testing.assert_allclose(probability_matrix(first, whole.shape[1]), whole, atol=1e-6)
    # However many pieces, it is one look.
    looks = Ledger(f"sqlite:///{Path(cut.workspace) / 'ledger.sqlite'}").looks(
        sealed_test.split_summary(cut.folder)["test"]["hash"]
    )
    assert {look.number for look in looks} == {1}
    assert sum(look.charged for look in looks) == 1


def test_a_missing_piece_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="piece of the test outcomes is missing"):
        sealed_test.join_pieces(tmp_path, 1)

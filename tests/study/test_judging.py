"""Rows of one group are not independent of each other, so acceptance counts groups where the test rows name them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from provetune.core.protocols import Targets
from provetune.data.drawing import group_keys
from provetune.evaluation.outcomes import read_outcomes
from provetune.study.acceptance import judge_acceptance
from provetune.study.resolved import read_resolved
from provetune.study.run import Study, run
from provetune.study.splits_store import TEST_FILE, map_table
from provetune.tasks import TASKS

ACCEPT = {"accuracy": ">= 0.9"}
WORDS = ("late", "parcel", "refund", "invoice", "login", "code", "open", "close")


def write_rows(path: Path, count: int, *, grouped: bool) -> None:
    """Rows whose labels are a matter of luck, so that a model is wrong now and then; some have no customer."""
    draw = random.Random(count)
    lines = ["text,label,customer" if grouped else "text,label"]
    for number in range(count):
        text = " ".join(draw.choices(WORDS, k=4))
        customer = f",{'' if number % 5 == 0 else f'c{number // 12}'}" if grouped else ""
        lines.append(f"{text} {number},{draw.choice(('yes', 'no'))}{customer}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def run_problem(folder: Path, data: dict[str, Any]) -> Study:
    problem = {"name": "luck", "language": "en", "data": data, "accept": ACCEPT, "study": {"seeds": 1, "parallel": 1}}
    path = folder / "problem.yaml"
    path.write_text(yaml.safe_dump(problem), encoding="utf-8")
    return run(path)


def judged(study: Study, rows: pa.Table, group: str | None) -> dict[str, Any]:
    """The judgement of the stored outcomes, with the groups of the test rows or without."""
    outcomes = read_outcomes(Path(study.best).with_name("test.parquet"))
    targets = Targets.from_json(read_resolved(study.folder)["targets"])
    groups = None if group is None else group_keys(rows, group).to_pylist()
    task = TASKS.get("classification")
    return judge_acceptance(ACCEPT, task, targets, outcomes, confidence=0.95, groups=groups)[0]


def test_groups_of_the_columns_section_widen_the_bound(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", 240, grouped=True)
    study = run_problem(
        tmp_path, {"train": "rows.csv", "columns": {"text": "text", "label": "label", "group": "customer"}}
    )
    rows = map_table(study.folder / TEST_FILE)
    alone, together = judged(study, rows, None), judged(study, rows, "customer")
    assert 0 < together["value"] < 1
    assert study.accept[0]["bound"] == pytest.approx(together["bound"])
    assert study.accept[0]["bound"] != pytest.approx(alone["bound"])


def test_rows_without_a_group_stand_alone(tmp_path: Path) -> None:
    rows = pa.table({"row_id": ["1", "2", "3", "4"], "raw.customer": ["a", "", None, "a"]})
    keys = group_keys(rows, "customer").to_pylist()
    assert keys[0] == keys[3]
    assert len(set(keys)) == 3


def test_a_test_file_need_not_name_the_groups(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", 120, grouped=True)
    write_rows(tmp_path / "test.csv", 60, grouped=False)
    columns = {"text": "text", "label": "label"}
    data = {"train": "rows.csv", "test": "test.csv", "columns": columns, "split": {"group": "customer"}}
    study = run_problem(tmp_path, data)
    assert study.accept[0]["bound"] == pytest.approx(judged(study, pa.table({}), None)["bound"])

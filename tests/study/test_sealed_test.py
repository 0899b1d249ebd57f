"""The seal: one function reads test rows, the ledger hears of it first, and nothing else opens the file."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import provetune
from provetune.core.errors import CorruptError, Refused, UsageError
from provetune.core.files import read_json, write_json
from provetune.ledger.records import Ledger
from provetune.models.bundle.golden import Golden, read_golden, write_golden
from provetune.models.bundle.manifest import write_manifest
from provetune.study.run import run
from provetune.study.sealed_test import Seal, judged_hash, read_test_rows
from provetune.study.splits_store import TEST_FILE, load_split

PACKAGE = Path(provetune.__file__).parent
# Modules that may name the file, and what for: writing it once, and reading it under the ledger's eyes.
MAY_NAME_IT = {"study/splits_store.py", "study/sealed_test.py"}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    (folder / "splits").mkdir(parents=True)
    rows = pa.table({"row_id": ["a", "b"], "text": ["x", "y"], "label": ["p", "q"]})
    with pa.OSFile(str(folder / TEST_FILE), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)
    summary = {name: {"rows": 2, "hash": f"hash of {name}"} for name in ("train", "validation", "test")}
    write_json(folder / "splits/splits.json", summary)
    return folder


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def test_every_reading_is_in_the_ledger_and_one_judging_is_charged_once(study: Path, ledger: Ledger) -> None:
    unregistered = Seal(ledger.url, None, "j" * 64)
    assert read_test_rows(study, ledger, "outcomes of a-0", unregistered)["text"].to_pylist() == ["x", "y"]
    read_test_rows(study, ledger, "outcomes of a-1", unregistered)
    looks = ledger.looks("hash of test")
    assert [(look.purpose, look.charged, look.number) for look in looks] == [
        ("outcomes of a-0", True, 1),
        ("outcomes of a-1", False, 1),
    ]
    read_test_rows(study, ledger, "other claims", Seal(ledger.url, None, "k" * 64))
    assert [look.number for look in ledger.looks("hash of test")] == [1, 1, 2]


def test_look_is_written_before_the_rows_are_read(study: Path, ledger: Ledger) -> None:
    (study / TEST_FILE).write_bytes(b"damaged")
    with pytest.raises(CorruptError):
        read_test_rows(study, ledger, "outcomes of a-0", Seal(ledger.url, None, "j" * 64))
    assert len(ledger.looks("hash of test")) == 1


def test_the_ordinary_door_refuses(study: Path) -> None:
    with pytest.raises(UsageError, match="sealed"):
        load_split(study, "test")


def test_a_bundle_that_answers_otherwise_never_sees_the_rows(
    tmp_path: Path, write_problem: Callable[..., Path]
) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}}, study={"seeds": 1, "parallel": 1})
    study = run(problem)
    book = Ledger(f"sqlite:///{tmp_path / '.provetune/ledger.sqlite'}")
    test_hash = read_json(study.folder / "splits/splits.json")["test"]["hash"]
    looks = book.looks(test_hash)
    # As if the study had been cut off before the judging, and the bundle answered otherwise since then.
    (study.folder / "study.json").unlink()
    (study.folder / "trials/words-0/test.parquet").unlink()
    kept = read_golden(Path(study.best))
    turned = tuple(tuple(1.0 - value for value in row) for row in kept.answers)
    write_golden(Path(study.best), Golden(kept.inputs, turned))
    write_manifest(Path(study.best))
    with pytest.raises(Refused, match=r"Golden example .* is answered differently"):
        run(problem)
    assert book.looks(test_hash) == looks
    assert not (study.folder / "trials/words-0/test.parquet").exists()


def test_judged_hash_depends_on_content_not_on_order() -> None:
    first = judged_hash({"claims": ["a > b"], "seeds": {"a": [1], "b": [2]}})
    assert first == judged_hash({"seeds": {"b": [2], "a": [1]}, "claims": ["a > b"]})
    assert first != judged_hash({"claims": ["a > b"], "seeds": {"a": [1], "b": [3]}})
    assert len(first) == 64


def test_no_other_module_names_the_file_of_test_rows() -> None:
    guilty = []
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if name not in MAY_NAME_IT and (_names(tree, "TEST_FILE") or _says(tree, "test.arrow")):
            guilty.append(name)
    assert guilty == []


def test_only_the_judging_asks_for_test_rows() -> None:
    askers = set()
    for path in PACKAGE.rglob("*.py"):
        if _names(ast.parse(path.read_text(encoding="utf-8")), "read_test_rows"):
            askers.add(path.relative_to(PACKAGE).as_posix())
    # The report shows slices of the open test: explicitly asked for, written down, under the hash already judged.
    assert askers == {"study/sealed_test.py", "study/judging.py", "study/report.py"}


def _names(tree: ast.AST, name: str) -> bool:
    """Whether code uses or imports the name (docstrings do not count)."""
    return any(
        (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.ImportFrom) and any(each.name == name for each in node.names))
        for node in ast.walk(tree)
    )


def _says(tree: ast.AST, text: str) -> bool:
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and text in node.value
        and id(node) not in documentation
        for node in ast.walk(tree)
    )

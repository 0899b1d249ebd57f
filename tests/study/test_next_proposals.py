"""From a study that was run to problem files that can be run."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from file_opens import FileOpens

from provetune.core.errors import UsageError
from provetune.problem.reading import read_problem
from provetune.problem.syntax import CandidateData
from provetune.study.next.gathering import gather_evidence
from provetune.study.next.next_problem import read_source
from provetune.study.next.proposals import propose_next, write_step
from provetune.study.next.ranking import propose_steps
from provetune.study.next.step import TABLE, Change, Order, Step
from provetune.study.problem_checks import problem_checks
from provetune.study.resolve import resolve
from provetune.study.run import run

WriteProblem = Callable[..., Path]
CANDIDATES: dict[str, Any] = {"words": {"method": "tfidf"}, "letters": {"method": "tfidf", "words": None}}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> tuple[Path, Path]:
    """A problem file with comments and the folder of its study."""
    path = write_problem(
        tmp_path_factory.mktemp("next"),
        candidates=CANDIDATES,
        claims=["letters > words"],
        accept={"accuracy": ">= 0.5"},
        study={"seeds": 1, "parallel": 1},
    )
    path.write_text("# kept\n" + path.read_text())
    return path, run(path).folder


def every_step() -> list[Step]:
    """One step of each shape of change there is."""
    rows = [{"row_id": "nobody", "text": "x", "label": "login", "likely": "billing", "confidence": 0.9}]
    changes = [
        Change(
            ("words",),
            ("words_more > words",),
            {"words_more": ("words", {}), "words": ("words", {"data": {"share": 0.5}})},
        ),
        Change(("words",), ("words_clean > words",), {"words_clean": ("words", {"data": {"corrections": TABLE}})}),
        Change(("letters",), ("letters > 0.5",), put=((("data", "merge"), {"a_or_b": ["billing", "login"]}),)),
        Change(("letters", "words"), ("letters > words",), put=((("study", "seeds"), 4),)),
    ]
    return [
        Step("kind", "", "", 0.0, (0.0, 0.0), 0.0, Order.SMALL, "", change=change, table=rows if number == 1 else ())
        for number, change in enumerate(changes)
    ]


def test_every_written_file_is_accepted(study: tuple[Path, Path], tmp_path: Path) -> None:
    path, folder = study
    source = read_source(path, read_problem(folder / "problem.yaml").problem)
    for output in (path.parent, tmp_path / "elsewhere"):
        for step in every_step():
            written, _ = write_step(step, source, output)
            assert "# kept" in written.read_text()
            resolved = resolve(read_problem(written, checks=problem_checks()))
            assert step.change is not None
            assert list(resolved.problem.claims) == list(step.change.claims)
            assert set(step.change.keep) | set(step.change.add) <= set(resolved.problem.candidates)


def test_a_merged_label_is_one_in_every_split(study: tuple[Path, Path], tmp_path: Path) -> None:
    path, folder = study
    source = read_source(path, read_problem(folder / "problem.yaml").problem)
    written, _ = write_step(every_step()[2], source, tmp_path)
    resolved = resolve(read_problem(written, checks=problem_checks()))
    assert resolved.targets.names == ("a_or_b", "delivery")
    assert set(resolved.splits.validation["label"].to_pylist()) == {"a_or_b", "delivery"}


def test_corrections_change_training_labels_and_leave_rows_out(study: tuple[Path, Path], tmp_path: Path) -> None:
    path, folder = study
    train = resolve(read_problem(path, checks=problem_checks())).splits.train
    ids, labels = train["row_id"].to_pylist(), train["label"].to_pylist()
    source = read_source(path, read_problem(folder / "problem.yaml").problem)
    written, table = write_step(every_step()[1], source, tmp_path)
    assert table is not None
    other = "login" if labels[0] != "login" else "billing"
    lines = [{"row_id": ids[0], "corrected": other}, {"row_id": ids[1], "corrected": ""}]
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["row_id", "corrected"])
        writer.writeheader()
        writer.writerows(lines)
    resolved = resolve(read_problem(written, checks=problem_checks()))
    data = resolved.problem.candidates["words_clean"].data
    assert data == CandidateData(corrections={ids[0]: other, ids[1]: None})
    assert any("1 training labels corrected and 1 rows left out" in note for note in resolved.notes)
    study_id = resolved.study_id
    table.write_text(table.read_text().replace(f"{ids[1]},\n", f"{ids[1]},{labels[1]}\n"))
    assert resolve(read_problem(written, checks=problem_checks())).study_id != study_id
    table.write_text(f"row_id,corrected\n{ids[0]},nothing\n")
    with pytest.raises(UsageError, match="nothing"):
        resolve(read_problem(written, checks=problem_checks()))


def test_the_same_step_is_written_once(study: tuple[Path, Path], tmp_path: Path) -> None:
    path, folder = study
    source = read_source(path, read_problem(folder / "problem.yaml").problem)
    first, _ = write_step(every_step()[0], source, tmp_path)
    again, _ = write_step(every_step()[0], source, tmp_path)
    other, _ = write_step(every_step()[3], source, tmp_path)
    assert (first.name, again, other.name) == ("problem.next-1.yaml", first, "problem.next-2.yaml")


def test_a_file_that_says_something_else_now_is_left_alone(study: tuple[Path, Path], tmp_path: Path) -> None:
    path, folder = study
    changed = tmp_path / "problem.yaml"
    changed.write_text(path.read_text().replace("letters:", "other:").replace("letters >", "other >"))
    resolved = read_problem(folder / "problem.yaml").problem
    assert read_source(path, resolved).text is not None
    assert read_source(changed, resolved).text is None
    assert read_source(tmp_path / "gone.yaml", resolved).text is None


def test_no_file_of_the_test_is_opened(study: tuple[Path, Path]) -> None:
    _, folder = study
    opens = FileOpens()
    opens.watch(folder / "splits")
    for trial in (folder / "trials").iterdir():
        opens.watch(trial)
    gather_evidence(folder)
    found = {one.name for one in opens.take()}
    opens.close()
    assert "train.arrow" in found
    assert found.isdisjoint({"test.arrow", "test.parquet"})


def test_evidence_is_what_the_runs_left(study: tuple[Path, Path]) -> None:
    _, folder = study
    found = gather_evidence(folder)
    assert set(found.candidates) == {"words", "letters"}
    words = found.candidates["words"]
    assert words.deterministic
    assert words.training_rows == found.rows["train"] == 84
    assert len(words.judged[0]) == found.rows["validation"] == 12
    assert [level["met"] for level in found.accept] == [True]
    assert found.claims[0]["claim"] == "letters > words"
    assert [point.rows for point in found.curves[found.best].points][-1] == 84


def test_the_document_has_what_it_promises(study: tuple[Path, Path], tmp_path: Path) -> None:
    path, folder = study
    document = propose_next(path, folder, output=tmp_path, top=2, probe=False)
    assert set(document) == {"steps", "study", "metric", "workspace", "best", "notes"}
    assert 1 <= len(document["steps"]) <= 2
    for step in document["steps"]:
        assert set(step) == {
            *("kind", "title", "reason", "gain", "gain_interval", "cost_seconds", "problem", "claim", "details")
        }
        assert step["problem"] is None or Path(step["problem"]).exists()
    first = propose_steps(gather_evidence(folder, probe=False))[0]
    assert first.kind == document["steps"][0]["kind"]


def test_nothing_is_proposed_before_a_run_has_finished(study: tuple[Path, Path], tmp_path: Path) -> None:
    import shutil

    _, folder = study
    copied = tmp_path / "studies" / folder.name
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("trials", "study.json"))
    with pytest.raises(UsageError, match="No run of this study has finished"):
        gather_evidence(copied)
    with pytest.raises(UsageError, match="top must be at least 1"):
        propose_next(folder / "problem.yaml", folder, top=0)

"""What goes wrong in a file ends as one clear line on stderr, a code of 1 or 2, and nothing half-written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import yaml

from provetune.cli.main import answer

PHASES = ("Reading ", "Preparing ")
LABELS = ("refund", "delivery", "login")
GOOD = "text,label\n" + "".join(f"message {n} about {label},{label}\n" for n in range(20) for label in LABELS)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with tiny models in place of the catalogue's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVETUNE_CACHE", str(tiny_cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def write_problem(**changes: object) -> None:
    """A problem about rows.csv with one quick candidate; top-level keys replaced by `changes`."""
    problem: dict[str, object] = {
        "name": "bad",
        "data": {"train": "rows.csv", "columns": {"text": "text", "label": "label"}},
        "candidates": {"words": {"method": "tfidf"}},
        "study": {"seeds": 1, "parallel": 1},
    }
    Path("problem.yaml").write_text(yaml.safe_dump({**problem, **changes}), encoding="utf-8")


def refused(words: list[str], capsys: pytest.CaptureFixture[str], codes: tuple[int, ...] = (2,)) -> str:
    """The one line that refuses a command; checks that nothing was begun."""
    code = answer(words)
    captured = capsys.readouterr()
    assert code in codes, captured.err
    lines = [line for line in captured.err.splitlines() if not line.startswith(PHASES)]
    assert len(lines) == 1, captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not list(Path().rglob("*.part"))
    assert not list(Path(".provetune").glob("studies/*/trials/*/bundle"))
    return lines[0]


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        pytest.param(b"", ["rows.csv", "empty"], id="empty file"),
        pytest.param(b"text,label\n", ["rows.csv"], id="header only"),
        pytest.param(b"text,label\n\x81\xff\xfe\x00\x01,\xff\xff\n" * 5, ["rows.csv"], id="no encoding fits"),
        pytest.param(b"text,label\na,b\nc,d,e,f\n", ["rows.csv", "3"], id="ragged rows"),
        pytest.param(GOOD.replace("text,label", "text,labl").encode(), ["'label'", "'labl'"], id="missing column"),
        pytest.param(
            GOOD.replace("refund\n", "login\n").replace("delivery\n", "login\n").encode(),
            ["'login'"],
            id="one label only",
        ),
    ],
)
def test_a_bad_data_file_stops_a_run(content: bytes, fragments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.csv").write_bytes(content)
    write_problem()
    line = refused(["run", "problem.yaml"], capsys)
    for fragment in fragments:
        assert fragment in line
    assert not Path(".provetune").exists()


@pytest.mark.parametrize("verb", ["init", "run", "check", "report", "predict"])
def test_a_missing_file_is_named(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = "messages.csv" if verb == "init" else "bundel" if verb == "predict" else "problm.yaml"
    Path("message.csv").write_text(GOOD, encoding="utf-8")
    line = refused([verb, name, *(["text"] if verb == "predict" else [])], capsys)
    assert name in line
    if verb == "init":
        assert "Did you mean 'message.csv'?" in line


def test_missing_training_file_is_named_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rowz.csv").write_text(GOOD, encoding="utf-8")
    write_problem()
    line = refused(["run", "problem.yaml"], capsys)
    assert "rows.csv" in line
    assert "Did you mean 'rowz.csv'?" in line


@pytest.mark.parametrize(
    ("changes", "fragments"),
    [
        pytest.param({"nmae": "x"}, ["problem.yaml:", "'nmae'", "'name'"], id="unknown key"),
        pytest.param({"task": "clasification"}, ["problem.yaml:", "'classification'"], id="unknown task"),
        pytest.param({"candidates": {"a": {"method": "loar"}}}, ["problem.yaml:", "'lora'"], id="unknown method"),
        pytest.param({"accept": {"macro_f": ">= 0.9"}}, ["problem.yaml:", "'macro_f1'"], id="unknown metric"),
        pytest.param({"claims": ["wrods > 0.5"]}, ["problem.yaml:", "'words'"], id="claim names no candidate"),
        pytest.param({"claims": ["words >> 0.5"]}, ["problem.yaml:"], id="claim that cannot be read"),
        pytest.param({"study": {"seeds": 0}}, ["problem.yaml:", "seeds"], id="impossible number"),
        pytest.param(
            {"candidates": {"a": {"method": "full", "backbone": "minilm-eng"}}}, ["'minilm-en'"], id="unknown backbone"
        ),
        pytest.param(
            {"candidates": {"a": {"method": "full", "backbone": "./nothing"}}},
            ["nothing"],
            id="backbone folder missing",
        ),
    ],
)
def test_a_bad_problem_file_stops_a_run(
    changes: dict[str, object], fragments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("rows.csv").write_text(GOOD, encoding="utf-8")
    write_problem(**changes)
    line = refused(["run", "problem.yaml"], capsys)
    for fragment in fragments:
        assert fragment in line


def test_all_faults_come_at_once_in_the_order_of_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    text = "nme: x\ndata: {trian: rows.csv}\ncandidates:\n  a: {method: fll}\n"
    Path("problem.yaml").write_text(text, encoding="utf-8")
    assert answer(["run", "problem.yaml"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(PHASES)]
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers)
    assert {1, 2, 4} <= set(numbers)


def test_a_bad_override_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.csv").write_text(GOOD, encoding="utf-8")
    write_problem()
    line = refused(["run", "problem.yaml", "--set", "study.seds=3"], capsys)
    assert "--set study.seds" in line
    assert "'seeds'" in line


def test_init_does_not_replace_a_problem_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.csv").write_text(GOOD, encoding="utf-8")
    Path("problem.yaml").write_text("mine", encoding="utf-8")
    assert "--force" in refused(["init", "rows.csv"], capsys)
    assert Path("problem.yaml").read_text(encoding="utf-8") == "mine"


def test_a_full_disk_leaves_no_half_problem_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Path("rows.csv").write_text(GOOD, encoding="utf-8")
    monkeypatch.setattr("provetune.core.files.sync_file", fail)
    assert "No space is left" in refused(["init", "rows.csv"], capsys)
    assert sorted(path.name for path in Path().iterdir()) == ["rows.csv"]


@pytest.mark.skipif(not Path("/sys/kernel").exists(), reason="needs a place that even root cannot write")
def test_a_read_only_workspace_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.csv").write_text(GOOD, encoding="utf-8")
    write_problem()
    line = refused(["run", "problem.yaml", "--workspace", "/sys/kernel/workspace"], capsys)
    assert "/sys/kernel/workspace" in line
    assert "cannot be written" in line


def test_a_workspace_that_is_a_file_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.csv").write_text(GOOD, encoding="utf-8")
    write_problem()
    line = refused(["run", "problem.yaml", "--workspace", "rows.csv"], capsys)
    assert "not a workspace folder" in line


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["init", "rows.csv", "--output", "folder", "--force"], "folder"),
        (["init", "rows.csv", "--output", "rows.csv/problem.yaml"], "rows.csv"),
        (["schema", "--output", "folder"], "folder"),
        (["run", "problem.yaml", "--workspace", "rows.csv/below", "--quiet"], "rows.csv/below"),
    ],
)
def test_a_file_is_no_folder_and_a_folder_no_file(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("rows.csv").write_text(GOOD, encoding="utf-8")
    Path("folder").mkdir()
    write_problem()
    line = refused(words, capsys)
    assert named in line
    assert "fault of Provetune" not in line
    assert Path("rows.csv").read_text(encoding="utf-8") == GOOD
    assert list(Path("folder").iterdir()) == []


def test_resume_without_a_study_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.csv").write_text(GOOD, encoding="utf-8")
    write_problem()
    assert "--resume" in refused(["run", "problem.yaml", "--resume"], capsys)


@pytest.mark.parametrize("verb", ["report", "clean"])
def test_nothing_was_run_yet(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_problem()
    assert "Nothing was run here yet." in refused([verb, "problem.yaml"], capsys)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(GOOD + "\x00nul,refund\n", "nul_bytes", id="NUL bytes"),
        pytest.param(GOOD + f"{'a' * 1_000_000},refund\n", "huge_text", id="1 MB text"),
        pytest.param(GOOD + ",refund\n", "empty_text", id="empty text"),
        pytest.param(GOOD + "no label here,\n", "missing_label", id="missing label"),
        pytest.param(GOOD + "something new,once\n", "rare_labels", id="one row in a class"),
        pytest.param(GOOD + "message 0 about refund,login\n", "conflicting_labels", id="same text, two labels"),
        pytest.param(GOOD + "message 0 about refund,refund\n", "duplicate_rows", id="duplicate"),
        pytest.param(GOOD + "well well,Refund \n" * 3, "similar_labels", id="labels alike"),
    ],
)
def test_check_finds_it(content: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    Path("rows.csv").write_text(content, encoding="utf-8")
    write_problem()
    assert answer(["check", "problem.yaml", "--json"]) in (0, 1)
    document = json.loads(capsys.readouterr().out)
    kinds = {finding["kind"] for finding in document["findings"]}
    assert kind in kinds
    assert document["blocking"] == sum(finding["severity"] == "blocking" for finding in document["findings"])


@pytest.mark.parametrize(
    ("train", "test", "fragments"),
    [
        pytest.param(GOOD + "\x00nul,refund\n" * 20, None, ["NUL bytes", "rows.csv, row "], id="NUL bytes"),
        pytest.param(GOOD + f"{'a' * 1_000_000},refund\n", None, ["megabyte", "rows.csv, row 62"], id="1 MB text"),
        pytest.param(GOOD, "text,label\nhello,greeting\n", ["'greeting'", "test.csv, row 2"], id="unseen label"),
        pytest.param(GOOD, "text,label\nhello,\nmy login,login\n", ["no label", "test.csv"], id="no test label"),
    ],
)
def test_rows_that_no_study_can_use_stop_a_run(
    train: str, test: str | None, fragments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("rows.csv").write_text(train, encoding="utf-8")
    data: dict[str, object] = {"train": "rows.csv", "columns": {"text": "text", "label": "label"}}
    if test is not None:
        Path("test.csv").write_text(test, encoding="utf-8")
        data["test"] = "test.csv"
    write_problem(data=data)
    line = refused(["run", "problem.yaml"], capsys)
    for fragment in [*fragments, "`provetune check` shows every one."]:
        assert fragment in line


@pytest.mark.parametrize(
    ("cell", "fragments"), [("17", ["a number", "row 61"]), ('["a", "b"]', ["a list"]), ("NaN", ["set aside"])]
)
def test_texts_that_are_none(cell: str, fragments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f'{{"text": "{line.split(",")[0]}", "label": "{line.split(",")[1]}"}}' for line in GOOD.splitlines()[1:]]
    Path("rows.jsonl").write_text("\n".join([*rows, f'{{"text": {cell}, "label": "login"}}']), encoding="utf-8")
    write_problem(data={"train": "rows.jsonl", "columns": {"text": "text", "label": "label"}})
    if cell == "NaN":
        assert answer(["check", "problem.yaml"]) == 0
        line = capsys.readouterr().out
    else:
        line = refused(["run", "problem.yaml"], capsys)
    for fragment in fragments:
        assert fragment in line


def test_check_says_no_with_one_and_strict_minds_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.csv").write_text(GOOD + "message 0 about refund,login\n", encoding="utf-8")
    write_problem()
    assert answer(["check", "problem.yaml"]) == 0
    assert answer(["check", "problem.yaml", "--strict"]) == 1


def test_a_test_label_that_training_never_saw_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    Path("rows.csv").write_text(GOOD, encoding="utf-8")
    Path("test.csv").write_text("text,label\nhello there,greeting\nmy login fails,login\n", encoding="utf-8")
    write_problem(data={"train": "rows.csv", "test": "test.csv"})
    answer(["check", "problem.yaml", "--json"])
    kinds = {finding["kind"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert kinds & {"unseen_label", "label_missing_from_split"}

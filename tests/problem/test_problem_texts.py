"""Files and texts as editors and people leave them: any is a problem or faults with their lines, never a crash."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.core.errors import ProblemFileError, UsageError
from provetune.problem.document import dump_document
from provetune.problem.reading import parse_problem, read_problem
from provetune.problem.syntax import Problem


def faults(text, **options):
    with pytest.raises(ProblemFileError) as caught:
        parse_problem(text, Path("somewhere/problem.yaml"), **options)
    return caught.value.lines()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "problem.yaml:1: The file is empty. `provetune init DATA.csv` drafts one."),
        ("# nothing\n", "problem.yaml:1: The file is empty. `provetune init DATA.csv` drafts one."),
        (
            "- a\n",
            "problem.yaml:1: The file must hold keys and values, such as 'name: my-problem'. "
            "Got a list instead. `provetune init DATA.csv` drafts one.",
        ),
        (
            "name",
            "problem.yaml:1: The file must hold keys and values, such as 'name: my-problem'. "
            "Got 'name' instead. `provetune init DATA.csv` drafts one.",
        ),
        ("name: x\ndata:\n\ttrain: x", "problem.yaml:3: A tab cannot be used for indenting. Use spaces."),
        (
            "name: x\naccept:\n  f1: >= 0.9\n",
            "problem.yaml:3: A value that begins with > needs quotes. Write it as '>= 0.9', quotes included.",
        ),
    ],
)
def test_a_file_that_is_no_problem_is_one_line(text, line):
    assert faults(text) == [line]


@given(st.text())
def test_any_text_is_a_problem_or_one_line_a_fault(text):
    try:
        parse_problem(text, Path("problem.yaml"))
    except ProblemFileError as error:
        lines = error.lines()
    else:
        lines = []

    assert all("\n" not in line for line in lines)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("a > b")
shapes = st.recursive(
    leaves,
    lambda inside: (
        st.lists(inside, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["name", "data", "train", "split", "candidates", "a", "method", "epochs", "claims", "accept"]
            ),
            inside,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from([*Problem.model_fields, "other"]), shapes))
def test_any_content_is_a_problem_or_faults_with_lines_in_order(content):
    lines = []
    try:
        parse_problem(dump_document(content or {"a": 1}), Path("problem.yaml"))
    except ProblemFileError as error:
        lines = [int(line.split(":")[1]) for line in error.lines()]

    assert lines == sorted(lines)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_any_editor_are_read(tmp_path, encoding):
    (tmp_path / "problem.yaml").write_text("name: 评论\r\ndata: {train: x}\r\n", encoding=encoding, newline="")

    assert read_problem(tmp_path / "problem.yaml").problem.name == "评论"


def test_a_file_in_another_encoding_is_said_with_its_line(tmp_path):
    (tmp_path / "problem.yaml").write_bytes("name: x\ntask: 评论\n".encode("gb18030"))
    with pytest.raises(ProblemFileError) as caught:
        read_problem(tmp_path / "problem.yaml")

    assert caught.value.lines() == ["problem.yaml:2: This line is not UTF-8 text. Save the file as UTF-8."]


def test_a_file_that_is_not_there_gets_the_nearest(tmp_path):
    (tmp_path / "problem.yaml").write_text("name: x\n")
    with pytest.raises(UsageError, match=r"There is no problem file .*problm\.yaml.*Did you mean '.*problem\.yaml'"):
        read_problem(tmp_path / "problm.yaml")
    with pytest.raises(UsageError, match=r"`provetune init DATA\.csv` drafts one"):
        read_problem(tmp_path / "nowhere" / "x.yaml")
    with pytest.raises(UsageError, match="is a folder"):
        read_problem(tmp_path)


def test_a_path_through_a_file_is_not_there_either(tmp_path):
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(UsageError, match="There is no problem file"):
        read_problem(tmp_path / "x.csv" / "problem.yaml")

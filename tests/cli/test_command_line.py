"""The frame of the command line: start-up, verbs, wrong usage, errors, interruption."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from provetune.cli import main as command_line
from provetune.core.errors import DataError, ProblemFileError, Refused, UsageError

HEAVY = ("torch", "transformers", "pyarrow", "pydantic", "sklearn", "scipy", "numpy", "sqlalchemy", "datasets", "rich")
HELP_SECONDS = 0.3


def test_help_answers_at_once() -> None:
    # Processor time, which for this single thread is the waiting time on a quiet machine: tests share theirs.
    times = []
    for _ in range(5):
        before = _children_seconds()
        subprocess.run([sys.executable, "-m", "provetune.cli.main", "--help"], check=True, capture_output=True)
        times.append(_children_seconds() - before)
    assert min(times) < HELP_SECONDS, times


def _children_seconds() -> float:
    used = os.times()
    return used.children_user + used.children_system


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from provetune.cli.main import answer; answer(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, provetune; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.answer(["--help"]) == 0
    shown = capsys.readouterr().out
    listed = {line.split()[0] for line in shown.partition("Commands:")[2].splitlines() if line.strip()}
    assert listed == set(command_line.verbs())
    assert {"init", "check", "run", "report", "predict", "models", "doctor", "schema", "compare", "clean"} <= listed


def test_no_words_are_a_request_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.answer([]) == 0
    assert "Usage: provetune" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from provetune.version import __version__

    assert command_line.answer(["--version"]) == 0
    assert capsys.readouterr().out == f"provetune {__version__}\n"


@pytest.mark.parametrize("verb", command_line.verbs())
def test_every_verb_has_help_and_a_first_sentence(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.answer([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: provetune {verb}")
    assert shown.splitlines()[2].strip()


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["pedict"], ["There is no verb 'pedict'.", "Did you mean 'predict'?"]),
        (["run", "p.yaml", "--freh"], ["provetune run:", "There is no option '--freh'.", "Did you mean '--fresh'?"]),
        (["run"], ["provetune run:", "Missing argument 'PROBLEM'."]),
        (["models", "lst"], ["provetune models:", "'lst'", "Did you mean 'list'?"]),
        (["models"], ["provetune models:", "Missing command.", "get, list, path"]),
        (["predict", "b", "--top-k", "0", "x"], ["provetune predict:", "--top-k"]),
        (["run", "a.yaml", "b.yaml"], ["provetune run:", "b.yaml"]),
        (["--vrsion"], ["There is no option '--vrsion'.", "Did you mean '--version'?"]),
        (["run", "p.yaml", "--resume", "--fresh"], ["--resume and --fresh exclude each other."]),
        (["predict", "b", "text", "--input", "f.csv"], ["Texts and --input were both given."]),
        (["predict", "b", "--input", "f.csv"], ["--input needs --output."]),
        (["predict", "b", "--output", "f.csv"], ["--output needs --input."]),
    ],
)
def test_wrong_usage_is_one_line_and_two(
    words: list[str], fragments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.answer(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1
    for fragment in fragments:
        assert fragment in captured.err


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (DataError("No rows.", where="a.csv", hint="Add some."), 2, ["a.csv: No rows. Add some."]),
        (Refused("It does not hold."), 1, ["It does not hold."]),
        (ProblemFileError([UsageError("A.", where="p:1"), UsageError("B.", where="p:2")]), 2, ["p:1: A.", "p:2: B."]),
    ],
)
def test_an_error_is_its_lines_and_its_code(
    error: Exception, code: int, lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "_call", _raising(error))
    assert command_line.answer(["check", "p"]) == code
    assert capsys.readouterr().err.splitlines() == lines


def test_debug_shows_where_an_error_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "_call", _raising(DataError("No rows.")))
    with pytest.raises(DataError, match="No rows"):
        command_line.main(["check", "--debug", "p"])


def test_a_bug_is_one_line_that_asks_for_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "_call", _raising(KeyError("x")))
    assert command_line.answer(["check", "p"]) == 3
    line = capsys.readouterr().err
    assert line.startswith("This is a fault of Provetune: KeyError: 'x'")
    assert "--debug" in line
    with pytest.raises(KeyError):
        command_line.answer(["check", "p"], debug=True)


def test_debug_after_two_dashes_is_text() -> None:
    assert command_line._take_debug(["predict", "--debug", "b"]) == (["predict", "b"], True)
    assert command_line._take_debug(["predict", "b", "--", "--debug"]) == (["predict", "b", "--", "--debug"], False)


def test_interruption_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command_line, "_call", _raising(KeyboardInterrupt()))
    assert command_line.answer(["run", "problem.yaml"]) == 130
    assert "'provetune run problem.yaml' goes on where it stopped." in capsys.readouterr().err


def test_a_closed_pipe_is_quiet() -> None:
    line = f"{sys.executable} -m provetune.cli.main methods --help | head -c 1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_json_is_one_document_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.answer(["models", "list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"name", "licence", "present"} <= set(document["models"][0])


def _raising(error: BaseException):  # type: ignore[no-untyped-def]
    def call(words: list[str]) -> None:
        raise error

    return call

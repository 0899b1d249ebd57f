"""Texts and pairs on the command line: what a bundle reads, and refusals in the command line's own words."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from provetune.cli.main import answer
from provetune.inference.predictor import load
from provetune.study.run import run


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, write_problem: Callable[..., Path]) -> dict[str, str]:
    """Best bundles of two small studies: one reads a text, one a pair."""
    found = {}
    for name, text in {"one": "message", "pair": ["message", "channel"]}.items():
        problem = write_problem(
            tmp_path_factory.mktemp(name),
            data={"train": "messages.csv", "columns": {"text": text, "label": "intent"}},
            candidates={"words": {"method": "tfidf"}},
            study={"seeds": 1, "parallel": 1},
        )
        found[name] = run(problem).best
    return found


def test_each_text_has_its_own_second_one(bundles: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["my parcel is late", "--pair", "mail", "password locked again", "--pair", "chat"]
    assert answer(["predict", bundles["pair"], *texts, "--json", "--proba"]) == 0
    pairs = [("my parcel is late", "mail"), ("password locked again", "chat")]
    assert json.loads(capsys.readouterr().out) == [
        dict(row) for row in load(bundles["pair"]).predict(pairs, proba=True)
    ]


@pytest.mark.parametrize(
    ("kind", "words", "said"),
    [
        (
            "pair",
            ["a", "b"],
            "reads pairs (message and channel): every text needs its --pair. Got 2 texts and 0 --pair.",
        ),
        ("pair", ["a", "--pair", "b", "--pair", "c"], "Got 1 text and 2 --pair."),
        ("one", ["a", "--pair", "b"], "reads one text a row (message), and --pair gives a second. Leave --pair out."),
        ("one", ["--pair", "b"], "--pair needs a text before it."),
        ("pair", ["--pair", "b", "--input", "x.csv", "--output", "y.csv"], "--pair and --input were both given."),
    ],
)
def test_what_does_not_fit_is_said_in_words_of_the_command_line(
    bundles: dict[str, str], kind: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(["predict", bundles[kind], *words]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert len(line.splitlines()) == 1
    assert "tuple" not in line


def test_lines_of_a_pipe_are_no_pairs(
    bundles: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("my parcel\n"))
    assert answer(["predict", bundles["pair"]]) == 2
    assert (
        'provetune predict BUNDLE "first text" --pair "second text"; for many, --input FILE' in capsys.readouterr().err
    )


@pytest.mark.parametrize(("kind", "asked"), [("one", '"some text"'), ("pair", '"some text" --pair "another text"')])
def test_the_next_line_of_a_run_is_one_that_works(
    bundles: dict[str, str], kind: str, asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = next(place for place in Path(bundles[kind]).parents if (place / "messages.csv").is_file())
    assert answer(["run", str(folder / "problem.yaml"), "--quiet"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Next:"))
    assert line.endswith(f"problem.yaml {asked}")
    words = shlex.split(line.removeprefix("Next:"))
    assert answer(words[1:]) == 0

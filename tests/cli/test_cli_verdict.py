"""`provetune verdict`, and how verdicts are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provetune.cli._scores import claim_lines
from provetune.cli.main import answer


def write_outcomes(folder: Path, name: str, wrong: int) -> str:
    """Three seeds of 400 rows; every seed gets `wrong` rows wrong, and one more than the seed before it."""
    lines = ["seed,row,label,prediction"]
    for seed in range(3):
        for row in range(400):
            gold = row % 2
            lines.append(f"{seed},{row},{gold},{gold if row >= wrong + seed else 1 - gold}")
    (folder / name).write_text("\n".join(lines) + "\n")
    return str(folder / name)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return [write_outcomes(tmp_path, "good.csv", 20), write_outcomes(tmp_path, "poor.csv", 100)]


def test_json_is_one_document_of_claims(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    line = ["verdict", "--outcomes", files[0], "--outcomes", files[1], "--claim", "good > poor + 0.1", "--json"]
    assert answer(line) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["claims"]
    claim = document["claims"][0]
    assert (claim["verdict"], claim["effect"]) == ("supported", pytest.approx(80 / 400))
    assert claim["left"]["seeds"] == pytest.approx([380 / 400, 379 / 400, 378 / 400])
    assert claim["interval"][0] < claim["bound"] < claim["effect"] < claim["interval"][1]


def test_several_files_may_follow_one_option(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    line = [
        "verdict",
        "--outcomes",
        f"new={files[0]}",
        f"old={files[1]}",
        "--claim",
        "new > old",
        "--claim",
        "old > new",
    ]
    assert answer([*line, "--strict"]) == 1
    shown = capsys.readouterr().out
    assert "Supported: accuracy of new is above that of old (difference +0.2000" in shown
    assert "Refuted: accuracy of old is below that of new" in shown
    assert "corrected p under 0.0001 at a level of 0.05" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--claim", "good > poor"], "There are no outcomes to judge."),
        (["--outcomes", "good.csv"], "There is no claim to judge."),
        (["--outcomes", "good.csv", "--claim", "good > best"], "'best', which is no candidate"),
        (["--outcomes", "god.csv", "--claim", "god > 0.5"], "god.csv: There is no such file."),
        (["--outcomes", "good.csv", "--claim", "good > 0.5", "--metric", "acuracy"], "Did you mean 'accuracy'?"),
        (["--outcomes", "good.csv", "--claim", "good > 0.5", "--deterministic", "bad"], "no candidate 'bad'"),
    ],
)
def test_wrong_use_is_one_line(
    files: list[str], words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(files[0]).parent)
    assert answer(["verdict", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def entry(**more: Any) -> dict[str, Any]:
    return {
        "claim": "a > b",
        "verdict": "supported",
        "effect": 0.031,
        "interval": [0.011, 0.051],
        "p_holm": 0.00001,
        "p_refuted_holm": 1.0,
        "right": {"name": "b"},
        "notes": ["a remark"],
        "words": "Supported: …",
        **more,
    }


def test_claims_are_printed_with_their_figures_and_each_remark_once() -> None:
    missing = {"effect": None, "interval": [None, None], "p_holm": None, "p_refuted_holm": None}
    lines = claim_lines(
        [
            entry(),
            entry(
                claim="a >= 0.9", right=None, effect=0.95, verdict="inconclusive", p_holm=0.2, notes=["a remark", "x"]
            ),
            entry(claim="b > a", verdict="refuted", effect=-0.031, p_holm=1.0, p_refuted_holm=0.02, notes=[]),
            entry(claim="a > c", verdict="inconclusive", words="Inconclusive: 'c' has 1.", notes=[], **missing),
            {"claim": "a > d", "verdict": None},
        ]
    )
    assert lines == [
        "a > b: supported (difference +0.031; interval 0.011 to 0.051; corrected p under 0.0001)\n    a remark",
        "a >= 0.9: inconclusive (value 0.95; interval 0.011 to 0.051; corrected p 0.2000)\n    x",
        "b > a: refuted (difference -0.031; interval 0.011 to 0.051; corrected p 0.0200)",
        "a > c: inconclusive\n    Inconclusive: 'c' has 1.",
        "a > d: not judged yet",
    ]


@pytest.mark.parametrize(
    ("verdict", "met", "code"),
    [("supported", True, 0), ("refuted", True, 1), ("inconclusive", True, 0), ("supported", None, 1)],
)
def test_strict_says_no_when_a_claim_is_refuted_or_a_level_is_not_met(
    verdict: str, met: bool | None, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = {
        "study": "s",
        "workspace": "w",
        "problem": "p",
        "task": "classification",
        "candidates": {},
        "best": {"candidate": "a", "bundle": "b"},
        "accept": [{"metric": "accuracy", "required": ">= 0.9", "value": 0.95, "bound": 0.9, "met": met}],
        "claims": [entry(verdict=verdict)],
    }
    from provetune.study.run import Study

    monkeypatch.setattr("provetune.study.run.run", lambda *_, **__: Study.from_document(document))
    assert answer(["run", "problem.yaml", "--strict", "--json", "--quiet"]) == code
    assert answer(["run", "problem.yaml", "--json", "--quiet"]) == 0
    capsys.readouterr()
    assert answer(["run", "problem.yaml", "--quiet"]) == 0
    assert f"Claim: a > b: {verdict}" in capsys.readouterr().out


def test_a_problem_file_is_sent_to_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = tmp_path / "problem.yaml"
    problem.write_text("name: letters\n")
    assert answer(["verdict", str(problem), "--claim", "a > b"]) == 2
    told = capsys.readouterr().err
    assert "This is a problem file" in told
    assert f"provetune report {problem} --open-test" in told


def test_what_would_settle_a_claim_is_shown_below_it(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["verdict", *files, "--claim", "good > 0.95", "--json"]) == 0
    claim = json.loads(capsys.readouterr().out)["claims"][0]
    assert claim["verdict"] == "inconclusive"
    assert claim["needs"]["note"] not in claim["notes"]
    assert answer(["verdict", *files, "--claim", "good > 0.95"]) == 0
    assert claim["needs"]["note"] in capsys.readouterr().out


def test_a_label_that_is_never_given_has_no_precision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{seed},{row},{'ab'[row % 2]},a" for seed in range(3) for row in range(60)]
    (tmp_path / "shy.csv").write_text("\n".join(["seed,row,label,prediction", *lines]) + "\n")
    assert answer(["verdict", str(tmp_path / "shy.csv"), "--claim", "shy > 0.5 [precision:b]"]) == 0
    assert "No run of shy answered 'b' on any test row" in " ".join(capsys.readouterr().out.split())

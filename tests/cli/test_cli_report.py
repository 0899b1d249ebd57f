"""`provetune report --html`: the page, its name, its language, and words in whichever order."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from provetune.cli.main import answer
from provetune.core.files import write_json
from provetune.study.report_runs import is_test_open


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a finished study with one candidate and one run of it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "study"))
    from finished_study import GOLD, make_study

    monkeypatch.chdir(tmp_path)
    folder = make_study(tmp_path / "studies" / "letters-1", {"words": [["b", *GOLD[1:]]], "full": [list(GOLD)]})
    assert is_test_open(folder)
    return folder


def test_the_page_is_named_after_the_study(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["report", str(study), "--html"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Wrote report-letters-1.html.\n"
    text = Path("report-letters-1.html").read_text(encoding="utf-8")
    assert "Shown: scores on the validation rows." in text


@pytest.mark.parametrize("turned", [False, True])
def test_the_file_may_stand_before_or_after_the_problem(study: Path, turned: bool) -> None:
    words = [str(study), "pages/out.html"]
    assert answer(["report", "--html", *(reversed(words) if turned else words), "--lang", "zh", "--open-test"]) == 0
    text = Path("pages/out.html").read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in text
    assert "封存测试集上的分数" in text


def test_json_is_the_same_document_and_names_the_page(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["report", str(study), "out.html", "--html", "--json", "--open-test"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["html"] == "out.html"
    assert {"claims", "accept", "candidates", "slices", "errors", "hashes", "reproduce"} <= set(document)
    text = Path("out.html").read_text(encoding="utf-8")
    for trial in (trial for report in document["candidates"].values() for trial in report["trials"]):
        assert f"<code>{trial['folder']}</code>" in text
        assert f"{trial['scores']['accuracy']:.3f}" in text


def test_without_open_test_the_page_holds_nothing_of_the_test(study: Path) -> None:
    document = json.loads((study / "study.json").read_text())
    document["accept"][0].update(value=0.123456, bound=0.234567)
    document["claims"] = [{"claim": "full > words", "verdict": "supported", "effect": 0.345678}]
    write_json(study / "study.json", document)
    assert answer(["report", str(study), "out.html", "--html"]) == 0
    text = Path("out.html").read_text(encoding="utf-8")
    assert not re.search(r"0\.123|0\.235|0\.346", text)
    assert ">supported<" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["out.html"], "one word too many"),
        (["problem.yaml", "--html"], "A page's name ends in .html. Got 'problem.yaml' instead."),
        (["--html", "--lang", "zj"], "The page does not speak 'zj'. Known: en, zh."),
        (["--split", "test"], "Add --open-test"),
    ],
)
def test_wrong_use_is_one_line(study: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["report", str(study), *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1


def test_the_screen_says_which_split_it_shows(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["report", str(study)]) == 0
    shown = capsys.readouterr().out
    assert "Scores on the validation rows" in shown
    assert "Claim: full > words\n" in shown
    assert "add --open-test for what came of the sealed test" in shown
    assert answer(["report", str(study), "--open-test"]) == 0
    shown = capsys.readouterr().out
    assert "Scores on the test rows" in shown
    assert "Acceptance: accuracy >= 0.5: met" in shown


def test_a_ledger_that_is_not_there_is_not_made(study: Path, tmp_path: Path) -> None:
    assert answer(["report", str(study), "--ledger", str(tmp_path / "none.sqlite")]) == 2
    assert not (tmp_path / "none.sqlite").exists()

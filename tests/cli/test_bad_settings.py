"""Settings that cannot work: `check` and `run` say so in the same line, and nothing was begun."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from family_models import SENTENCE, family_model

from provetune.cli.main import answer
from provetune.core.errors import Interrupted
from provetune.study.run import run

PHASES = ("Reading ", "Preparing ")
LABELS = ("refund", "delivery", "login")
ROWS = "text,label\n" + "".join(f"message {n} about {label},{label}\n" for n in range(20) for label in LABELS)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with rows, and tiny models in place of the catalogue's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVETUNE_CACHE", str(tiny_cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


def write_problem(candidate: dict[str, Any], **data: object) -> None:
    problem = {
        "name": "bad",
        "language": "en",
        "data": {"train": "rows.csv", "columns": {"text": "text", "label": "label"}, **data},
        "candidates": {"words": {"method": "tfidf"}, "odd": candidate},
        "study": {"seeds": 1, "parallel": 1},
    }
    Path("problem.yaml").write_text(yaml.safe_dump(problem, sort_keys=False), encoding="utf-8")


def said_by_run(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that `run` refuses with."""
    assert answer(["run", "problem.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [each for each in captured.err.splitlines() if not each.startswith(PHASES)]
    assert len(lines) == 1, captured.err
    assert not list(Path().glob(".provetune/studies/*/trials/*"))
    return lines[0]


def said_by_check(capsys: pytest.CaptureFixture[str]) -> str:
    """The line that `check` refuses the file with, or the one finding that blocks."""
    code = answer(["check", "problem.yaml", "--json"])
    captured = capsys.readouterr()
    if code == 2:
        (line,) = captured.err.splitlines()
        return line
    assert code == 1
    (found,) = [each for each in json.loads(captured.out)["findings"] if each["severity"] == "blocking"]
    message: str = found["message"]
    return message


def line_of(text: str) -> int:
    """Number of the line of the problem file that has this text."""
    return Path("problem.yaml").read_text(encoding="utf-8").splitlines().index(text) + 1


@pytest.mark.parametrize(
    ("candidate", "place_of", "said"),
    [
        ({"method": "lora", "rank": 0}, "    rank: 0", "'rank' must be greater than or equal to 1. Got 0 instead."),
        ({"method": "lora", "alpha": -1}, "    alpha: -1", "'alpha' must be greater than 0"),
        ({"method": "lora", "dropout": 1.0}, "    dropout: 1.0", "'dropout' must be less than 1"),
        ({"method": "adapter", "bottleneck": 0}, "    bottleneck: 0", "'bottleneck' must be"),
        ({"method": "prompt", "prompt_length": 0}, "    prompt_length: 0", "'prompt_length' must be"),
        ({"method": "prefix", "prefix_length": 0}, "    prefix_length: 0", "'prefix_length' must be"),
        ({"method": "full", "objective": "replay"}, "    objective: replay", "'replay' needs a memory"),
        ({"method": "full", "objective": "ewc"}, "    objective: ewc", "'ewc' needs"),
        ({"method": "full", "objective": "lwf"}, "    objective: lwf", "'lwf'"),
        ({"method": "full", "objective": "distil"}, "    objective: distil", "'distil' needs"),
        ({"method": "full", "objective": "group_dro"}, "    objective: group_dro", "'group_dro' needs"),
        ({"method": "full", "objective": "pseudo_labels"}, "    objective: pseudo_labels", "needs rows without labels"),
        ({"method": "full", "objective": "consistency"}, "    objective: consistency", "needs rows without labels"),
        ({"method": "full", "layer_decay": 0}, "    layer_decay: 0", "layer_decay' must be"),
        ({"method": "full", "ema": 1.0}, "    ema: 1.0", "ema' must be"),
        ({"method": "full", "schedule": "cosin"}, "    schedule: cosin", "Did you mean 'cosine'"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_check_and_run_say_the_same_line(
    candidate: dict[str, Any], place_of: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_problem(candidate)
    line = said_by_run(capsys)
    assert said in line
    assert line.startswith(f"problem.yaml:{line_of(place_of)}: ")
    assert said_by_check(capsys) == line


def test_a_family_that_cannot_take_a_prefix(
    place: Path, tiny_backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place / "deberta"
    family_model("deberta-v2", SENTENCE, None, 300).save_pretrained(folder)
    for file in tiny_backbone.glob("tokenizer*"):
        (folder / file.name).write_bytes(file.read_bytes())
    write_problem({"backbone": "./deberta", "method": "prefix"})
    capsys.readouterr()  # what saving said
    line = said_by_run(capsys)
    assert line.startswith(f"problem.yaml:{line_of('    method: prefix')}: ")
    assert "A prefix does not work with backbones of the family 'deberta-v2'. It works with albert, bart, bert" in line
    assert said_by_check(capsys) == line


def test_one_row_of_a_label_in_folds(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("rows.csv").open("a", encoding="utf-8") as file:
        file.write("something that nobody asks,rare\n")
    write_problem({"method": "tfidf"}, split={"folds": 5})
    line = said_by_run(capsys)
    assert line.startswith(f"problem.yaml:{line_of('    folds: 5')}: The label 'rare' has 1 different text, too few")
    assert said_by_check(capsys) == line


def test_one_row_of_a_label_in_a_stratified_split_is_told_before_any_training(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is learned from and cannot be measured: no fault, but worth a line."""
    with Path("rows.csv").open("a", encoding="utf-8") as file:
        file.write("something that nobody asks,rare\n")
    write_problem({"method": "tfidf", "C": 3.0})
    assert answer(["check", "problem.yaml"]) == 0
    assert "1 label has fewer than 5 training rows, 1 of them a single one: 'rare'" in capsys.readouterr().out
    heard: list[dict[str, Any]] = []

    def hear(event: dict[str, Any]) -> None:
        heard.append(event)
        if event.get("message") == "1 label has too few rows to be in test: rare.":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run("problem.yaml", listener=hear)
    assert not [event for event in heard if event["event"] in ("trials", "trial")]
    assert not list(Path().glob(".provetune/studies/*/trials/*"))

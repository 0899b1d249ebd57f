"""The data gate as a document: what is found, how grave it is, and that being offline does not stop it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provetune.core.errors import DataError, EnvironmentFault, ProblemFileError, ProvetuneError
from provetune.problem.reading import read_problem
from provetune.study.checking import check_problem
from provetune.study.problem_checks import baseline_of, problem_checks
from provetune.study.resolve import resolve

WriteProblem = Callable[..., Path]


def kinds(document: dict[str, Any]) -> list[str]:
    return [finding["kind"] for finding in document["findings"]]


def test_sound_data_has_nothing_blocking(tmp_path: Path, write_problem: WriteProblem) -> None:
    found = check_problem(write_problem(tmp_path))
    assert found["blocking"] == 0
    assert sum(found["splits"].values()) == 120
    assert {"blocking", "findings"} <= set(found)
    json.dumps(found, allow_nan=False)


def test_a_label_that_training_lacks_blocks_and_comes_first(tmp_path: Path, write_problem: WriteProblem) -> None:
    path = write_problem(tmp_path)
    rows = ["message,intent,channel", "where is it,delivry,mail", "my invoice,billing,chat"]
    (tmp_path / "test.csv").write_text("\n".join(rows) + "\n")
    found = check_problem(path, overrides=["data.test=test.csv"])
    assert found["blocking"] >= 1
    first = found["findings"][0]
    assert (first["kind"], first["severity"], first["count"]) == ("unseen_label", "blocking", 1)
    assert first["rows"][0]["file"] == "test.csv"


def test_truncation_is_counted_with_the_candidates_tokenizer(tmp_path: Path, write_problem: WriteProblem) -> None:
    path = write_problem(tmp_path)
    found = check_problem(path, overrides=["candidates.full.max_length=8"])
    truncated = next(finding for finding in found["findings"] if finding["kind"] == "truncated")
    # Tokens are characters here, so every message has more than eight.
    assert truncated["count"] == found["splits"]["train"]
    assert truncated["severity"] == "warning"
    assert truncated["message"].startswith("full (")
    windows = ["candidates.full.max_length=8", "candidates.full.long_texts=windows"]
    assert "truncated" not in kinds(check_problem(path, overrides=windows))


def test_a_language_that_the_backbone_does_not_know(
    tmp_path: Path, write_problem: WriteProblem, tiny_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVETUNE_CACHE", str(tiny_cache))
    path = write_problem(tmp_path)
    found = check_problem(path, overrides=["candidates.full.backbone=m3e-small-zh"])
    unlike = next(finding for finding in found["findings"] if finding["kind"] == "language_unlike_backbone")
    assert "'en'" in unlike["message"]
    assert "m3e-small-zh" in unlike["message"]
    fitting = check_problem(path, overrides=["candidates.full.backbone=auto"])
    assert "language_unlike_backbone" not in kinds(fitting)


def test_being_offline_is_a_note(tmp_path: Path, write_problem: WriteProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EnvironmentFault("The hub cannot be reached.")

    path = write_problem(tmp_path)
    monkeypatch.setattr("provetune.models.backbones.find_backbone", refuse)
    found = check_problem(path)
    note = next(finding for finding in found["findings"] if finding["kind"] == "backbone_not_available")
    assert note["severity"] == "note"
    assert "The hub cannot be reached" in note["message"]
    assert found["blocking"] == 0


def test_one_label_blocks(tmp_path: Path, write_problem: WriteProblem) -> None:
    path = write_problem(tmp_path)
    table = tmp_path / "messages.csv"
    text = table.read_text().replace(",billing,", ",login,").replace(",delivery,", ",login,")
    table.write_text(text)
    found = check_problem(path)
    assert found["findings"][0]["kind"] == "one_label_only"
    assert found["blocking"] >= 1


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("accept={'recall:logon': '>= 0.1'}", "There is no label 'logon'. Did you mean 'login'?"),
        ("accept={'accuracy @ chanel=mail': '>= 0.1'}", "There is no column 'chanel'. Did you mean 'channel'?"),
        ("data.out_of_scope=loign", "out-of-scope label 'loign'. Did you mean 'login'?"),
    ],
)
def test_names_that_are_not_in_the_data(tmp_path: Path, write_problem: WriteProblem, override: str, told: str) -> None:
    with pytest.raises(ProvetuneError) as caught:
        check_problem(write_problem(tmp_path), overrides=[override])
    assert told in str(caught.value)


def test_what_cannot_be_read_is_one_line(tmp_path: Path, write_problem: WriteProblem) -> None:
    path = write_problem(tmp_path)
    with pytest.raises(ProblemFileError, match="no metric 'acuracy'"):
        check_problem(path, overrides=["accept={acuracy: '>= 1'}"])
    (tmp_path / "messages.csv").unlink()
    with pytest.raises(DataError):
        check_problem(path)


FAULTY = {
    "no memory": {"method": "full", "objective": "ewc"},
    "no replay": {"method": "full", "objective": "replay"},
    "no earlier head": {"method": "lora", "objective": "lwf"},
    "no file": {"method": "full", "objective": "replay", "replay_memory": "none.csv"},
    "two attacks": {"method": "full", "objective": ["fgm", "pgd"]},
    "no such layer": {"method": "lora", "targets": ["query", "valeu"]},
    "no dropout": {"method": "full", "objective": "rdrop", "hidden_dropout": 0, "attention_dropout": 0},
    "no such words": {"method": "full", "objective": "counterfactual", "counterfactual_pairs": [["zebra", "gnu"]]},
    "a word by itself": {"method": "full", "objective": "counterfactual", "counterfactual_pairs": [["he", "He"]]},
    "too many layers": {"method": "top_layers", "train_layers": 9},
    "too long": {"method": "full", "max_length": 4000},
    "no folder": {"method": "full", "backbone": "./nothing"},
    "ranks come back": {"method": "adalora", "ema": 0.9},
    "equal runs": {"method": "ensemble", "members": ["words"], "runs": 3},
    "no such range": {"method": "lora", "search": {"rank": {"low": 0, "high": 4}}},
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_run_refuses_check_refuses(tmp_path: Path, write_problem: WriteProblem, name: str) -> None:
    """In the same words, with the place in the file, and beside what it says of the data."""
    candidates = {"words": {"method": "tfidf"}, "faulty": dict(FAULTY[name])}
    path = write_problem(tmp_path, candidates=candidates)
    if FAULTY[name]["method"] == "ensemble":
        path.write_text("\n".join(line for line in path.read_text().split("\n") if "backbone" not in line))
    with pytest.raises(ProvetuneError) as refused:
        resolve(read_problem(path, checks=problem_checks(), baseline_of=baseline_of))
    found = check_problem(path)
    said = [finding for finding in found["findings"] if finding["kind"] == "candidate_cannot_run"]
    assert [(finding["severity"], finding["message"]) for finding in said] == [("blocking", str(refused.value))]
    assert found["blocking"] == 1
    assert sum(found["splits"].values()) == 120


def test_what_needs_no_backbone_is_said_without_one(
    tmp_path: Path, write_problem: WriteProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EnvironmentFault("The hub cannot be reached.")

    path = write_problem(tmp_path)
    monkeypatch.setattr("provetune.models.backbones.find_backbone", refuse)
    found = check_problem(path, overrides=["candidates.full.objective=ewc"])
    assert {"candidate_cannot_run", "backbone_not_available"} <= set(kinds(found))


def test_looking_at_candidates_loads_no_torch(tmp_path: Path, write_problem: WriteProblem, tiny_cache: Path) -> None:
    path = write_problem(tmp_path, candidates={"full": {"method": "full", "backbone": "minilm-en", "objective": "fgm"}})
    code = (
        "import sys; from provetune.study.checking import check_problem; "
        f"check_problem({str(path)!r}); print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    environment = {**os.environ, "PROVETUNE_CACHE": str(tiny_cache)}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "[]"

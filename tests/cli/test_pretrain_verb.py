"""`provetune pretrain` at the command line, and the names that `provetune models` then knows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from provetune.cli.main import answer

QUICK = ["--backbone", "minilm-en", "--epochs", "1", "--precision", "fp32", "--language", "en"]


@pytest.fixture
def texts(tiny_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    shutil.copytree(tiny_cache, cache)
    shutil.rmtree(cache / "own", ignore_errors=True)
    monkeypatch.setenv("PROVETUNE_CACHE", str(cache))
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(f"parcel {number} is late" for number in range(40)), encoding="utf-8")
    return path


def test_one_document_and_a_name_that_is_known(texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["pretrain", str(texts), "--name", "support-mlm", "--json", *QUICK]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["name"] == "support-mlm"
    assert document["pretraining"]["after"].keys() == {"loss", "perplexity"}
    assert "Step" in captured.err
    assert answer(["models", "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["own"]
    assert (row["name"], row["objective"], row["from"]["name"]) == ("support-mlm", "mlm", "minilm-en")
    assert answer(["models", "path", "support-mlm"]) == 0
    assert capsys.readouterr().out.strip() == document["path"]
    assert answer(["models", "list"]) == 0
    assert "'minilm-en' after mlm on 38 texts" in capsys.readouterr().out


def test_in_words(texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["pretrain", str(texts), "--name", "mine", "--objective", "simcse", *QUICK]) == 0
    captured = capsys.readouterr()
    shown = captured.out
    assert "Writing" not in captured.err  # libraries keep their own bars to themselves
    assert "uniformity: " in shown
    assert "backbone: mine" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.txt", "--name", "mine"], "There is no such file"),
        (["TEXTS", "--name", "mine", "--column", "text"], "A .txt file has no columns"),
        (["TEXTS", "--name", "auto"], "The name 'auto' is taken"),
        (["TEXTS", "--name", "mine", "--backbone", "./none"], "There is no folder './none' with a model"),
        (["TEXTS", "--name", "mine", "--held-out", "1"], "held_out"),
        (["TEXTS"], "--name"),
    ],
)
def test_bad_input_is_one_line(texts: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert answer(["pretrain", *(str(texts) if word == "TEXTS" else word for word in words)]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1

"""The sample of spoken times stays what its page says, and its model can be made anywhere."""

from __future__ import annotations

import csv
import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from provetune.problem.reading import read_problem
from provetune.study.problem_checks import baseline_of, problem_checks

FOLDER = Path(__file__).parents[2] / "examples" / "spoken_times"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(file: str) -> list[dict[str, str]]:
    with (FOLDER / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))


def test_the_script_writes_the_same_rows_again(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "make_times.py", tmp_path)
    load(tmp_path / "make_times.py").main()
    for name in ("times.csv", "known_noise.csv"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


def test_rows_and_their_known_noise() -> None:
    times, noise = rows("times.csv"), rows("known_noise.csv")
    assert len(times) == len({row["said"] for row in times}) == 1500
    assert len(noise) == 30
    written = {row["said"]: row["written"] for row in times}
    for row in noise:
        assert written[row["said"]] == row["written"] != row["intended"]


def test_a_time_is_said_as_it_is_written() -> None:
    import random

    say = load(FOLDER / "make_times.py").say_clock
    draw = random.Random(0)
    assert say(draw, 16, 30) == "at half past four in the afternoon"
    assert say(draw, 17, 45) == "at a quarter to six in the afternoon"
    assert say(draw, 11, 40) == "at twenty to twelve in the morning"
    assert say(draw, 20, 5) == "at five past eight in the evening"


def test_the_problem_file_has_no_fault() -> None:
    found = read_problem(FOLDER / "problem.yaml", checks=problem_checks(), baseline_of=baseline_of)
    assert found.problem.task == "seq2seq"


def test_the_model_is_made_and_reads_what_is_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from provetune.models.backbones import find_backbone
    from provetune.models.loading import load_model, load_tokenizer

    load(FOLDER / "make_model.py").main(tmp_path / "model")
    backbone = find_backbone(str(tmp_path / "model"), "en", kind="encoder_decoder")
    assert backbone.family == "t5"
    model, tokenizer = load_model(backbone.path, "AutoModelForSeq2SeqLM", {}, 0), load_tokenizer(backbone)
    assert 900_000 < sum(parameter.numel() for parameter in model.parameters()) < 1_100_000
    for row in rows("times.csv")[:200]:
        for text in row.values():
            ids = tokenizer(text)["input_ids"]
            assert tokenizer.decode(ids, skip_special_tokens=True) == text
    capfd.readouterr()

"""`provetune methods`: the table on a terminal, one method alone, and all of it as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from provetune.cli.main import answer
from provetune.models.methods import METHODS


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def ask(*arguments: str) -> str:
        assert answer(["methods", *arguments]) == 0
        return capsys.readouterr().out

    return ask


def test_the_table_names_every_method_with_tasks_and_families(say: Callable[..., str]) -> None:
    lines = say().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("method "))
    told = {line.split()[0]: line for line in lines[begin + 1 :] if line and not line.startswith(" ")}
    assert set(METHODS.names()) <= set(told)
    assert "all but modernbert, llama, t5" in told["bitfit"]
    assert "needs none" in told["tfidf"]
    assert any(line.startswith("Objectives go with") for line in lines)
    assert max(map(len, lines)) <= 120


def test_one_method_alone_says_what_it_minds(say: Callable[..., str]) -> None:
    text = " ".join(say("bitfit").split())
    assert "The layers of the family 't5' have no biases that bitfit could train." in text
    assert "marian seq2seq" in text
    assert "no backbone" in say("tfidf")


def test_json_has_every_cell(say: Callable[..., str]) -> None:
    document: dict[str, Any] = json.loads(say("--json"))
    by_name = {method["name"]: method for method in document["methods"]}
    assert set(by_name) == set(METHODS.names())
    refused = [cell for cell in by_name["bitfit"]["goes_with"] if not cell["works"]]
    assert all(cell["why"] for cell in refused)
    assert set(document) == {"families", "methods", "objectives"}
    (one,) = json.loads(say("lora", "--json"))["methods"]
    assert {field["name"] for field in one["settings"]} >= {"rank", "rslora", "dora"}
    assert all(cell["works"] for cell in one["goes_with"] if cell["task"] == "pair" and cell["family"] == "bert")


def test_the_tables_load_nothing_heavy() -> None:
    code = (
        "import sys; from provetune.cli.main import answer; answer(['methods']); "
        "print([name for name in ('torch', 'transformers') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"

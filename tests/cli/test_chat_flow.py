"""A study of conversations and one of preferences, through the verbs: drafted, checked, run, asked, streamed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from chat_tokenizers import write_tiny_decoder

from provetune.cli.main import answer
from provetune.inference.predictor import load

THINGS = ("parcel", "card", "login", "order")
QUICK = {"epochs": 2, "learning_rate": 3e-3, "precision": "fp32", "backbone": "./tiny"}
Ask = Callable[..., Any]


def write_conversations(path: Path) -> None:
    lines = []
    for number in range(60):
        thing = THINGS[number % 4]
        turns = [f"about {thing} {number}", f"the {thing} is fine"]
        turns += ["and now?", "still fine"] if number % 3 == 0 else []
        messages = [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(turns)]
        lines.append({"number": number, "messages": messages})
    lines.append({"number": 60, "messages": [{"role": "assistant", "content": "first"}]})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def write_preferences(path: Path) -> None:
    tones = {"warm": ("dear friend", "whatever, no"), "cold": ("noted, sir", "hi hi hi")}
    lines = []
    for number in range(60):
        tone = ("warm", "cold")[number % 2]
        chosen, rejected = tones[tone]
        asked = f"about {THINGS[number % 4]} {number}"
        lines.append({"prompt": asked, "chosen": chosen, "rejected": rejected, "tone": tone})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which both studies have run."""
    place = tmp_path_factory.mktemp("chat")
    write_tiny_decoder(place / "tiny")
    write_conversations(place / "chats.jsonl")
    write_preferences(place / "pairs.jsonl")
    common = {"language": "en", "study": {"seeds": 1, "parallel": 1}}
    chats = {
        "name": "chats",
        "task": "chat",
        "options": {"system": "Be kind.", "max_target_length": 12},
        "data": {"train": "chats.jsonl", "skip_bad": True},
        "candidates": {"base": {"method": "untrained", "backbone": "./tiny"}, "full": {"method": "full", **QUICK}},
        "accept": {"perplexity": "<= 100000"},
        **common,
    }
    pairs = {
        "name": "pairs",
        "task": "chat",
        "options": {"generate": False},
        "data": {"train": "pairs.jsonl", "columns": {"controls": ["tone"]}},
        "candidates": {
            "base": {"method": "untrained", "backbone": "./tiny"},
            "dpo": {"method": "lora", "objective": "dpo", "beta": 0.5, **QUICK, "learning_rate": 0.01},
        },
        **common,
    }
    for document in (chats, pairs):
        (place / f"{document['name']}.yaml").write_text(yaml.safe_dump(document))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for name in ("chats", "pairs"):
            assert answer(["run", f"{name}.yaml", "--quiet"]) == 0
    return place


@pytest.fixture
def ask(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Carries out a line in that folder; with ``--json`` the document, else what was printed, or the error."""
    monkeypatch.chdir(folder)

    def call(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert answer(words) == code
        captured = capsys.readouterr()
        if code:
            return captured.err
        return json.loads(captured.out) if "--json" in words else captured.out

    return call


def test_both_kinds_of_file_are_recognised(ask: Ask, folder: Path) -> None:
    for name, columns in (
        ("chats", {"text": "messages"}),
        ("pairs", {"text": "prompt", "label": "chosen", "rejected": "rejected"}),
    ):
        ask("init", f"{name}.jsonl", "-o", f"drafted-{name}.yaml")
        drafted = yaml.safe_load((folder / f"drafted-{name}.yaml").read_text())
        assert drafted["task"] == "chat"
        assert drafted["data"]["columns"] == columns
        assert drafted["candidates"]["baseline"]["method"] == "untrained"


def test_turns_out_of_order_are_told_with_their_row(ask: Ask) -> None:
    found = {finding["kind"]: finding for finding in ask("check", "chats.yaml", "--json")["findings"]}
    (place,) = found["bad_row"]["rows"]
    assert (place["file"], place["row"]) == ("chats.jsonl", 61)
    assert place["message"].startswith("messages: Turns are out of order: message 1 is the assistant's")


def test_truncation_is_counted(ask: Ask) -> None:
    short = "--set=candidates.full.max_length=40"
    found = {finding["kind"]: finding for finding in ask("check", "chats.yaml", short, "--json")["findings"]}
    assert "longer than max_length (40 tokens)" in found["truncated"]["message"]


def test_scores_of_both_studies(ask: Ask) -> None:
    chats = ask("report", "chats.yaml", "--json", "--open-test")["candidates"]
    assert chats["full"]["metrics"]["perplexity"]["mean"] < chats["base"]["metrics"]["perplexity"]["mean"]
    assert {"rougeL", "chrf", "bits_per_byte"} <= set(chats["full"]["metrics"])
    pairs = ask("report", "pairs.yaml", "--json", "--open-test")["candidates"]
    assert pairs["dpo"]["metrics"]["preference_accuracy"]["mean"] >= 0.9
    assert "rougeL" not in pairs["dpo"]["metrics"]


def test_answers_are_the_same_whole_and_streamed(ask: Ask, folder: Path) -> None:
    (told,) = ask("predict", "chats.yaml", "about card 3", "--json")
    assert set(told) == {"text", "score"}
    assert ask("predict", "chats.yaml", "about card 3", "--stream") == f"{told['text']}\n"
    bundle = next((folder / ".provetune" / "studies").glob("chats-*/trials/full-0/bundle"))
    model = load(bundle)
    turns = [{"role": "user", "content": "about card 3"}]
    assert list(model.predict(turns)) == list(model.predict([turns])) == [told]
    assert "".join(model.stream(turns)) == told["text"]


def test_attributes_of_the_answer_come_with_the_text(ask: Ask, folder: Path) -> None:
    warm = ask("predict", "pairs.yaml", "about card 3", "--set", "tone=warm", "--json")
    (folder / "asked.jsonl").write_text('{"prompt": "about card 3", "tone": "warm"}\n{"prompt": "about card 3"}\n')
    ask("predict", "pairs.yaml", "-i", "asked.jsonl", "-o", "told.jsonl")
    rows = [json.loads(line) for line in (folder / "told.jsonl").read_text().splitlines()]
    assert rows[0]["text"] == warm[0]["text"]
    bundle = next((folder / ".provetune" / "studies").glob("pairs-*/trials/dpo-0/bundle"))
    asked = load(bundle).columns.texts_of({"prompt": "x", "tone": "cold"}, "text 1")
    assert json.loads(asked[0])[0] == {"role": "system", "content": "tone: cold", "lines": "controls"}
    assert "no column 'tune' besides the text. Did you mean 'tone'" in ask(
        "predict", "pairs.yaml", "x", "--set", "tune=warm", code=2
    )
    assert "NAME=VALUE. Got 'warm'" in ask("predict", "pairs.yaml", "x", "--set", "warm", code=2)


def test_streams_that_cannot_be(ask: Ask) -> None:
    assert "--stream and --json" in ask("predict", "chats.yaml", "x", "--stream", "--json", code=2)
    assert "needs texts on the command line" in ask("predict", "chats.yaml", "--stream", code=2)


def test_settings_of_an_objective_are_checked_where_they_stand(ask: Ask) -> None:
    said = ask("check", "pairs.yaml", "--set=candidates.dpo.beta=-1", code=2)
    assert "'beta' must be greater than 0" in said
    said = ask("run", "chats.yaml", "--set=candidates.full.objective=dpo", code=2)
    assert "learns from pairs of a chosen and a rejected answer" in said
    assert "candidates.full.objective" in said


def test_bundles_load_with_plain_transformers(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, pipeline

    bundle = next((folder / ".provetune" / "studies").glob("chats-*/trials/full-0/bundle"))
    assert AutoModelForCausalLM.from_pretrained(bundle).generation_config.max_new_tokens == 12
    asked = [{"role": "user", "content": "about card 3"}]
    found = pipeline("text-generation", model=str(bundle))(asked, return_full_text=False)
    assert found[0]["generated_text"] == load(bundle).predict(asked)[0]["text"]

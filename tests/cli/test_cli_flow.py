"""One small study through every verb: what each prints, on the screen and as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provetune.cli.main import answer

WORDS = {
    "refund": ("money back please", "i want a refund", "return my payment"),
    "delivery": ("where is my parcel", "the courier is late", "track my order"),
    "login": ("cannot sign in", "forgot my password", "account is locked"),
}
RUN = ["run", "problem.yaml", *(f"--set=study.{field}" for field in ("seeds=2", "keep=all", "parallel=1"))]
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_cache: Path) -> Path:
    """A folder in which a study of two quick candidates has run."""
    place = tmp_path_factory.mktemp("flow")
    rows = [(f"{WORDS[label][n % 3]} number {n}", label) for n in range(60) for label in WORDS]
    with (place / "messages.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("message", "intent"), *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("PROVETUNE_CACHE", str(tiny_cache))
        assert answer(["init", "messages.csv"]) == 0
        text = Path("problem.yaml").read_text(encoding="utf-8")
        kept = [line for line in text.splitlines() if not line.strip().startswith(("full:", "lora:", "- "))]
        changed = "\n".join(kept).replace("claims:", "claims: [head > words]  #")
        Path("problem.yaml").write_text(changed + '\naccept:\n  accuracy: ">= 0.1"\n', encoding="utf-8")
        assert answer([*RUN, "--quiet"]) == 0
    return place


@pytest.fixture
def ask(folder: Path, tiny_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Carries out a line in that folder; with ``--json`` the document, else what was printed."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PROVETUNE_CACHE", str(tiny_cache))

    def call(*words: str) -> Any:
        capsys.readouterr()
        code = answer(words)
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return json.loads(captured.out) if "--json" in words else captured.out

    return call


def test_run_json_has_the_promised_names(ask: Ask) -> None:
    document = ask(*RUN, "--json")
    assert set(document["candidates"]) == {"words", "head"}
    for entry in document["candidates"].values():
        accuracy = entry["metrics"]["accuracy"]
        assert len(accuracy["seeds"]) in (1, 2)
        assert accuracy["mean"] == pytest.approx(sum(accuracy["seeds"]) / len(accuracy["seeds"]))
        assert entry["seconds"] >= 0
        assert all(Path(bundle).is_dir() for bundle in entry["bundles"])
    assert document["best"]["candidate"] in document["candidates"]
    assert Path(document["best"]["bundle"]).is_dir()
    (level,) = document["accept"]
    assert {"metric", "required", "value", "bound", "met"} <= set(level)
    assert level["met"] is True
    assert len(document["claims"]) == 1


def test_run_shows_scores_acceptance_and_what_next(ask: Ask) -> None:
    shown = ask(*RUN, "--quiet")
    assert "Scores on the sealed test" in shown
    assert "accuracy >= 0.1: met" in shown
    assert "Bundle: " in shown
    assert 'provetune predict problem.yaml "some text"' in shown
    assert "provetune report problem.yaml --html --open-test" in shown
    assert "provetune next problem.yaml" in shown


@pytest.mark.parametrize(("level", "code"), [(">= 0.1", 0), ("<= 0.01", 1)])
def test_strict_makes_the_exit_code_tell_of_acceptance(
    ask: Ask, level: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*RUN, "--quiet", "--workspace", str(tmp_path), "--set", f'accept={{accuracy: "{level}"}}']
    assert answer([*words, "--strict", "--json"]) == code
    (judged,) = json.loads(capsys.readouterr().out)["accept"]
    assert judged["met"] is (code == 0)
    assert answer(words) == 0


def test_report_has_every_label_and_exports_tables(ask: Ask, tmp_path: Path) -> None:
    document = ask("report", "problem.yaml", "--open-test", "--json", "--csv", str(tmp_path / "tables"))
    assert document["split"] == "test"
    best = document["candidates"][document["best"]["candidate"]]
    assert {line["label"] for line in best["labels"]} == set(WORDS)
    names = {path.name for path in (tmp_path / "tables").iterdir()}
    assert {"scores.csv", "labels.csv", "confusion.csv", "slices.csv"} <= names
    # Slices of the test needed its rows: that was written down, and not charged again.
    again = ask("report", "problem.yaml", "--open-test", "--json")
    assert again["looks"]["charged"] == document["looks"]["charged"] == 1
    assert len(again["looks"]["all"]) == len(document["looks"]["all"]) + 1


def test_report_on_the_screen(ask: Ask) -> None:
    shown = ask("report", "problem.yaml", "--split", "validation", "--candidate", "words", "--candidate", "head")
    assert "Scores on the validation rows" in shown
    for word in ("precision", "recall", "support", "refund", "gold \\ given", "Calibration error"):
        assert word in shown


def test_predict_texts(ask: Ask) -> None:
    document = ask("predict", "problem.yaml", "where is my parcel", "forgot my password", "--proba", "--json")
    assert [row["label"] for row in document] == ["delivery", "login"]
    for row in document:
        assert set(row["labels"]) == set(WORDS)
        assert sum(row["labels"].values()) == pytest.approx(1, abs=1e-6)
        assert row["score"] == pytest.approx(max(row["labels"].values()))
    piped = ask("predict", "problem.yaml", "where is my parcel", "--top-k", "2")
    label, score, *more = piped.strip().split("\t")
    assert (label, len(more)) == ("delivery", 2)
    assert 0 < float(score) <= 1


def test_predict_stdin_streams_lines(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("track my order\n\ncannot sign in\r\n"))
    shown = ask("predict", "problem.yaml")
    assert [line.split("\t")[0] for line in shown.splitlines()] == ["delivery", "login"]


def test_predict_file_keeps_order_and_columns(ask: Ask, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "answers.jsonl"
    document = ask("predict", "problem.yaml", "--input", "messages.csv", "--output", str(target), "--json")
    with (folder / "messages.csv").open(encoding="utf-8") as stream:
        given = list(csv.DictReader(stream))
    answered = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert document["rows"] == len(given) == len(answered)
    assert [row["message"] for row in answered] == [row["message"] for row in given]
    assert [row["intent"] for row in answered] == [row["intent"] for row in given]


def test_a_changed_byte_in_a_bundle_is_refused(ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    document = ask(*RUN, "--json")
    copy = tmp_path / "copy"
    shutil.copytree(document["best"]["bundle"], copy)
    weights = next(copy.glob("**/*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert answer(["predict", str(copy), "some text"]) == 2
    assert weights.name in capsys.readouterr().err


def test_compare_a_study_with_itself(ask: Ask) -> None:
    document = ask("compare", "problem.yaml", "problem.yaml", "--json")
    assert document["settings"] == []
    assert all(line["difference"] == 0 for line in document["differences"])
    assert "Their settings are equal." in ask("compare", "problem.yaml", "problem.yaml")


def test_every_verb_with_tables_exports_them(ask: Ask, tmp_path: Path) -> None:
    for words in (["check", "problem.yaml"], ["clean", "problem.yaml"], ["compare", "problem.yaml", "problem.yaml"]):
        ask(*words, "--json", "--csv", str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} >= {"space.csv", "scores.csv", "differences.csv"}
    with (tmp_path / "scores.csv").open(encoding="utf-8-sig", newline="") as stream:
        line = next(line for line in csv.DictReader(stream) if line["metric"] == "accuracy")
    assert line["a_mean"] == line["b_mean"]
    assert line["a_seeds"] == line["b_seeds"] != ""


def test_clean_shows_before_it_frees(ask: Ask) -> None:
    document = ask("clean", "problem.yaml", "--json")
    assert document["applied"] is False
    spare = [item["path"] for item in document["items"] if item["removable"]]
    assert spare
    assert all(Path(path).exists() for path in spare)
    assert "can be freed" in ask("clean", "problem.yaml")
    assert ask("clean", "problem.yaml", "--yes", "--json")["freed_bytes"] == document["removable_bytes"]
    assert not any(Path(path).exists() for path in spare)
    assert ask("predict", "problem.yaml", "where is my parcel").startswith("delivery")


def test_doctor_says_what_is_here(ask: Ask) -> None:
    document = ask("doctor", "--offline", "--json")
    assert document["machine"]["cores"] >= 1
    assert document["precision"]["chosen"] in ("fp32", "bf16")
    assert document["versions"]["torch"]
    assert document["sources"] == []
    assert "processor" in ask("doctor", "--offline")


def test_doctor_asks_the_golden_examples_again(ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    from provetune.models.bundle.golden import Golden, read_golden, write_golden
    from provetune.models.bundle.manifest import write_manifest

    found = ask("doctor", "problem.yaml", "--offline", "--json")["golden"]
    assert found["same"] is True
    assert found["largest"] <= found["tolerance"] == 1e-4
    shown = ask("doctor", found["bundle"], "--offline")
    assert f"all {found['examples']} golden examples are answered as they were" in " ".join(shown.split())
    copy = Path(shutil.copytree(found["bundle"], tmp_path / "other"))
    kept = read_golden(copy)
    answers = [list(row) for row in kept.answers]
    answers[0][0] += 0.1
    write_golden(copy, Golden.of(kept.inputs, answers))
    write_manifest(copy)
    assert answer(["doctor", str(copy), "--offline"]) == 1
    assert "Golden example 1 of" in " ".join(capsys.readouterr().out.split())


def test_schema_is_valid_and_knows_methods(ask: Ask) -> None:
    document = ask("schema", "--json")
    assert document["$schema"].startswith("https://json-schema.org/")
    assert {"full", "head", "lora", "tfidf"} <= set(document["$defs"]["Candidate"]["properties"]["method"]["enum"])


def test_methods_lists_settings(ask: Ask) -> None:
    (lora,) = ask("methods", "lora", "--json")["methods"]
    assert {"rank", "alpha"} <= {field["name"] for field in lora["settings"]}


def test_init_json_has_the_promised_names(ask: Ask, tmp_path: Path) -> None:
    document = ask("init", "messages.csv", "--output", str(tmp_path / "p.yaml"), "--json")
    assert document["columns"] == {"text": "message", "label": "intent"}
    assert document["rows"] == 180
    assert document["labels"] == {"delivery": 60, "login": 60, "refund": 60}
    assert document["warnings"] == []
    assert document["task"] == "classification"
    assert Path(document["problem"]).exists()

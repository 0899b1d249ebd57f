"""Chains of steps on a tiny trained encoder: what is written, what is refused, what is said of it for ever."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import provetune as pt
from provetune.compression.steps.drop_layers import STEP as DROP
from provetune.compression.steps.prune_ffn import STEP as PRUNE
from provetune.core.errors import EnvironmentFault, Refused, UsageError
from provetune.models.bundle import open_bundle
from provetune.models.bundle.manifest import verify_manifest

LOOSE = 0.9
UNHEALED = ["drop_layers.epochs=0"]
BOTH = [*UNHEALED, "prune_ffn.epochs=0"]

pytestmark = pytest.mark.usefixtures("quick")


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_a_chain_writes_each_bundle(parent: Path) -> None:
    told: list[dict[str, Any]] = []
    found = pt.compress(
        parent, "drop_layers,prune_ffn", settings=BOTH, tolerance=LOOSE, threads=1, listener=told.append
    )
    assert found.passed
    places = [parent.parent / name for name in ("bundle-drop_layers", "bundle-drop_layers-prune_ffn")]
    assert [step["bundle"] for step in found.steps] == list(map(str, places))
    assert found.bundle == str(places[1])
    for place in places:
        verify_manifest(place)
        pt.load(place, verify="golden", threads=1).predict(["my parcel is late"])
    first, second = (open_bundle(place).record for place in places)
    assert first["derived_from"]["bundle"] == "bundle"
    assert second["derived_from"]["bundle"] == "bundle-drop_layers"
    assert second["derived_from"]["first"] == first["derived_from"]["first"]
    assert [step["step"] for step in second["derived_from"]["steps"]] == ["drop_layers", "prune_ffn"]
    # The second is judged against its own parent and the first of the chain.
    assert found.steps[0]["levels"][0]["first_loss_bound"] is None
    assert found.steps[1]["levels"][0]["first_loss_bound"] is not None
    assert {event["event"] for event in told} >= {"step", "progress", "judged"}
    assert hidden(parent.parent) == []


def test_a_derivative_inherits_no_verdict(parent: Path) -> None:
    before = open_bundle(parent).record
    assert before["metrics"]["validation"]
    found = pt.compress(parent, "drop_layers", settings=UNHEALED, tolerance=LOOSE, threads=1)
    record = open_bundle(Path(found.bundle)).record
    assert "verdict" not in record
    assert list(record["metrics"]) == ["calibration"]
    assert record["judged_on"] == "calibration half"
    assert {level["estimand"] for level in record["acceptance"]} == {"these weights, calibration half of validation"}
    assert record["data"] == before["data"]
    card = (Path(found.bundle) / "README.md").read_text()
    assert "It inherits no verdict of the sealed test" in card
    assert "On the test rows" not in card
    assert "| size |" in card
    assert "latency p95" in card


def test_too_few_rows_break_nothing_silently(parent: Path) -> None:
    found = pt.compress(parent, "drop_layers", settings=UNHEALED, threads=1)
    assert not found.passed
    assert found.steps[0]["bundle"] is None
    assert found.bundle == str(parent)
    assert any("Too few calibration rows (18)" in note for note in found.notes)
    assert "0.01 is allowed" in found.steps[0]["broke"][0]
    assert sorted(path.name for path in parent.parent.glob("*bundle*")) == ["bundle"]
    assert hidden(parent.parent) == []


def test_forced_is_said_for_ever(parent: Path) -> None:
    found = pt.compress(parent, "drop_layers", settings=UNHEALED, force=True, threads=1)
    assert found.passed
    assert not found.steps[0]["passed"]
    forced = open_bundle(Path(found.bundle)).record["forced"]
    assert [each["step"] for each in forced] == ["drop_layers"]
    assert forced[0]["broke"] == found.steps[0]["broke"]
    # What is made of it holds by itself, and says so all the same.
    again = pt.compress(found.bundle, "prune_ffn", settings=["prune_ffn.epochs=0"], tolerance=LOOSE, threads=1)
    assert again.steps[0]["passed"]
    record = open_bundle(Path(again.bundle)).record
    assert record["forced"] == forced
    assert "Forced: acceptance does not hold" in (Path(again.bundle) / "README.md").read_text()


def test_a_refused_step_ends_the_chain(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PRUNE, "apply", lambda given, settings: pytest.fail("came after a refused step"))
    found = pt.compress(parent, "drop_layers,prune_ffn", settings=BOTH, threads=1)
    assert [step["step"] for step in found.steps] == ["drop_layers"]
    assert not found.passed


def test_the_same_line_again_makes_nothing_twice(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pt.compress(parent, "drop_layers", settings=UNHEALED, tolerance=LOOSE, threads=1)
    monkeypatch.setattr(DROP, "apply", lambda given, settings: pytest.fail("was made again"))
    again = pt.compress(parent, "drop_layers", settings=UNHEALED, tolerance=LOOSE, threads=1)
    assert again.steps[0]["was_there"]
    assert again.steps[0]["levels"] == first.steps[0]["levels"]
    with pytest.raises(UsageError, match="Something else lies"):
        pt.compress(parent, "drop_layers", settings=["drop_layers.which=top"], tolerance=LOOSE, threads=1)


class Killed(BaseException):
    """Stands for a process that is gone: nothing cleans up after it."""


def test_what_was_made_before_a_kill_is_gone_on_with(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(event: dict[str, Any]) -> None:
        if event.get("what") == "judging it on the calibration half":
            raise Killed

    with pytest.raises(Killed):
        pt.compress(parent, "drop_layers", settings=UNHEALED, tolerance=LOOSE, threads=1, listener=dies)
    assert not (parent.parent / "bundle-drop_layers").exists()
    assert ".bundle-drop_layers.compress" in hidden(parent.parent)
    monkeypatch.setattr(DROP, "apply", lambda given, settings: pytest.fail("was made again"))
    found = pt.compress(parent, "drop_layers", settings=UNHEALED, tolerance=LOOSE, threads=1)
    assert found.passed
    assert hidden(parent.parent) == []


def test_other_settings_do_not_go_on_with_what_is_there(parent: Path) -> None:
    def dies(event: dict[str, Any]) -> None:
        if event.get("what") == "judging it on the calibration half":
            raise Killed

    with pytest.raises(Killed):
        pt.compress(parent, "drop_layers", settings=UNHEALED, tolerance=LOOSE, threads=1, listener=dies)
    found = pt.compress(
        parent, "drop_layers", settings=[*UNHEALED, "drop_layers.which=top"], tolerance=LOOSE, threads=1
    )
    assert found.steps[0]["made"]["layers_kept"] == [1]


def test_a_full_disk_leaves_no_half_bundle(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from provetune.models.bundle import deriving

    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(deriving, "write_manifest", full)
    with pytest.raises(EnvironmentFault, match="No space is left"):
        pt.compress(parent, "drop_layers", settings=UNHEALED, tolerance=LOOSE, threads=1)
    assert not (parent.parent / "bundle-drop_layers").exists()
    assert not [name for name in hidden(parent.parent) if name.endswith(".part")]


def test_a_healed_model_learned_from_its_parent(parent: Path) -> None:
    found = pt.compress(parent, "drop_layers", settings=["drop_layers.epochs=1"], tolerance=LOOSE, threads=1)
    made = open_bundle(Path(found.bundle))
    assert json.loads((made.path / "config.json").read_text())["num_hidden_layers"] == 1
    assert made.record["candidate"]["name"] == "full"
    assert found.steps[0]["made"]["parameters_after"] < found.steps[0]["made"]["parameters_before"]


def test_trimmed_vocabulary_answers_as_before(parent: Path) -> None:
    found = pt.compress(parent, "trim_vocabulary", tolerance=LOOSE, threads=1)
    notes = found.steps[0]["made"]
    assert notes["tokens_after"] < notes["tokens_before"] == 7190
    assert notes["tuning_rows_with_lost_tokens"] == 0
    texts = ["my parcel is late", "please refund 17", "why is the password locked again?"]
    before, after = (pt.load(path, threads=1).probabilities(texts) for path in (parent, found.bundle))
    np.testing.assert_allclose(after, before, atol=1e-6)
    assert found.steps[0]["golden"]["flips"] == 0
    from transformers import pipeline

    told = pipeline("text-classification", model=found.bundle, top_k=None)([texts[0]])[0]
    scores = {each["label"]: each["score"] for each in told}
    names = open_bundle(Path(found.bundle)).targets.names
    np.testing.assert_allclose([scores[name] for name in names], before[0], atol=1e-5)


def test_distil_teaches_another_backbone(parent: Path, tiny_backbone: Path) -> None:
    settings = [f"distil.student={tiny_backbone}", "distil.epochs=1", "distil.max_length=32"]
    found = pt.compress(parent, "distil", settings=settings, tolerance=LOOSE, threads=1)
    record = open_bundle(Path(found.bundle)).record
    assert record["encode"]["max_length"] == 32
    assert record["backbone"]["name"] == str(tiny_backbone)
    assert (record["candidate"]["name"], record["candidate"]["distil_from"]) == ("full", "bundle")
    assert record["candidate"]["objective"] == "distil"


def test_a_moved_bundle_needs_its_problem_file(parent: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "model"
    shutil.copytree(parent, moved)
    with pytest.raises(UsageError, match="not beside it"):
        pt.compress(moved, "drop_layers", settings=UNHEALED, tolerance=LOOSE, threads=1)
    problem = tmp_path / "study" / "problem.yaml"
    found = pt.compress(moved, "drop_layers", settings=UNHEALED, problem=problem, tolerance=LOOSE, threads=1)
    assert found.bundle == str(moved.parent / "model-drop_layers")
    rows = tmp_path / "study" / "messages.csv"
    rows.write_text(rows.read_text().replace("invoice", "bill"))
    shutil.rmtree(found.bundle)
    with pytest.raises(Refused, match="are not those that this bundle was made with"):
        pt.compress(moved, "drop_layers", settings=UNHEALED, problem=problem, tolerance=LOOSE, threads=1)


def test_what_a_step_does_not_take_is_refused_at_once(parent: Path) -> None:
    words = next(parent.parent.parent.glob("words-0/bundle"))
    with pytest.raises(UsageError, match="takes bundles of the kind 'transformers'"):
        pt.compress(words, "drop_layers", tolerance=LOOSE)
    with pytest.raises(UsageError, match="has 2 layers"):
        pt.compress(parent, "drop_layers", settings=["drop_layers.keep=2"], tolerance=LOOSE)
    with pytest.raises(UsageError, match="'bert' cannot have fewer heads"):
        pt.compress(parent, "prune_heads", tolerance=LOOSE)


def test_what_lies_there_is_held_against_the_tolerance_of_now(parent: Path) -> None:
    loose = pt.compress(parent, "drop_layers", settings=UNHEALED, tolerance=LOOSE, threads=1)
    assert loose.passed
    strict = pt.compress(parent, "drop_layers", settings=UNHEALED, threads=1)
    assert not strict.passed
    assert strict.steps[0]["was_there"]
    assert "0.01 is allowed" in strict.steps[0]["broke"][0]
    assert strict.bundle == str(parent)
    record = open_bundle(Path(loose.bundle)).record
    record["acceptance"][0]["required"] = ">= 0.5"
    from provetune.models.bundle import update_record

    update_record(Path(loose.bundle), acceptance=record["acceptance"])
    with pytest.raises(UsageError, match="judged by other levels"):
        pt.compress(parent, "drop_layers", settings=UNHEALED, tolerance=LOOSE, threads=1)


def test_what_was_forced_does_not_pass_without_force(parent: Path) -> None:
    assert pt.compress(parent, "drop_layers", settings=UNHEALED, force=True, threads=1).passed
    assert not pt.compress(parent, "drop_layers", settings=UNHEALED, threads=1).passed
    # Nor does a wider tolerance make good what was forced: the bundle says it for ever.
    assert not pt.compress(parent, "drop_layers", settings=UNHEALED, tolerance=LOOSE, threads=1).passed
    again = pt.compress(parent, "drop_layers", settings=UNHEALED, force=True, threads=1)
    assert again.passed
    assert again.steps[0]["broke"]


def test_a_chain_that_cannot_be_is_refused_before_any_work(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provetune.compression.steps.onnx import STEP as ONNX

    monkeypatch.setattr(ONNX, "apply", lambda given, settings: pytest.fail("was begun"))
    with pytest.raises(UsageError, match="'drop_layers' cannot come after 'onnx'"):
        pt.compress(parent, "onnx,drop_layers", tolerance=LOOSE)
    with pytest.raises(UsageError, match="fastest tries several"):
        pt.compress(parent, "fastest", tolerance=LOOSE, out=parent.parent / "x")


def test_rows_that_were_learned_judge_nothing(parent: Path) -> None:
    from provetune.models.bundle import update_record

    data = open_bundle(parent).record["data"]
    update_record(parent, data={**data, "validation": data["train"], "test": data["train"]})
    with pytest.raises(Refused, match="was cross-validated: its models learned from every row"):
        pt.compress(parent, "drop_layers", settings=UNHEALED, tolerance=LOOSE)


def test_the_quickest_way_that_holds_is_chosen_and_said(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provetune.compression import proving
    from provetune.compression.steps.int8_static import STEP as STATIC

    taken = {"fp32": 4.0, "int8": 1.0}
    usual = proving.measure_in_turn

    def costs(predictors: Any, examples: Any) -> dict[str, Any]:
        found = usual(predictors, examples)
        format_of = {name: str(each.record.get("weights") or "fp32") for name, each in predictors.items()}
        before, after = 8.0, taken[format_of["derivative"]]
        found["latency"] = {
            side: dict.fromkeys(found["latency"][side], value)
            for side, value in (("parent", before), ("derivative", after))
        }
        found["engines"] = {"parent": "torch", "derivative": f"onnxruntime {after:g}"}
        return found

    def cannot(given: Any, settings: Any) -> Any:
        raise Refused("no such graph")

    monkeypatch.setattr(proving, "measure_in_turn", costs)
    monkeypatch.setattr(STATIC, "apply", cannot)
    told: list[dict[str, Any]] = []
    found = pt.compress(parent, "fastest", tolerance=LOOSE, threads=1, listener=told.append)
    assert found.passed
    assert found.bundle == str(parent.with_name("bundle-int8"))
    assert found.chosen is not None
    assert found.chosen["times_as_fast"] == {"onnx": 2.0, "int8": 8.0}
    words = "Chosen: int8 (onnxruntime 1), 8.0 times as fast as before for one text here; onnx 2.0."
    assert found.chosen["words"] == words
    assert any(event.get("message") == "int8_static is left out: no such graph" for event in told)
    assert found.document["chosen"]["step"] == "int8"
    from provetune.compression.fastest import choose

    slower = [
        {
            **each,
            "costs": {**each["costs"], "figures": {"latency_p50_ms": {"parent": 1.0, "derivative": 2.0}}},
        }
        for each in found.steps
    ]
    assert choose(slower, parent)["words"] == "The bundle stays as it is: none is quicker here."
    refused = [{**each, "bundle": None, "passed": False} for each in found.steps]
    assert choose(refused, parent)["words"] == "The bundle stays as it is: no way holds."


def test_a_corpus_that_is_no_text_is_said_in_a_line(parent: Path, tmp_path: Path) -> None:
    from provetune.core.errors import DataError

    (tmp_path / "corpus.txt").write_bytes("wo ist mein P\xe4ckchen".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        pt.compress(parent, "trim_vocabulary", settings=[f"trim_vocabulary.corpus={tmp_path / 'corpus.txt'}"])


def test_sparsify_trains_after_its_last_cut_and_keeps_the_zeros(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provetune.compression.steps import sparsify

    cuts: list[Any] = []
    cut = sparsify.cut_smallest

    def remembering(model: Any, share: float) -> None:
        cut(model, share)
        cuts.append([weight.detach().clone() for weight in sparsify.layer_weights(model)])

    monkeypatch.setattr(sparsify, "cut_smallest", remembering)
    settings = ["sparsify.share=0.4", "sparsify.rounds=2", "sparsify.epochs=1"]
    found = pt.compress(parent, "sparsify", settings=settings, tolerance=LOOSE, threads=1)
    notes = found.steps[0]["made"]
    assert notes["share_of_zeros"] == pytest.approx(0.4, abs=1e-3)
    from provetune.models.loading import load_model

    model = load_model(Path(found.bundle), "AutoModelForSequenceClassification", {}, seed=0)
    moved = 0
    for before, after in zip(cuts[-1], sparsify.layer_weights(model), strict=True):
        assert (after[before == 0] == 0).all()
        moved += int((after != before).sum())
    assert moved > 0
    assert notes["compressed_bytes_after"] < notes["compressed_bytes_before"]
    sizes = found.steps[0]["costs"]["figures"]["size_bytes"]
    assert sizes["derivative"] == pytest.approx(sizes["parent"], rel=0.05)


def test_the_whole_way_to_eight_bits(parent: Path) -> None:
    chain = "drop_layers,trim_vocabulary,int8"
    found = pt.compress(parent, chain, settings=UNHEALED, tolerance=LOOSE, threads=1)
    assert found.passed
    last = open_bundle(Path(found.bundle))
    assert last.kind == "onnx"
    assert last.record["weights"] == "int8"
    assert [step["step"] for step in last.record["derived_from"]["steps"]] == chain.split(",")
    assert found.steps[-1]["neighbours"]["flips"] == 0
    sizes = found.steps[-1]["costs"]["figures"]["size_bytes"]
    assert sizes["derivative"] < sizes["parent"]
    pt.load(found.bundle, verify="golden", threads=1).predict(["my parcel is late"])

"""Learning on from a bundle and from other rows: what is refused before any work, and whole studies."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

import provetune
from provetune.core.errors import DataError, ProblemFileError, ProvetuneError
from provetune.models.bundle import open_bundle
from provetune.problem.reading import read_problem
from provetune.study.other_rows import load_other_rows, rows_key, save_other_rows
from provetune.study.resolve import problem_checks, resolve
from provetune.study.resolved import ResolvedStudy
from provetune.study.teachers import Asker

WORDS = {"billing": "invoice charged refund", "delivery": "parcel late courier", "login": "password locked code"}
FILLER = ("my", "please", "he", "today", "the")
QUICK = {"method": "full", "epochs": 2, "batch_rows": 8, "precision": "fp32", "evaluations": 1}


def write_rows(path: Path, labels: list[str], count: int, start: int = 0, *, labelled: bool = True) -> None:
    lines = ["message,intent,channel" if labelled else "message"]
    for number in range(count):
        label = labels[number % len(labels)]
        text = f"{FILLER[number % 5]} {WORDS[label].split()[number // 3 % 3]} {number + start}"
        lines.append(f"{text},{label},{'mail' if number % 3 else 'chat'}" if labelled else text)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """A folder with rows old, new and without labels, and bundles that learned the old ones."""
    folder = tmp_path_factory.mktemp("continual")
    write_rows(folder / "old.csv", ["billing", "delivery"], 60)
    write_rows(folder / "memory.csv", ["billing", "delivery"], 12, 1000)
    write_rows(folder / "new.csv", ["login", "billing"], 60, 2000)
    write_rows(folder / "all.csv", list(WORDS), 90, 3000)
    write_rows(folder / "more.csv", list(WORDS), 30, 4000, labelled=False)
    candidates = {"full": {**QUICK, "backbone": str(tiny_backbone)}}
    study = provetune.run(write(folder, "first", "old.csv", candidates, study={"keep": "all"}), listener=None)
    bundles = {name: Path(entry["bundles"][0]) for name, entry in study.candidates.items()}
    for name, bundle in bundles.items():
        (folder / name).symlink_to(study.folder / bundle if not bundle.is_absolute() else bundle)
    return folder


def write(folder: Path, name: str, train: str, candidates: dict[str, Any], **sections: Any) -> Path:
    problem = {
        "name": name,
        "language": "en",
        "data": {"train": train, "columns": {"text": "message", "label": "intent"}},
        "candidates": candidates,
        **sections,
    }
    problem["study"] = {"seeds": 1, "parallel": 1, **problem.get("study", {})}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(problem, sort_keys=False))
    return path


def resolved(path: Path) -> ResolvedStudy:
    return resolve(read_problem(path, checks=problem_checks()), device="cpu")


def going_on(**fields: Any) -> dict[str, Any]:
    return {"next": {**QUICK, "backbone": "full", "keep_head": True, **fields}}


# -- what is refused before any work ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "error"),
    [
        ({"backbone": "TINY", "keep_head": True}, "output layer of a bundle, and .* is none"),
        ({"backbone": "full", "keep_head": True}, "knows the label 'delivery', which the training rows do not have"),
        ({"backbone": "full", "objective": "lwf"}, "begins with a new head"),
        ({"backbone": "full", "objective": "replay"}, "'replay' needs a memory"),
        ({"backbone": "full", "objective": "replay", "replay_memory": "none.csv"}, "no file or folder 'none.csv'"),
        ({"backbone": "full", "objective": "replay", "replay_memory": "all.csv"}, "label 'delivery' is none of the tr"),
        ({"backbone": "full", "objective": "replay", "replay_memory": "more.csv"}, "no column 'intent'"),
        ({"backbone": "full", "objective": "distil", "distil_from": "full"}, "does not know 'login'"),
        ({"backbone": "full", "objective": "distil", "distil_from": "old.csv"}, "no bundle at this place"),
        ({"backbone": "full", "objective": "consistency"}, "'consistency' needs rows without labels"),
        ({"backbone": "full", "objective": "group_dro", "group_dro_column": "chanel"}, "no column 'chanel'"),
    ],
)
def test_what_cannot_work_is_said_with_its_place(
    candidate: dict[str, Any], error: str, place: Path, tiny_backbone: Path
) -> None:
    fields = {key: str(tiny_backbone) if value == "TINY" else value for key, value in candidate.items()}
    path = write(place, "refused", "new.csv", {"next": {**QUICK, **fields}})
    with pytest.raises(ProvetuneError, match=error) as caught:
        resolved(path)
    assert "refused.yaml" in str(caught.value.where)
    assert "\n" not in caught.value.message


def test_a_test_label_without_training_rows_is_named_in_the_options(place: Path) -> None:
    path = write(place, "unseen", "new.csv", going_on())
    text = path.read_text().replace("train: new.csv", "train: new.csv\n  test: all.csv")
    path.write_text(text)
    with pytest.raises(DataError, match="label of test has no training row: 'delivery'"):
        resolved(path)
    path.write_text(text + "options: {labels: [delivery]}\n")
    study = resolved(path)
    assert study.targets.names == ("billing", "delivery", "login")
    assert study.targets.counts[1] == 0


# -- rows of other files ------------------------------------------------------------------------------------------


def test_other_rows_are_read_like_training_rows_without_those_that_are_judged(place: Path, tmp_path: Path) -> None:
    path = write(place, "leaking", "all.csv", {"next": {**QUICK, "backbone": "full"}})
    judged = resolved(path).splits.test.column("text").to_pylist()
    lines = ["message,intent", f"{judged[0].upper()},login", "a new text,billing", ",login", "no label,"]
    (place / "leaks.csv").write_text("\n".join(lines) + "\n")
    fields = {"objective": ["replay", "consistency"], "replay_memory": "leaks.csv", "consistency_rows": "leaks.csv"}
    study = resolved(write(place, "leaking", "all.csv", {"next": {**QUICK, "backbone": "full", **fields}}))
    assert "1 rows of 'leaks.csv' are left out: validation or test rows have their texts." in study.notes
    save_other_rows(tmp_path, study.other_rows)
    labelled = load_other_rows(tmp_path, "leaks.csv", "labelled")
    assert labelled.select(["text", "label"]).to_pylist() == [{"text": "a new text", "label": "billing"}]
    texts = load_other_rows(tmp_path, "leaks.csv", "texts")
    assert texts.column("text").to_pylist() == ["a new text", "no label"]
    assert texts.column("label").null_count == 2
    assert set(labelled.column_names) >= {"row_id", "text", "label", "_file", "_row"}


def test_a_changed_file_makes_another_study(place: Path) -> None:
    fields = {"objective": "replay", "replay_memory": "memory2.csv"}
    write_rows(place / "memory2.csv", ["billing"], 5, 9000)
    path = write(place, "hashed", "all.csv", {"next": {**QUICK, "backbone": "full", **fields}})
    first = resolved(path).study_id
    assert resolved(path).study_id == first
    write_rows(place / "memory2.csv", ["billing"], 5, 9001)
    assert resolved(path).study_id != first


def test_what_is_kept_is_known_by_path_and_use() -> None:
    assert rows_key("a.csv", "texts") != rows_key("a.csv", "labelled")


# -- teachers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["full", "words"])
def test_a_bundle_is_asked_once_whatever_it_is(
    name: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = pa.table({"text": ["my parcel 3", "the invoice 4"], "label": ["delivery", "billing"]})
    asker = Asker(place, tmp_path)
    found = asker.ask(name, examples)
    import numpy as np

    wanted = provetune.load(place / name).probabilities(examples)
    assert found.names == ("billing", "delivery")
    np.testing.assert_allclose(np.exp(found.values), wanted, rtol=1e-9)
    monkeypatch.setattr(Asker, "_ask", lambda *_: pytest.fail("asked again"))
    np.testing.assert_array_equal(asker.ask(name, examples).values, found.values)


# -- whole studies ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_study_goes_on_from_a_bundle_with_every_continual_objective(place: Path) -> None:
    candidates = {
        "kept": {**going_on()["next"], "learning_rate": 1e-9},
        "ewc": going_on(objective="ewc", ewc_memory="memory.csv")["next"],
        "replay": going_on(objective=["replay", "fgm"], replay_memory="memory.csv")["next"],
        "lwf": {**going_on(objective="lwf")["next"], "method": "lora"},
    }
    sections = {"options": {"labels": ["delivery"]}, "study": {"keep": "all"}}
    study = provetune.run(write(place, "second", "new.csv", candidates, **sections), listener=None)
    assert set(study.candidates) == {*candidates, "words"}
    # Trained with no learning rate to speak of, the old labels' outputs are those of the bundle.
    texts = ["my parcel 3", "the invoice 4", "he is late"]
    (bundle,) = study.candidates["kept"]["bundles"]
    before = provetune.load(place / "full").probabilities(texts)
    after = provetune.load(study.folder / bundle).probabilities(texts)[:, :2]
    after = after / after.sum(axis=1, keepdims=True)
    # One temperature each was fitted to the validation rows: the log-odds are proportional.
    odds = [[math.log(row[0] / row[1]) for row in each] for each in (before, after)]
    assert odds[1][0] / odds[0][0] == pytest.approx(odds[1][1] / odds[0][1], rel=1e-2)
    assert open_bundle(study.folder / bundle).targets.names == ("billing", "delivery", "login")
    assert not json.loads((study.folder / bundle / "provetune.json").read_text())["targets"]["counts"][1]


@pytest.mark.slow
def test_a_study_learns_from_teachers_and_rows_without_labels(place: Path, tiny_backbone: Path) -> None:
    learned = provetune.run(
        write(place, "teacher", "all.csv", {}, study={"keep": "all"}), listener=None
    )  # the words alone
    (bundle,) = learned.candidates["words"]["bundles"]
    (place / "teacher").symlink_to(learned.folder / bundle)
    own = {**QUICK, "backbone": str(tiny_backbone)}
    more = {"pseudo_labels_rows": "more.csv", "pseudo_labels_threshold": 0.3}
    candidates = {
        "distil": {**own, "objective": "distil", "distil_from": "teacher"},
        "own": {**own, "objective": "pseudo_labels", **more},
        "told": {**own, "objective": "pseudo_labels", "pseudo_labels_from": "teacher", **more},
        "fair": {
            **own,
            "objective": ["group_dro", "counterfactual", "consistency"],
            "group_dro_column": "channel",
            "counterfactual_pairs": [["he", "she"]],
            "consistency_rows": "more.csv",
            "consistency_threshold": 0.3,
        },
    }
    study = provetune.run(write(place, "taught", "all.csv", candidates), listener=None)
    assert all(entry["metrics"] for entry in study.candidates.values())


def test_keep_head_needs_a_method_that_trains_one(place: Path) -> None:
    path = write(place, "words", "new.csv", {"next": {"method": "tfidf", "keep_head": True}})
    with pytest.raises(ProblemFileError, match="does not use 'keep_head'"):
        read_problem(path, checks=problem_checks())


@pytest.mark.slow
def test_words_are_taught_by_a_bundle_without_a_tokenizer(tmp_path: Path, tiny_backbone: Path) -> None:
    names = ("Anna", "Paul", "Mia", "Tom")
    rows = []
    for number in range(60):
        name = names[number % 4]
        text = f"order {number} goes to {name} today"
        start = text.index(name)
        rows.append(json.dumps({"text": text, "label": [[start, start + len(name), "name"]]}))
    (tmp_path / "rows.jsonl").write_text("\n".join(rows) + "\n")

    def problem(name: str, candidates: dict[str, Any]) -> Path:
        path = write(tmp_path, name, "rows.jsonl", candidates, task="tagging", study={"keep": "all"})
        path.write_text(
            path.read_text().replace("text: message", "text: text").replace("label: intent", "label: label")
        )
        return path

    learned = provetune.run(problem("teacher", {}), listener=None)
    ((name, entry),) = learned.candidates.items()
    bundle = learned.folder / entry["bundles"][0]
    assert open_bundle(bundle).kind != "transformers", name
    own = {**QUICK, "backbone": str(tiny_backbone), "objective": "distil", "distil_from": str(bundle)}
    study = provetune.run(problem("taught", {"student": own}), listener=None)
    assert study.candidates["student"]["metrics"]
    said = Asker(tmp_path, tmp_path).ask(str(bundle), pa.table({"text": ["it goes to Mia today"]}))
    assert said.words is not None
    assert said.words.tolist() == [[0, 0, 2], [0, 3, 7], [0, 8, 10], [0, 11, 14], [0, 15, 20]]
    assert said.values.shape == (5, 3)
    assert said.values[3].argmax() == 1  # it begins a name

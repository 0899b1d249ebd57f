"""Every `auto` is replaced by what can be worked out by hand, and a study's name depends on what matters alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from provetune.core.errors import DataError, ProblemFileError, UsageError
from provetune.core.seeds import run_seed
from provetune.models.loading import load_tokenizer
from provetune.models.methods import METHODS
from provetune.problem.reading import read_problem
from provetune.problem.syntax import AUTO, Candidate
from provetune.study.lengths import Lengths, measure_lengths
from provetune.study.resolve import problem_checks, resolve, slug
from provetune.study.resolved import ResolvedStudy, read_resolved, save_resolved
from provetune.study.splits_store import save_splits
from provetune.study.training_choices import training_choices

WriteProblem = Callable[..., Path]


def read(path: Path, *overrides: str) -> Any:
    return read_problem(path, overrides=overrides, checks=problem_checks())


def resolved(path: Path, *overrides: str) -> ResolvedStudy:
    return resolve(read(path, *overrides), device="cpu")


def faults(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ProblemFileError) as caught:
        read(path, *overrides)
    return caught.value.lines()


@pytest.fixture
def problem(tmp_path: Path, write_problem: WriteProblem) -> Path:
    return write_problem(tmp_path)


def rewrite_rows(path: Path, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
    table = path.parent / "messages.csv"
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = list(rows[0])
    rows = change(rows)
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)


# -- what is chosen ---------------------------------------------------------------------------------------


def test_nothing_is_left_to_choose_for_a_trained_candidate(problem: Path) -> None:
    study = resolved(problem, "candidates.full.epochs=auto", "candidates.full.precision=auto")
    full = study.problem.candidates["full"]
    assert AUTO not in full.model_dump().values()
    # A hundred-odd rows make few steps of 32: the most epochs, scored six times.
    assert (full.epochs, full.evaluations, full.patience) == (12, 6, 3)
    assert full.batch_tokens == 4096
    assert full.label_weights == "none"
    assert full.precision == study.machine["precision"]["full"]
    assert full.learning_rate == 2e-4
    assert study.problem.data.columns.text == "message"


def test_evaluations_follow_the_epochs(problem: Path) -> None:
    assert resolved(problem, "candidates.full.epochs=7").problem.candidates["full"].evaluations == 6
    assert resolved(problem, "candidates.full.epochs=0.5").problem.candidates["full"].evaluations == 3
    assert resolved(problem, "candidates.full.evaluations=1").problem.candidates["full"].evaluations == 1


@pytest.mark.parametrize(("rows", "epochs"), [(50, 12), (1000, 8), (2667, 3), (100_000, 3)])
def test_few_rows_are_passed_over_more_often(rows: int, epochs: int) -> None:
    """1,000 rows are 32 steps of 32: 8 passes make 256, the first number over 250."""
    chosen = training_choices(Candidate(method="full"), METHODS.get("full"), 64, rows=rows, size=2304)
    assert chosen["epochs"] == epochs


@pytest.mark.parametrize(
    ("size", "rate"), [(None, 2e-4), (2 * 32, 2e-4), (6 * 384, 2e-4), (4 * 512, 2e-4), (12 * 768, 5e-5)]
)
def test_larger_models_learn_more_slowly(size: int | None, rate: float) -> None:
    chosen = training_choices(Candidate(method="full"), METHODS.get("full"), 64, rows=10_000, size=size)
    assert chosen["learning_rate"] == pytest.approx(rate)


def test_what_is_written_is_kept() -> None:
    written = Candidate(method="full", epochs=1.5, learning_rate=3e-3)
    chosen = training_choices(written, METHODS.get("full"), 64, rows=10, size=12 * 768)
    assert (chosen["epochs"], chosen["learning_rate"]) == (1.5, 3e-3)


def test_the_baseline_is_added_first_when_none_is_named(problem: Path) -> None:
    content = yaml.safe_load(problem.read_text())
    del content["candidates"]["words"]
    problem.write_text(yaml.safe_dump(content))
    study = resolved(problem)
    assert list(study.problem.candidates) == ["words", "full"]
    assert study.problem.candidates["words"].method == "tfidf"
    assert study.backbones["words"] is None


def test_max_length_is_the_99th_percentile_up_to_a_multiple_of_8(problem: Path) -> None:
    study = resolved(problem)
    backbone = study.backbones["full"]
    assert backbone is not None
    tokenizer = load_tokenizer(backbone)
    counts = sorted(len(tokenizer(text)["input_ids"]) for text in study.splits.train["text"].to_pylist())
    percentile = counts[int(np.ceil(0.99 * (len(counts) - 1)))]
    assert study.problem.candidates["full"].max_length == -(-percentile // 8) * 8
    assert study.problem.candidates["full"].long_texts == "head"


@pytest.mark.parametrize(
    ("tokens", "most", "length", "how"),
    [
        ([3] * 99 + [17], 512, 24, "head"),
        ([3] * 200 + [17], 512, 8, "head"),
        ([8] * 10, 512, 8, "head"),
        ([9] * 10, 512, 16, "head"),
        ([600] * 10, 512, 512, "head_tail"),
        ([], 512, 8, "head"),
    ],
)
def test_lengths_decide_what_happens_to_long_texts(tokens: list[int], most: int, length: int, how: str) -> None:
    lengths = Lengths(np.array(tokens, dtype=np.int64), most)
    assert lengths.choose_max_length() == length
    assert lengths.choose_long_texts(length) == how


def test_pairs_are_measured_together(tiny_backbone: Path) -> None:
    import pyarrow as pa

    rows = pa.table({"text": ["abc", None], "text_pair": ["de", "f"]})
    # Characters are tokens here: [CLS] abc [SEP] de [SEP]; the row without a text is left out.
    assert measure_lengths(rows, load_tokenizer(tiny_backbone), 128).tokens.tolist() == [8]


def test_a_text_that_is_cut_is_said(problem: Path) -> None:
    study = resolved(problem, "candidates.full.max_length=16")
    assert study.problem.candidates["full"].long_texts == "head_tail"
    assert any("exceed 16 tokens" in note and "keep head and tail" in note for note in study.notes)


def test_rare_labels_weigh_more_from_a_ratio_over_ten(problem: Path) -> None:
    def thin(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        kept = [row for row in rows if row["intent"] != "login"]
        return kept + [row for row in rows if row["intent"] == "login"][:4]

    rewrite_rows(problem, thin)
    study = resolved(problem)
    assert study.targets.names == ("billing", "delivery", "login")
    assert max(study.targets.counts) > 10 * min(study.targets.counts)
    assert study.problem.candidates["full"].label_weights == "balanced"
    assert any("Rare labels weigh more" in note for note in study.notes)
    assert resolved(problem, "candidates.full.label_weights=none").problem.candidates["full"].label_weights == "none"


def test_the_language_is_detected(problem: Path) -> None:
    study = resolved(problem, "language=auto")
    assert study.problem.language == "en"
    assert "The texts are in 'en'." in study.notes


def test_seeds_are_derived_from_name_and_number(problem: Path) -> None:
    study = resolved(problem)
    assert study.seeds("full") == [run_seed(13, "full", 0), run_seed(13, "full", 1)]
    entry = study.entry("w", {**study.machine, "threads_per_trial": 1})
    assert [(run.candidate, run.k) for run in entry.runs] == [("words", 0), ("words", 1), ("full", 0), ("full", 1)]
    assert entry.test_hash == study.splits.hashes["test"]
    assert entry.splits["test"].rows == study.splits.test.num_rows


def test_the_resolved_file_reads_back_as_the_same_study(problem: Path, tmp_path: Path) -> None:
    study = resolved(problem)
    save_resolved(tmp_path, study)
    again = resolved(tmp_path / "problem.yaml")
    assert again.problem == study.problem
    assert again.study_id == study.study_id
    assert read_resolved(tmp_path)["study_id"] == study.study_id


# -- what a study is called -------------------------------------------------------------------------------


def test_the_id_depends_on_what_matters_alone(problem: Path, tmp_path: Path, write_problem: WriteProblem) -> None:
    study = resolved(problem)
    assert study.study_id.startswith("support-")
    assert len(study.study_id) == len("support-") + 8
    elsewhere = write_problem(tmp_path / "elsewhere")
    (elsewhere.parent / "messages.csv").rename(elsewhere.parent / "renamed.csv")
    assert resolved(elsewhere, "data.train=renamed.csv").study_id == study.study_id
    rewrite_rows(problem, lambda rows: rows[::-1])
    assert resolved(problem).study_id == study.study_id
    for harmless in ("study.keep=all", "study.parallel=1", "study.checkpoint_minutes=1"):
        assert resolved(problem, harmless).study_id == study.study_id
    for telling in ("study.seeds=3", "claims=['full > words']", "candidates.full.learning_rate=0.01", "name=other"):
        assert resolved(problem, telling).study_id != study.study_id


def test_other_rows_are_another_study(problem: Path) -> None:
    before = resolved(problem).study_id
    rewrite_rows(problem, lambda rows: rows[:-1])
    assert resolved(problem).study_id != before


@pytest.mark.parametrize(
    ("name", "folder"),
    [("Support intents!", "support-intents"), ("支持 意图", "支持-意图"), ("***", "study"), ("a" * 90, "a" * 60)],
)
def test_slugs_do_as_folder_names(name: str, folder: str) -> None:
    assert slug(name) == folder


# -- what does not go together ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("task=clasification", "There is no task 'clasification'. Did you mean 'classification'?"),
        ("candidates.full.method=ful", "There is no method 'ful'. Did you mean 'full'?"),
        ("candidates.full.objective=plane", "There is no objective 'plane'. Did you mean 'plain'?"),
        ("candidates.full.epoch=3", "Unknown key 'epoch' for the method 'full'. Did you mean 'epochs'?"),
        (
            "candidates.full.rank=4",
            "Unknown key 'rank' for the method 'full'. 'rank' belongs to the method adalora and lora.",
        ),
        ("candidates.words.epochs=3", "The method 'tfidf' does not use 'epochs'."),
        ("candidates.words.backbone=tiny", "The method 'tfidf' does not use 'backbone'."),
        ("candidates.words.C=-1", "'C' must be"),
        ("candidates.Full={method: tfidf}", "'Full' and 'full' differ only in case."),
        ("accept={acuracy: '>= 0.9'}", "has no metric 'acuracy'. Did you mean 'accuracy'?"),
        ("accept={recall: '>= 0.9'}", "'recall' needs a label. Write recall:LABEL."),
        ("accept={'accuracy:login': '>= 0.9'}", "'accuracy' has no value per label."),
        ("accept={in_scope_accuracy: '>= 0.9'}", "needs a label marked as out of scope"),
        ("accept={'latency_p95_ms @ channel=mail': '<= 9'}", "is of the machine, not of some rows"),
        ("claims=['full > words [f2]']", "has no metric 'f2'"),
    ],
)
def test_names_that_do_not_exist_or_fit(problem: Path, override: str, told: str) -> None:
    lines = faults(problem, override)
    assert any(told in line and "--set" in line for line in lines), lines


def test_all_faults_come_at_once_with_their_lines(tmp_path: Path, write_problem: WriteProblem) -> None:
    path = write_problem(tmp_path, candidates={"full": {"method": "ful"}, "words": {"method": "tfidf", "D": 1}})
    content = path.read_text().splitlines()
    lines = faults(path, "task=x")
    number = next(n for n, line in enumerate(content, 1) if "method: ful" in line)
    assert any(line.startswith(f"problem.yaml:{number}: There is no method 'ful'") for line in lines)
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("accept={'recall:logon': '>= 0.1'}", "There is no label 'logon'. Did you mean 'login'?"),
        ("accept={'accuracy @ chanel=mail': '>= 0.1'}", "There is no column 'chanel'. Did you mean 'channel'?"),
        ("candidates.full.max_length=4000", "max_length 4000 is more than"),
        ("candidates.full.backbone=./nowhere", "There is no folder './nowhere'"),
        ("candidates.full.backbone=smollm2-135m-en", "full.backbone: 'smollm2-135m-en' is a decoder"),
    ],
)
def test_what_only_the_rows_or_the_backbone_can_tell(problem: Path, override: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolved(problem, override)
    assert told in str(caught.value)


def test_rows_that_no_study_can_use_stop_it(problem: Path) -> None:
    def spoil(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        return [*rows[:-1], {**rows[-1], "message": "nul \x00 byte"}]

    rewrite_rows(problem, spoil)
    with pytest.raises(DataError, match="`provetune check` shows every one"):
        resolved(problem)


def test_what_check_calls_blocking_stops_a_run(problem: Path) -> None:
    rewrite_rows(problem, lambda rows: [{**row, "intent": f"id{number // 3}"} for number, row in enumerate(rows)])
    with pytest.raises(DataError, match="look like identifiers"):
        resolved(problem)


def test_one_label_only_is_refused(problem: Path) -> None:
    rewrite_rows(problem, lambda rows: [{**row, "intent": "login"} for row in rows])
    with pytest.raises(DataError, match="one label, 'login'"):
        resolved(problem)


def test_rows_left_on_the_disk_are_the_same_rows(problem: Path, tmp_path: Path) -> None:
    study = resolved(problem)
    before, entry = study.splits, study.entry("w", study.machine)
    save_splits(tmp_path / "study", before)
    study.leave_rows_on_disk(tmp_path / "study")
    assert study.splits.train.equals(before.train)
    assert study.splits.validation.equals(before.validation)
    assert study.splits.test.column_names == before.test.column_names
    assert all(column.null_count == before.test.num_rows for column in study.splits.test.columns)
    assert study.splits.set_aside.num_rows == 0
    assert study.entry("w", study.machine) == entry

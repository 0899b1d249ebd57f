"""Outcomes of another trainer: read from Parquet and CSV alike, refused where they do not fit together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from provetune.core.errors import DataError, ProvetuneError, UsageError
from provetune.problem.claims import parse_claim
from provetune.statistics.rows import JudgedRows
from provetune.study.outside import judge_outside
from provetune.study.verdict import CandidateRows, judge_claims

ROWS, SEEDS = 300, 4
Change = Callable[[dict[str, Any]], None]


def right_answers(accuracy: float, seed: int) -> np.ndarray:
    """Whether each run is right on each row, (seeds, rows)."""
    random = np.random.default_rng(seed)
    hard = np.random.default_rng(7).random(ROWS)
    return np.stack([0.7 * hard + 0.3 * random.random(ROWS) < 0.85 * accuracy for _ in range(SEEDS)])


def write(folder: Path, name: str, accuracy: float, seed: int, change: Change | None = None) -> Path:
    """A file of outcomes whose rows are in no order at all."""
    right = right_answers(accuracy, seed)
    gold = np.arange(ROWS) % 3
    seeds, rows = (each.ravel() for each in np.meshgrid(np.arange(SEEDS), np.arange(ROWS), indexing="ij"))
    said = np.where(right, gold, (gold + 1) % 3).ravel()
    columns: dict[str, Any] = {"seed": seeds, "row": rows, "label": gold[rows], "prediction": said}
    order = np.random.default_rng(seed + 50).permutation(len(rows))
    columns = {key: np.asarray(values)[order] for key, values in columns.items()}
    if change is not None:
        change(columns)
    path = folder / name
    table = pa.table(columns)
    pq.write_table(table, path) if path.suffix == ".parquet" else csv.write_csv(table, path)
    return path


def judged_by_hand(claim: str) -> dict[str, Any]:
    gold = np.arange(ROWS) % 3
    candidates = {
        name: CandidateRows(
            tuple(
                JudgedRows(gold, np.where(each, gold, (gold + 1) % 3), None, ("0", "1", "2"))
                for each in right_answers(accuracy, seed)
            )
        )
        for name, accuracy, seed in (("a", 0.95, 1), ("b", 0.7, 2))
    }
    return judge_claims([parse_claim(claim)], candidates, metric="accuracy", kinds={"accuracy": "sums"}, alpha=0.05)[0]


@pytest.mark.parametrize("names", [("a.parquet", "b.csv"), ("a.csv", "b.parquet")])
def test_formats_and_order_make_no_difference(tmp_path: Path, names: tuple[str, str]) -> None:
    files = [write(tmp_path, names[0], 0.95, 1), write(tmp_path, names[1], 0.7, 2)]
    found = judge_outside([str(file) for file in files], ["a > b + 0.02"])
    assert set(found) == {"claims"}
    by_hand = judged_by_hand("a > b + 0.02")
    assert found["claims"][0]["verdict"] == by_hand["verdict"] == "supported"
    for key in ("effect", "bound", "p", "p_holm"):
        assert found["claims"][0][key] == pytest.approx(by_hand[key])
    assert found["claims"][0]["interval"] == pytest.approx(by_hand["interval"])
    assert {"claim", "verdict", "effect", "bound", "interval", "p", "p_holm", "estimand", "needs"} <= set(
        found["claims"][0]
    )


def test_scores_are_averaged(tmp_path: Path) -> None:
    def to_scores(columns: dict[str, Any]) -> None:
        right = columns.pop("label") == columns.pop("prediction")
        columns["score"] = right * 10.0

    files = [write(tmp_path, "a.csv", 0.95, 1, to_scores), write(tmp_path, "b.parquet", 0.7, 2, to_scores)]
    found = judge_outside([str(file) for file in files], ["a > b", "a >= 5"])["claims"]
    assert found[0]["metric"] == "score"
    assert found[0]["effect"] == pytest.approx(10 * judged_by_hand("a > b")["effect"])
    assert found[0]["p"] == pytest.approx(judged_by_hand("a > b")["p"], rel=1e-6)
    assert found[1]["verdict"] == "supported"


def test_files_may_be_named_and_sliced_and_grouped(tmp_path: Path) -> None:
    def add(columns: dict[str, Any]) -> None:
        columns["channel"] = np.where(columns["row"] % 2 == 0, "mail", "phone")
        columns["group"] = columns["row"] // 4

    first, second = write(tmp_path, "run-1.csv", 0.95, 1, add), write(tmp_path, "run-2.csv", 0.7, 2, add)
    found = judge_outside([f"new={first}", f"old={second}"], ["new > old [accuracy @ channel=mail]", "new > old"])
    sliced, whole = found["claims"]
    even = np.arange(ROWS) % 2 == 0
    assert sliced["left"]["seeds"] == pytest.approx(right_answers(0.95, 1)[:, even].mean(axis=1))
    assert "over 150 rows" in sliced["notes"]
    assert whole["interval"] != pytest.approx(judged_by_hand("a > b")["interval"])
    with pytest.raises(UsageError, match="Claims cannot name 'run-1'") as caught:
        judge_outside([str(first)], ["new > 0.5"])
    assert f"NAME={first}" in str(caught.value)


def test_a_further_look_has_half_the_level(tmp_path: Path) -> None:
    files = [str(write(tmp_path, "a.csv", 0.95, 1)), str(write(tmp_path, "b.csv", 0.7, 2))]
    assert [judge_outside(files, ["a > b"], look=look)["claims"][0]["alpha"] for look in (1, 2, 4)] == [
        pytest.approx(0.05 / 2 ** (look - 1)) for look in (1, 2, 4)
    ]


def test_one_run_is_enough_without_chance(tmp_path: Path) -> None:
    def one_run(columns: dict[str, Any]) -> None:
        first = columns["seed"] == 0
        columns.update({key: values[first] for key, values in columns.items()})

    files = [str(write(tmp_path, "a.csv", 0.95, 1)), str(write(tmp_path, "b.csv", 0.7, 2, one_run))]
    assert "'b' has 1" in judge_outside(files, ["a > b"])["claims"][0]["words"]
    assert judge_outside(files, ["a > b"], deterministic=["b"])["claims"][0]["verdict"] == "supported"


# -- what does not fit ----------------------------------------------------------------------------------------


def drop_row(columns: dict[str, Any]) -> None:
    kept = ~((columns["seed"] == 2) & (columns["row"] < 5))
    columns.update({key: values[kept] for key, values in columns.items()})


def other_row(columns: dict[str, Any]) -> None:
    columns["row"] = np.where(columns["row"] == 17, 9000, columns["row"])


def other_label(columns: dict[str, Any]) -> None:
    columns["label"] = np.where(columns["row"] == 17, 0, columns["label"])


def two_labels(columns: dict[str, Any]) -> None:
    columns["label"] = np.where((columns["row"] == 17) & (columns["seed"] == 1), 0, columns["label"])


def twice(columns: dict[str, Any]) -> None:
    columns.update({key: np.append(values, values[0]) for key, values in columns.items()})


def no_prediction(columns: dict[str, Any]) -> None:
    del columns["prediction"]


def misspelt(columns: dict[str, Any]) -> None:
    columns["predicted"] = columns.pop("prediction")


def empty_label(columns: dict[str, Any]) -> None:
    columns["label"] = np.where(columns["row"] == 17, "", columns["label"].astype(str))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop_row, r"Seed '2' of 'b' lacks 5 of 300 rows, such as '\d'"),
        (other_row, r"'b' has 1 rows that the first file does not have, such as '9000'"),
        (other_label, r"Row '17' has the label '2' in a.csv and '0' in b.csv; 1 of 300 rows differ"),
        (two_labels, r"Row '17' has the label '2' with seed '0' and '0' with seed '1'"),
        (twice, r"of seed '\d' stands there twice"),
        (no_prediction, r"There is no column 'prediction'"),
        (misspelt, r"Is it 'predicted'\?"),
        (empty_label, r"The column 'label' is empty in 4 rows"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, change: Change, words: str) -> None:
    files = [str(write(tmp_path, "a.csv", 0.95, 1)), str(write(tmp_path, "b.csv", 0.7, 2, change))]
    with pytest.raises(DataError, match=words):
        judge_outside(files, ["a > b"])


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ([], "There is no claim"),
        (["a > q"], "'q', which is no candidate"),
        (["a > b [ece]"], "'ece', which these outcomes do not have"),
        (["a > b [recall]"], "'recall' needs a label"),
        (["a > b [recall:9]"], "There is no label '9'"),
        (["a > b [accuracy:1]"], "no value per label"),
        (["a > b", "b < a"], "tests the same"),
        (["a >"], "must be the name of a candidate or a number"),
    ],
)
def test_claims_that_do_not_fit_are_refused(tmp_path: Path, claims: list[str], words: str) -> None:
    files = [str(write(tmp_path, "a.csv", 0.95, 1)), str(write(tmp_path, "b.csv", 0.7, 2))]
    with pytest.raises(UsageError, match=words):
        judge_outside(files, claims)


def test_files_that_are_none(tmp_path: Path) -> None:
    good = str(write(tmp_path, "a.csv", 0.95, 1))
    (tmp_path / "b.parquet").write_text("no parquet")
    (tmp_path / "b.txt").write_text("x")
    (tmp_path / "empty.csv").write_text("seed,row,label,prediction\n")
    cases = {
        "b.parquet": "cannot be read",
        "b.txt": "Parquet or CSV",
        "none.csv": "no such file",
        "empty.csv": "no rows",
    }
    for name, words in cases.items():
        with pytest.raises(ProvetuneError, match=words):
            judge_outside([good, str(tmp_path / name)], ["a > 0.5"])
    with pytest.raises(UsageError, match="Two files are named 'a'"):
        judge_outside([good, good], ["a > 0.5"])
    with pytest.raises(UsageError, match="no outcomes"):
        judge_outside([], ["a > 0.5"])
    with pytest.raises(UsageError, match="confidence must be between"):
        judge_outside([good], ["a > 0.5"], confidence=1.0)
    with pytest.raises(UsageError, match="look must be at least 1"):
        judge_outside([good], ["a > 0.5"], look=0)

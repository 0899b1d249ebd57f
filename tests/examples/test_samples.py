"""The shipped samples stay what their pages say: sizes, labels, known noise, and neither trivial nor hopeless."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from provetune.problem.reading import read_problem
from provetune.study.problem_checks import problem_checks

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Sample:
    """A shipped sample and what its page promises.

    Attributes:
        rows: fewest and most rows.
        labels: every label that occurs.
        intended: the column of `known_noise.csv` with the label that was meant.
    """

    folder: str
    file: str
    columns: tuple[str, ...]
    rows: tuple[int, int]
    labels: frozenset[str]
    intended: str

    def read(self, file: str | None = None) -> list[dict[str, str]]:
        with (EXAMPLES / self.folder / (file or self.file)).open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines, strict=True))

    @property
    def text(self) -> str:
        return self.columns[0]

    @property
    def label(self) -> str:
        return self.columns[1]


SUPPORT = Sample(
    folder="support_intents",
    file="messages.csv",
    columns=("message", "intent", "channel", "customer_id", "date"),
    rows=(750, 900),
    labels=frozenset(
        {
            "account_access",
            "cancel_order",
            "change_account_details",
            "change_delivery",
            "delivery_delayed",
            "double_charge",
            "payment_failed",
            "refund_status",
            "return_item",
            "track_order",
        }
    ),
    intended="intended",
)
REVIEWS = Sample(
    folder="reviews_zh",
    file="reviews.csv",
    columns=("评论", "情感", "平台", "日期"),
    rows=(550, 650),
    labels=frozenset({"正面", "负面"}),
    intended="本意",
)
SAMPLES = [pytest.param(sample, id=sample.folder) for sample in (SUPPORT, REVIEWS)]


@pytest.mark.parametrize("sample", SAMPLES)
def test_rows_and_columns(sample: Sample) -> None:
    rows = sample.read()
    assert tuple(rows[0]) == sample.columns
    assert sample.rows[0] <= len(rows) <= sample.rows[1]
    assert all(cell.strip() for row in rows for cell in row.values()), "a cell is empty"


@pytest.mark.parametrize("sample", SAMPLES)
def test_labels_are_complete_and_uneven(sample: Sample) -> None:
    counts = Counter(row[sample.label] for row in sample.read())
    assert set(counts) == sample.labels
    assert min(counts.values()) >= 40
    assert max(counts.values()) > 1.1 * min(counts.values())


@pytest.mark.parametrize("sample", SAMPLES)
def test_few_texts_occur_twice(sample: Sample) -> None:
    texts = [row[sample.text] for row in sample.read()]
    repeated = len(texts) - len(set(texts))
    assert 1 <= repeated <= 0.02 * len(texts)


@pytest.mark.parametrize("sample", SAMPLES)
def test_lengths_vary(sample: Sample) -> None:
    lengths = sorted(len(row[sample.text]) for row in sample.read())
    short, median, long = lengths[len(lengths) // 10], lengths[len(lengths) // 2], lengths[-5]
    assert short <= 0.7 * median
    assert long >= 4 * median


@pytest.mark.parametrize("sample", SAMPLES)
def test_known_noise_is_in_the_data(sample: Sample) -> None:
    labels = {row[sample.text]: row[sample.label] for row in sample.read()}
    noise = sample.read("known_noise.csv")
    assert 0.02 <= len(noise) / len(labels) <= 0.03
    for row in noise:
        assert labels[row[sample.text]] == row[sample.label]
        assert row[sample.intended] in sample.labels - {row[sample.label]}


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_page_names_the_size(sample: Sample) -> None:
    page = (EXAMPLES / sample.folder / "README.md").read_text(encoding="utf-8")
    assert f"{len(sample.read())}" in page


@pytest.mark.parametrize("sample", SAMPLES)
def test_problem_file_has_no_fault(sample: Sample) -> None:
    problem = read_problem(EXAMPLES / sample.folder / "problem.yaml", checks=problem_checks()).problem
    assert problem.data.train == sample.file
    assert (problem.data.columns.text, problem.data.columns.label) == (sample.text, sample.label)
    assert {"words", "head", "full"} <= set(problem.candidates)


@pytest.mark.parametrize("sample", SAMPLES)
def test_counting_words_is_neither_enough_nor_hopeless(sample: Sample) -> None:
    """scikit-learn alone, so that the bounds do not move with the product's own baseline."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline, make_union

    rows = sample.read()
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True)
    baseline = make_pipeline(make_union(words, characters), RidgeClassifier(solver="sparse_cg"))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    texts, labels = [row[sample.text] for row in rows], [row[sample.label] for row in rows]
    assert 0.5 < cross_val_score(baseline, texts, labels, cv=folds).mean() < 0.85

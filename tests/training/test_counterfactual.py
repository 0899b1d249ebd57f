"""Words swapped in texts, and the penalty for answering otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.distributions import Categorical, kl_divergence
from toy_runs import ToyFeatures, linear, plain_pass, some_features, step, toy_run

from provetune.core.errors import DataError, UsageError
from provetune.core.minimised import Situation
from provetune.training.objectives import OBJECTIVES
from provetune.training.word_swaps import WordSwaps, read_pairs

ALIKE = OBJECTIVES.get("counterfactual")
PAIRS = [("he", "she"), ("his", "her"), ("Ali", "Tom")]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("He said she knows the other one.", "She said he knows the other one."),
        ("HIS dog; hers stays, the rest too", "HER dog; hers stays, the rest too"),
        ("ali, Tom and TOM", "Tom, Ali and ALI"),
        ("nothing here", "nothing here"),
    ],
)
def test_words_are_swapped_as_words_in_their_case(text: str, wanted: str) -> None:
    assert WordSwaps(PAIRS).swap(text) == wanted


def test_hanzi_have_no_spaces_around_them_and_the_longest_word_counts() -> None:
    assert (
        WordSwaps([("他", "她"), ("先生", "女士"), ("王先生", "李小姐")]).swap("他说王先生和先生") == "她说李小姐和女士"
    )


def test_swapping_twice_gives_the_text_again() -> None:
    swaps = WordSwaps(PAIRS)
    text = "He gave his book to Tom and she took her cup from Ali"
    assert swaps.swap(swaps.swap(text)) == text


def test_counterfactuals_are_made_of_the_rows_that_have_a_word() -> None:
    table = pa.table({"text": ["he", "they", "a", "she"], "text_pair": ["x", "his", "b", None], "label": list("pqrs")})
    found, numbers = WordSwaps(PAIRS).counterfactuals(table, np.array([0, 2, 1]))
    assert numbers.tolist() == [0, 1]
    assert found.column("text").to_pylist() == ["she", "they"]
    assert found.column("text_pair").to_pylist() == ["x", "her"]
    assert found.column("label").to_pylist() == ["p", "q"]


def test_a_pair_of_one_word_is_refused() -> None:
    with pytest.raises(UsageError, match=r"two different words. Got \[he, He\]"):
        WordSwaps([("he", "He")])


def test_pairs_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("he,she\n\n his , her\n")
    (tmp_path / "pairs.tsv").write_text("他\t她\n")
    assert read_pairs(tmp_path / "pairs.csv") == [("he", "she"), ("his", "her")]
    assert read_pairs(tmp_path / "pairs.tsv") == [("他", "她")]
    (tmp_path / "bad.csv").write_text("he,she\nhis\n")
    with pytest.raises(DataError, match="has two words") as caught:
        read_pairs(tmp_path / "bad.csv")
    assert str(caught.value.where).endswith("bad.csv, row 2")


def begin(model: torch.nn.Module, **settings: Any) -> tuple[Any, Any, list[pa.Table]]:
    features, made = some_features(), []
    other = ToyFeatures(np.random.default_rng(8).normal(size=(2, 4)), [0, 1])
    texts = ["he is", "it", "none", "she was", "the", "x"]

    def encode(table: pa.Table) -> ToyFeatures:
        made.append(table)
        return other

    run = toy_run(model, features, examples=pa.table({"text": texts, "label": list("aaabbb")}), encode=encode)
    run.folder = None
    working = ALIKE.begin(run, ALIKE.settings(counterfactual_pairs=[("he", "she")], **settings))
    return run, working, made


def test_the_penalty_is_the_symmetric_divergence_of_the_rows_that_have_one() -> None:
    model = linear()
    run, working, made = begin(model, counterfactual_weight=0.5)
    assert made[0].column("text").to_pylist() == ["she is", "he was"]
    rows = [5, 3, 0]
    batch = run.collate(run.features, rows)
    inner = plain_pass(run, batch)
    found = working.loss(batch, inner, step(rows)).loss - inner(batch).loss
    one = Categorical(logits=model(torch.from_numpy(run.features.inputs[[3, 0]])))
    other = Categorical(logits=model(torch.from_numpy(working.features.inputs[[1, 0]])))
    wanted = 0.5 * ((kl_divergence(one, other) + kl_divergence(other, one)) / 2).mean()
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)


def test_the_penalty_may_be_the_squared_distance() -> None:
    model = linear()
    run, working, _ = begin(model, counterfactual_distance="squared")
    batch = run.collate(run.features, [0])
    inner = plain_pass(run, batch)
    found = working.loss(batch, inner, step([0])).loss - inner(batch).loss
    one = model(torch.from_numpy(run.features.inputs[[0]])).softmax(1)
    other = model(torch.from_numpy(working.features.inputs[[0]])).softmax(1)
    torch.testing.assert_close(found, ((one - other) ** 2).sum(), atol=1e-6, rtol=1e-5)


def test_rows_without_a_word_and_zero_weight_are_plain() -> None:
    run, working, _ = begin(linear())
    batch = run.collate(run.features, [1, 2])
    inner = plain_pass(run, batch)
    assert working.loss(batch, inner, step([1, 2])).loss.item() == inner(batch).loss.item()
    run, working, made = begin(linear(), counterfactual_weight=0)
    batch = run.collate(run.features, [0])
    inner = plain_pass(run, batch)
    assert working.loss(batch, inner, step([0])).loss.item() == inner(batch).loss.item()
    assert not made


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    empty = Situation("classification", "single_label", 2, (1, 1), "full", "weights", (), "bert")
    ALIKE.check(empty)
    with pytest.raises(UsageError, match="needs words that must make no difference"):
        ALIKE.check(replace(empty, folder=tmp_path))
    with pytest.raises(DataError, match="cannot be read"):
        ALIKE.check(replace(empty, folder=tmp_path, settings={"counterfactual_file": "none.csv"}))
    with pytest.raises(UsageError, match="places of a relation"):
        ALIKE.check(replace(empty, task="relation"))
    with pytest.raises(UsageError, match="not windows"):
        ALIKE.check(replace(empty, folder=tmp_path, settings={"long_texts": "windows"}))
    run = toy_run(linear(), some_features())
    with pytest.raises(UsageError, match="No training text has one of the words"):
        ALIKE.begin(run, ALIKE.settings(counterfactual_pairs=[("zebra", "lion")]))

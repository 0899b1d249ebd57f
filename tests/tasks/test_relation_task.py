"""The relation task: markers as tokens, long texts, scores by the official rules, faults of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from provetune.core.errors import DataError
from provetune.core.protocols import EncodeSettings, Targets
from provetune.evaluation.relation_scores import relation_scores, relations_of
from provetune.models.loading import load_model, load_tokenizer
from provetune.statistics.judged import bound_of, contributions_of
from provetune.tasks import TASKS
from provetune.tasks.relation.markers import MARKERS
from provetune.tasks.relation.tokens import BEGINNINGS

TASK = TASKS.get("relation")
CAUSE, CAUSED, PART, OTHER = "Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Part-Whole(e1,e2)", "Other"
SETTINGS = EncodeSettings(max_length=40)


def examples(rows: list[tuple[str | None, str | None]]) -> pa.Table:
    texts, labels = zip(*rows, strict=True)
    count = len(rows)
    return pa.table(
        {
            "row_id": pa.array([f"r{number}" for number in range(count)]),
            "text": pa.array(texts, pa.string()),
            "label": pa.array(labels, pa.string()),
            "_file": pa.array(["rows.csv"] * count),
            "_row": pa.array(range(1, count + 1), pa.int64()),
        }
    )


def some_rows(count: int = 8) -> pa.Table:
    labels = (CAUSE, CAUSED, PART, OTHER)
    return examples([(f"<e1> a{k} </e1> b <e2> c </e2>", labels[k % 4]) for k in range(count)])


def outcomes(gold: list[str], said: list[str], targets: Targets) -> pa.Table:
    probabilities = np.full((len(gold), len(targets.names)), 0.1 / (len(targets.names) - 1))
    probabilities[range(len(said)), [targets.names.index(label) for label in said]] = 0.9
    rows = examples([("<e1> a </e1> <e2> b </e2>", label) for label in gold])
    return TASK.outcomes(rows, probabilities, targets)


@pytest.fixture
def tokenizer(tiny_backbone: Path) -> Any:
    return load_tokenizer(tiny_backbone)


# -- what there is to predict ----------------------------------------------------------------------------------------


def test_the_label_for_no_relation_is_found() -> None:
    targets = TASK.targets(some_rows())
    assert targets.names == (CAUSE, CAUSED, OTHER, PART)
    assert targets.options == {"other": OTHER}
    assert TASK.targets(some_rows(), options={"other": None}).options == {"other": None}
    assert TASK.targets(some_rows(), options={"other": PART}).options == {"other": PART}
    assert TASK.targets(some_rows(), out_of_scope=OTHER).options == {"other": OTHER}
    with pytest.raises(DataError, match=r"'Othr' \(options\.other\).*'Other'"):
        TASK.targets(some_rows(), options={"other": "Othr"})
    plain = examples([("<e1> a </e1> <e2> b </e2>", label) for label in ("p", "q")])
    assert TASK.targets(plain).options == {"other": None}


# -- tokens ----------------------------------------------------------------------------------------------------------


def test_markers_are_tokens_that_begin_as_brackets(tiny_backbone: Path, tokenizer: Any) -> None:
    targets = TASK.targets(some_rows())
    known = len(tokenizer)
    prepared = TASK.prepare_tokenizer(tokenizer, targets)
    assert TASK.prepare_tokenizer(prepared, targets) is prepared
    assert len(prepared) == known + 4
    text = "<e1> ab </e1> c <e2>d</e2>"
    assert prepared.tokenize(text) == ["<e1>", "a", "##b", "</e1>", "c", "<e2>", "d", "</e2>"]
    model = load_model(tiny_backbone, TASK.auto_class, TASK.head(targets), seed=1)
    plain = model.get_input_embeddings().weight.detach().clone()
    ready = TASK.prepare_model(model, prepared, targets)
    table = ready.get_input_embeddings().weight
    assert torch.equal(table[:known], plain)
    for marker in MARKERS:
        beginning = prepared.convert_tokens_to_ids(BEGINNINGS[marker])
        assert torch.equal(table[prepared.convert_tokens_to_ids(marker)], plain[beginning])
    assert ready.config.vocab_size == known + 4
    assert TASK.prepare_model(ready, prepared, targets).get_input_embeddings().num_embeddings == known + 4


def test_transformers_pipeline_reads_a_marked_text_as_the_task_does(
    tiny_backbone: Path, tokenizer: Any, tmp_path: Path
) -> None:
    from transformers import pipeline

    from provetune.models.forward import predict_logits
    from provetune.models.loading import quiet_transformers
    from provetune.training.features import FeatureStore

    rows, targets = some_rows(), TASK.targets(some_rows())
    prepared = TASK.prepare_tokenizer(tokenizer, targets)
    model = load_model(tiny_backbone, TASK.auto_class, TASK.head(targets), seed=1)
    model = TASK.prepare_model(model, prepared, targets)
    features = FeatureStore(TASK.encode(rows, prepared, SETTINGS, None))
    ours = TASK.answers(predict_logits(model, TASK, features, prepared.pad_token_id), features, rows, targets)
    with quiet_transformers():
        model.save_pretrained(tmp_path)
        prepared.save_pretrained(tmp_path)
        classify = pipeline("text-classification", model=str(tmp_path), device="cpu")
        theirs = classify(rows["text"].to_pylist(), top_k=None)
    for row, scores in zip(ours, theirs, strict=True):
        by_name = {score["label"]: score["score"] for score in scores}
        np.testing.assert_allclose([by_name[name] for name in targets.names], row, atol=1e-5)


def test_long_texts_keep_both_entities(tokenizer: Any) -> None:
    prepared = TASK.prepare_tokenizer(tokenizer, TASK.targets(some_rows()))
    markers = [prepared.convert_tokens_to_ids(marker) for marker in MARKERS]
    filler = " ".join("abcdefghij" * 3)
    rows = examples(
        [
            (f"{filler} <e1> x </e1> y <e2> z </e2> {filler}", CAUSE),
            (f"<e1> x </e1> {filler} {filler} <e2> z </e2> end", CAUSED),
            (f"{filler} {filler} <e2> x </e2> y <e1> z </e1>", PART),
            ("<e1> x </e1> y <e2> z </e2>", PART),
        ]
    )
    for long_texts in ("head", "head_tail", "windows"):
        table = TASK.encode(rows, prepared, EncodeSettings(24, long_texts, 8), None)
        assert table["row"].to_pylist() == [0, 1, 2, 3]
        for ids, cut, length in zip(
            table["input_ids"].to_pylist(), table["cut"].to_pylist(), (67, 69, 67, 7), strict=True
        ):
            assert all(ids.count(marker) == 1 for marker in markers)
            assert (ids[0], ids[-1]) == (prepared.cls_token_id, prepared.sep_token_id)
            assert len(ids) == min(24, length + 2)
            assert cut == max(0, length + 2 - 24)
    first = prepared.convert_ids_to_tokens(
        TASK.encode(rows, prepared, EncodeSettings(24), None)["input_ids"][0].as_py()
    )
    begin = first.index("<e1>")
    assert first[begin : begin + 7] == ["<e1>", "x", "</e1>", "y", "<e2>", "z", "</e2>"]
    assert abs((begin - 1) - (len(first) - 1 - (begin + 7))) <= 1


def test_unknown_labels_are_left_out_of_the_loss(tokenizer: Any) -> None:
    targets = TASK.targets(some_rows())
    rows = examples([("<e1> a </e1> <e2> b </e2>", CAUSE), ("<e1> a </e1> <e2> b </e2>", "New(e1,e2)")])
    assert TASK.encode(rows, tokenizer, SETTINGS, targets)["labels"].to_pylist() == [0, -100]


# -- scores ----------------------------------------------------------------------------------------------------------


def test_scores_are_the_official_ones() -> None:
    targets = TASK.targets(some_rows())
    draw = np.random.default_rng(5)
    gold, said = ([targets.names[k] for k in draw.integers(0, 4, 200)] for _ in range(2))
    found = outcomes(gold, said, targets)
    scores = TASK.score(found, targets)
    numbers = [np.array([targets.names.index(label) for label in labels]) for labels in (gold, said)]
    official = relation_scores(*numbers, relations_of(targets.names, OTHER))
    assert {name: scores[name] for name in official} == pytest.approx(official)
    assert scores["accuracy"] == np.mean(np.array(gold) == np.array(said))
    assert set(scores) <= {metric.name for metric in TASK.metrics}
    judged = TASK.judged(found, targets)
    for name in official:
        assert bound_of(name, judged, 0.95).value == pytest.approx(official[name])
        assert contributions_of(name, judged).mean() == pytest.approx(official[name])
    assert bound_of("f1", judged, 0.95, label=CAUSE).value == pytest.approx(
        2 * sum(g == s == CAUSE for g, s in zip(gold, said, strict=True)) / (gold.count(CAUSE) + said.count(CAUSE))
    )


def test_directions_cost_what_the_undirected_score_says() -> None:
    targets = TASK.targets(some_rows())
    scores = TASK.score(outcomes([CAUSE, CAUSE, PART], [CAUSE, CAUSED, PART], targets), targets)
    assert scores["macro_f1"] == pytest.approx((0.5 + 1) / 2)
    assert scores["undirected_macro_f1"] == 1.0


def test_the_bound_of_the_official_score_covers_what_resampling_gives() -> None:
    """The linearised standard error against that of 400 bootstrap samples."""
    targets = TASK.targets(some_rows())
    draw = np.random.default_rng(6)
    gold = draw.integers(0, 4, 400)
    said = np.where(draw.random(400) < 0.7, gold, draw.integers(0, 4, 400))
    found = outcomes([targets.names[k] for k in gold], [targets.names[k] for k in said], targets)
    bound = bound_of("macro_f1", TASK.judged(found, targets), 0.95)
    relations = relations_of(targets.names, OTHER)
    samples = [draw.integers(0, 400, 400) for _ in range(400)]
    spread = np.std([relation_scores(gold[rows], said[rows], relations)["macro_f1"] for rows in samples])
    assert bound.standard_error == pytest.approx(spread, rel=0.12)


def test_the_report_has_a_line_a_relation() -> None:
    targets = TASK.targets(some_rows())
    (table,) = TASK.tables(outcomes([CAUSE, CAUSE, PART, OTHER], [CAUSE, CAUSED, OTHER, PART], targets), targets)
    assert table.rows == (
        ("Cause-Effect", 0.5, 0.5, 0.5, 2, 2, 1),
        ("Part-Whole", 0.0, 0.0, 0.0, 1, 1, 0),
    )
    assert "'Other' is left out" in table.note


# -- faults ----------------------------------------------------------------------------------------------------------


def test_faults_of_the_data() -> None:
    rows = [
        ("<e1> the <e2> car </e2> door </e1>", CAUSE),
        ("the <e1> cat </e1> saw the <e2> Cat </e2>", "Cause-Effect"),
        ("<e1> a </e1> <e2> b </e2>", OTHER),
    ]
    found = {finding.kind: finding for finding in TASK.check({"train": examples(rows), "test": examples(rows[:1])})}
    assert set(found) == {"nested_entities", "same_entity_twice", "direction_missing"}
    assert found["nested_entities"].count == 2
    assert found["nested_entities"].rows == (
        {"file": "rows.csv", "row": 1, "split": "train"},
        {"file": "rows.csv", "row": 1, "split": "test"},
    )
    assert found["same_entity_twice"].rows[0]["row"] == 2
    assert "1 row does not" in found["direction_missing"].message
    undirected = examples([("<e1> a </e1> <e2> b </e2>", label) for label in ("born_in", "lives_in")])
    assert [finding.kind for finding in TASK.check({"train": undirected})] == ["no_directions"]

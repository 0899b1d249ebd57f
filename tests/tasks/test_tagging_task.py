"""Tagging as a task: labels of pieces, windows stitched without loss, valid spans, scores and what is told."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.core.errors import DataError
from provetune.core.protocols import EncodeSettings, Guesses, Infers, Reports, Targets
from provetune.data.span_words import spans_of_cell, split_overlaps
from provetune.data.tag_schemes import broken_places, tags_of_spans
from provetune.data.words import find_words
from provetune.evaluation.entities import count_entities, entity_scores
from provetune.inference.features import FeatureTable
from provetune.statistics.judged import bound_of
from provetune.tasks import TASKS

TASK: Any = TASKS.get("tagging")
SPAN = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]))


def table(rows: list[tuple[str, list[tuple[int, int, str]] | None]]) -> pa.Table:
    labels = [
        None if spans is None else [{"start": a, "end": b, "label": name} for a, b, name in spans] for _, spans in rows
    ]
    return pa.table(
        {
            "row_id": [str(k) for k in range(len(rows))],
            "text": pa.array([text for text, _ in rows], pa.string()),
            "label": pa.array(labels, SPAN),
        }
    )


def letters() -> Any:
    """A tokenizer of BERT's kind whose pieces are single letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    plain = [chr(code) for code in range(33, 127)]
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *plain, *(f"##{letter}" for letter in plain), *"我爱北京中国"]
    made = Tokenizer(models.WordPiece({name: k for k, name in enumerate(names)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def sentence_pieces() -> Any:
    """A tokenizer of SentencePiece's kind whose pieces go over several Chinese letters."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    names = ["<unk>", "▁", "▁in", "▁北京", "北京", "我爱", "▁我爱", "中国", *"我爱北京中国inRomeAbc"]
    pieces = [(name, -float(k) if len(name) > 1 else -50.0 - k) for k, name in enumerate(dict.fromkeys(names))]
    made = Tokenizer(models.Unigram(pieces, unk_id=0))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return made


def perfect(features: FeatureTable, targets: Targets) -> list[Any]:
    """Outputs that say what the labels say, and nonsense where there is no label."""
    found = []
    for feature in features.take(range(len(features))):
        labels = np.asarray(feature["labels"])
        scores = np.zeros((len(labels), 2 * len(targets.names) + 1), dtype=np.float32)
        scores[:, 2] = 99.0
        known = labels >= 0
        scores[known] = 0.0
        scores[np.flatnonzero(known), labels[known]] = 9.0
        found.append(scores)
    return found


def found_spans(rows: pa.Table, tokenizer: Any, max_length: int, stride: int) -> list[Any]:
    targets = TASK.targets(rows)
    features = FeatureTable(TASK.encode(rows, tokenizer, EncodeSettings(max_length, "windows", stride), targets))
    return TASK.answers(perfect(features, targets), features, rows, targets).spans(targets)  # type: ignore[no-any-return]


def test_it_has_the_abilities_it_needs() -> None:
    assert all(isinstance(TASK, ability) for ability in (Infers, Guesses, Reports))


def test_labels_of_pieces_by_hand() -> None:
    rows = table([("Bo Li in 北京", [(0, 5, "per"), (9, 11, "loc")])])
    targets = TASK.targets(rows)
    assert (targets.names, targets.counts) == (("loc", "per"), (1, 1))
    features = TASK.encode(rows, letters(), EncodeSettings(32), targets)
    # [CLS] b ##o l ##i i ##n 北 京 [SEP]
    assert features["labels"].to_pylist() == [[-100, 3, -100, 4, -100, 0, -100, 1, 2, -100]]
    assert TASK.head(targets)["id2label"] == {0: "O", 1: "B-loc", 2: "I-loc", 3: "B-per", 4: "I-per"}


def test_rows_without_a_label_teach_nothing() -> None:
    rows = table([("Bo", None), ("Li", [(0, 2, "per")]), ("Al", [])])
    labels = TASK.encode(rows, letters(), EncodeSettings(32), TASK.targets(rows))["labels"].to_pylist()
    assert labels == [[-100, -100, -100, -100], [-100, 1, -100, -100], [-100, 0, -100, -100]]


def test_words_within_a_files_token_teach_only_what_the_file_says() -> None:
    rows = table([("@Al is", []), ("O'B", [(0, 3, "per")])])
    starts = pa.array([[0, 4], [0]], pa.list_(pa.int32()))
    labels = TASK.encode(rows, letters(), EncodeSettings(32), TASK.targets(rows))["labels"].to_pylist()
    assert [label for label in labels[0] if label >= 0] == [0, 0, 0]
    known = TASK.encode(rows.append_column("token_starts", starts), letters(), EncodeSettings(32), TASK.targets(rows))
    # [CLS] @ A ##l i ##s [SEP], [CLS] O ' B [SEP]
    assert known["labels"].to_pylist() == [[-100, 0, -100, -100, 0, -100, -100], [-100, 1, 2, 2, -100]]


def test_a_window_that_begins_inside_a_word_does_not_label_it() -> None:
    rows = table([("abcdef gh", [(0, 6, "x")])])
    features = TASK.encode(rows, letters(), EncodeSettings(6, "windows", 1), TASK.targets(rows))
    # [CLS] a b c d [SEP], [CLS] ##d ##e ##f g [SEP], and the last one as wide as the others
    assert features["labels"].to_pylist() == [
        [-100, 1, -100, -100, -100, -100],
        [-100, -100, -100, -100, 0, -100],
        [-100, -100, -100, 0, -100, -100],
    ]


WORD = st.sampled_from(["Bo", "Lee", "paid", "a", "I", "12", ",", "我", "爱", "北京", "x-y", "Rome."])


@st.composite
def tagged_text(draw: st.DrawFn) -> tuple[str, list[tuple[int, int, str]]]:
    text = " ".join(draw(st.lists(WORD, min_size=1, max_size=14)))
    words = find_words(text)
    spans = []
    at = 0
    while at < len(words):
        end = at + draw(st.integers(1, 3))
        if draw(st.booleans()) and end <= len(words):
            spans.append((words[at][0], words[end - 1][1], draw(st.sampled_from(["p", "q"]))))
        at = end
    return text, spans


@settings(deadline=None)
@given(st.lists(tagged_text(), min_size=1, max_size=4), st.integers(4, 14), st.integers(0, 6))
def test_windows_are_stitched_without_loss(rows: Any, max_length: int, stride: int) -> None:
    rows = [*rows, ("Bo Lee", [(0, 2, "p"), (3, 6, "q")])]
    assert found_spans(table(rows), letters(), max_length, stride) == [spans for _, spans in rows]


def test_a_document_of_thousands_of_words_comes_back_whole() -> None:
    source = random.Random(0)
    text = " ".join(source.choice(["Bo", "Lee", "paid", "12", "北京", "on"]) for _ in range(3000))
    words = find_words(text)
    spans = [(words[k][0], words[k + 1][1], source.choice("pq")) for k in range(0, len(words) - 1, 7)]
    assert found_spans(table([(text, spans)]), letters(), 64, 16) == [spans]


def test_pieces_over_several_letters_are_cut_apart() -> None:
    rows = [("我爱北京 in Rome", [(1, 3, "p"), (8, 12, "q")]), ("in Rome", [(0, 2, "p")])]
    assert found_spans(table(rows), sentence_pieces(), 32, 0) == [spans for _, spans in rows]


def byte_pieces() -> Any:
    """One piece a byte, as byte-level tokenizers have for letters that they did not learn."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: k for k, letter in enumerate(letters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return made


@pytest.mark.parametrize(("max_length", "stride"), [(64, 0), (8, 2), (9, 4), (12, 3)])
def test_of_the_bytes_of_a_letter_the_first_speaks_in_every_window(max_length: int, stride: int) -> None:
    text = "👍 한국 Lee 👍 北京 naïve 👍👍"
    words = find_words(text)
    spans = [(start, end, "pq"[k % 2]) for k, (start, end) in enumerate(words)]
    assert found_spans(table([(text, spans), ("Bo", [(0, 2, "p")])]), byte_pieces(), max_length, stride)[0] == spans


def test_offsets_count_letters_whatever_the_bytes() -> None:
    text = "😂😂 Bo, naïve café 北京 Lee"
    spans = [(3, 5, "p"), (13, 17, "q"), (18, 20, "p")]
    assert found_spans(table([(text, spans)]), letters(), 64, 0) == [spans]


def test_what_is_cut_is_counted() -> None:
    rows = table([("a b c d e f g h", [(0, 1, "x")]), ("a", [])])
    head = TASK.encode(rows, letters(), EncodeSettings(6, "head"), None)
    assert head["cut"].to_pylist() == [4, 0]
    windows = TASK.encode(rows, letters(), EncodeSettings(6, "windows", 2), None)
    assert windows["cut"].to_pylist() == [4, 4, 4, 0]


def test_no_tag_sequence_is_ever_invalid() -> None:
    source = np.random.default_rng(0)
    texts = [" ".join("w" for _ in range(int(count))) for count in source.integers(1, 30, 200)]
    rows = table([(text, [(0, 1, name)]) for text, name in zip(texts, ["a", "b"] * 100, strict=True)])
    targets = TASK.targets(rows)
    outputs = [source.normal(0, 6, (len(find_words(text)), 5)) for text in texts]
    answers = TASK.answers(outputs, None, rows, targets)
    for text, spans in zip(texts, answers.spans(targets), strict=True):
        words = find_words(text)
        starts, ends = [start for start, _ in words], [end for _, end in words]
        tags = tags_of_spans([(starts.index(a), ends.index(b) + 1, name) for a, b, name in spans], len(words))
        assert list(broken_places(tags, "BIO")) == []


def test_predictions_are_spans_of_the_text_as_given() -> None:
    rows = table([("  Bo  lives in Rome", [(2, 4, "per"), (15, 19, "loc")]), ("no one", [])])
    targets = TASK.targets(rows)
    sure, half = np.log(0.96), np.log(0.01)
    scores = np.full((4, 5), half, dtype=np.float64)
    for word, tag in enumerate([3, 0, 0, 1]):
        scores[word, tag] = sure
    answers = TASK.answers([scores, np.full((2, 5), half) + np.eye(5)[[0, 0]]], None, rows, targets)
    assert len(answers) == 2
    told = TASK.predictions(answers, targets, top_k=1)
    assert [span["text"] for span in told[0]["spans"]] == ["Bo", "Rome"]
    first = told[0]["spans"][0]
    assert (first["start"], first["end"], first["label"]) == (2, 4, "per")
    assert first["score"] == pytest.approx(0.96)
    assert first["labels"] == {"per": pytest.approx(0.97)}
    assert told[1] == {"spans": []}
    assert TASK.show(told[0]["spans"]) == "per 'Bo' (2–4), loc 'Rome' (15–19)"
    assert "labels" not in TASK.predictions(answers, targets)[0]["spans"][0]
    json.dumps(told)


def random_outcomes(seed: int = 0, count: int = 60) -> tuple[pa.Table, pa.Table, Targets]:
    source = random.Random(seed)
    rows = []
    for _ in range(count):
        words = [source.choice(["Bo", "Lee", "paid", "a"]) for _ in range(source.randint(1, 9))]
        text = " ".join(words)
        places = find_words(text)
        spans = [(*places[k], source.choice("pq")) for k in range(len(places)) if source.random() < 0.4]
        rows.append((text, spans))
    examples = table([*rows, ("Bo Lee", None)])
    targets = TASK.targets(examples)
    draw = np.random.default_rng(seed)
    outputs = [draw.normal(0, 2, (len(find_words(text)), 5)) for text in examples["text"].to_pylist()]
    return examples, TASK.outcomes(examples, TASK.answers(outputs, None, examples, targets), targets), targets


def test_scores_are_those_of_the_spans_and_of_seqeval() -> None:
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

    _, outcomes, targets = random_outcomes()
    scores = TASK.score(outcomes, targets)
    kept = outcomes.slice(0, 60)
    gold = [spans_of_cell(cell) for cell in kept["label"].to_pylist()]
    found = [spans_of_cell(cell) for cell in kept["prediction"].to_pylist()]
    expected = entity_scores(count_entities(gold, found, ["p", "q"]))
    assert scores["micro_f1"] == pytest.approx(expected["f1"])
    assert scores["exact_rows"] == sum(set(a) == set(b) for a, b in zip(gold, found, strict=True)) / 60
    # Here every span covers whole tokens, so that tags say the same as spans.
    tags, found_tags = kept["tags"].to_pylist(), kept["found_tags"].to_pylist()
    for average, name in [("micro", "micro"), ("macro", "macro"), ("weighted", "weighted")]:
        theirs = precision_recall_fscore_support(tags, found_tags, average=average, zero_division=0)
        ours = [scores[f"{name}_{part}"] for part in ("precision", "recall", "f1")]
        assert ours == pytest.approx(theirs[:3])
    right = sum(a == b for one, other in zip(tags, found_tags, strict=True) for a, b in zip(one, other, strict=True))
    assert scores["token_accuracy"] == pytest.approx(right / sum(map(len, tags)))
    assert outcomes["tags"].to_pylist()[60] is None


def test_the_verdict_takes_every_metric_of_every_label() -> None:
    _, outcomes, targets = random_outcomes()
    judged = TASK.judged(outcomes, targets, groups=[k // 2 for k in range(61)])
    assert len(judged) == 60
    assert len(np.unique(judged.groups)) == 30
    gold = [spans_of_cell(cell) for cell in outcomes["label"].to_pylist()[:60]]
    found = [spans_of_cell(cell) for cell in outcomes["prediction"].to_pylist()[:60]]
    only = (
        [[span for span in row if span[2] == "q"] for row in gold],
        [[span for span in row if span[2] == "q"] for row in found],
    )
    assert bound_of("f1", judged, 0.95, label="q").value == pytest.approx(
        entity_scores(count_entities(*only, ["q"]))["f1"]
    )
    bound = bound_of("micro_f1", judged, 0.95)
    assert bound.lower < bound.value < bound.upper


def test_uncertainty_of_the_score_is_that_of_the_bootstrap() -> None:
    _, outcomes, targets = random_outcomes(count=400)
    judged = TASK.judged(outcomes, targets)
    metric = judged.metric("micro_f1")
    draw = np.random.default_rng(0)
    picks = draw.multinomial(400, np.full(400, 1 / 400), 3000)
    spread = metric.function(picks @ metric.sums).std()
    error = metric.contributions().std(ddof=1) / np.sqrt(400)
    assert error == pytest.approx(spread, rel=0.06)


def test_labels_that_training_lacks_cannot_be_found() -> None:
    rows = table([("Bo", [(0, 2, "p")])])
    targets = TASK.targets(rows)
    unseen = table([("Bo Lee", [(0, 2, "p"), (3, 6, "new")])])
    right = np.full((2, 3), -9.0)
    right[0, 1] = right[1, 0] = 9.0
    outcomes = TASK.outcomes(unseen, TASK.answers([right], None, unseen, targets), targets)
    scores = TASK.score(outcomes, targets)
    assert (scores["micro_precision"], scores["micro_recall"]) == (1.0, 0.5)
    assert outcomes["tags"].to_pylist() == [["B-p", "B-new"]]
    assert TASK.judged(outcomes, targets).metric("recall", "new").value() == 0.0


def test_overlapping_gold_spans_count_as_they_are() -> None:
    rows = table([("Bo Lee Rome", [(0, 6, "p"), (3, 6, "p"), (7, 11, "q")])])
    targets = TASK.targets(rows)
    features = FeatureTable(TASK.encode(rows, letters(), EncodeSettings(32), targets))
    answers = TASK.answers(perfect(features, targets), features, rows, targets)
    assert answers.spans(targets) == [split_overlaps([(0, 6, "p"), (3, 6, "p"), (7, 11, "q")])[0]]
    assert TASK.score(TASK.outcomes(rows, answers, targets), targets)["micro_recall"] == pytest.approx(2 / 3)


def test_tables_of_a_report_by_hand() -> None:
    rows = table([("Bo Lee paid", [(0, 2, "p"), (3, 6, "q")])])
    targets = TASK.targets(rows)
    outcomes = TASK.outcomes(rows, TASK.answers([np.eye(5)[[1, 1, 0]] * 9], None, rows, targets), targets)
    tables = {one.name: one for one in TASK.tables(outcomes, targets)}
    assert tables["spans_by_label"].rows == (("p", 0.5, 1.0, pytest.approx(2 / 3), 1, 2), ("q", 0.0, 0.0, 0.0, 1, 0))
    assert dict(tables["span_errors"].rows)["right place, wrong label"] == 1
    assert [row[0] for row in tables["tokens_by_label"].rows] == ["p", "q", "O"]


def test_the_loss_is_the_mean_over_words() -> None:
    import torch
    from torch.nn import functional

    targets = Targets("spans", ("p", "q"), (3, 1))
    logits = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[-100, 0, 3, -100], [1, -100, -100, -100]])
    kept = labels != -100
    expected = functional.cross_entropy(logits[kept], labels[kept])
    assert TASK.loss(logits, labels, targets, None).item() == pytest.approx(expected.item())
    weights = torch.tensor([0.5, 3.0])
    tags = torch.tensor([1.0, 0.5, 0.5, 3.0, 3.0])
    expected = functional.cross_entropy(logits[kept], labels[kept], weight=tags)
    assert TASK.loss(logits, labels, targets, weights).item() == pytest.approx(expected.item())
    nothing = TASK.loss(logits, torch.full((2, 4), -100), targets, None)
    assert nothing.item() == 0.0


def test_texts_without_a_word_have_no_spans() -> None:
    rows = table([("Bo", [(0, 2, "p")]), ("\u200b", []), ("…", [])])
    found = found_spans(rows, letters(), 16, 0)
    assert found == [[(0, 2, "p")], [], []]


def test_what_cannot_be_learned_is_refused() -> None:
    with pytest.raises(DataError, match="No training row has a span"):
        TASK.targets(table([("Bo", []), ("Lee", None)]))
    with pytest.raises(DataError, match="no out-of-scope label"):
        TASK.targets(table([("Bo", [(0, 2, "p")])]), out_of_scope="p")
    with pytest.raises(DataError, match="no rows to encode"):
        TASK.encode(table([]), letters(), EncodeSettings(16), None)


def test_bundles_load_with_transformers_and_agree(tmp_path: Path, tiny_backbone: Path) -> None:
    import torch
    from transformers import pipeline

    from provetune.inference.predictor import load
    from provetune.models.bundle import BundleContents, Golden, write_bundle
    from provetune.models.loading import load_model, load_tokenizer

    texts = ["Bo Lee lives in Rome", "Ann paid 12 to Bo", "in Rome Ann paid", "Rome and Bern", "我爱北京"]
    names = {"Bo Lee": "per", "Bo": "per", "Ann": "per", "Rome": "loc", "Bern": "loc", "北京": "loc"}
    rows = table(
        [(text, [(text.index(n), text.index(n) + len(n), k) for n, k in names.items() if n in text]) for text in texts]
    )
    targets = TASK.targets(rows)
    tokenizer = load_tokenizer(str(tiny_backbone))
    model = load_model(str(tiny_backbone), TASK.auto_class, TASK.head(targets), seed=0).train()
    encoding = EncodeSettings(64, "windows", 8)
    features = FeatureTable(TASK.encode(rows, tokenizer, encoding, targets))
    batch = TASK.collate(features.take(range(len(features))), 0)
    labels = batch.pop("labels")
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(80):
        optimiser.zero_grad()
        TASK.loss(model(**batch).logits, labels, targets, None).backward()
        optimiser.step()
    record = {"encode": {"max_length": 64, "long_texts": "windows", "stride": 8}, "inputs": "text"}
    contents = BundleContents(
        "transformers", "tagging", targets, Golden.of([], []), record, model=model.eval(), tokenizer=tokenizer
    )
    write_bundle(tmp_path / "bundle", contents)
    ours = load(tmp_path / "bundle").predict(texts)
    theirs = pipeline("token-classification", model=str(tmp_path / "bundle"), aggregation_strategy="first")(texts)
    assert sum(len(row["spans"]) for row in ours) == 9
    for row, reference in zip(ours, theirs, strict=True):
        assert [(one["start"], one["end"], one["label"]) for one in row["spans"]] == [
            (one["start"], one["end"], one["entity_group"]) for one in reference
        ]
        assert [one["score"] for one in row["spans"]] == pytest.approx(
            [float(one["score"]) for one in reference], abs=1e-5
        )


def word_logits(texts: list[str], doubtful: dict[str, float]) -> list[Any]:
    """Of each text (U, 3): outside has 0, the first tag of the one label what `doubtful` says of the word, else -9."""
    return [np.array([[0.0, doubtful.get(word, -9.0), -9.0] for word in text.split()]) for text in texts]


def test_the_margin_is_tuned_to_the_best_f1_by_hand() -> None:
    rows = table([(f"w{k} x", [(0, len(f"w{k}"), "p")]) for k in range(20)])
    targets = TASK.targets(rows)
    outputs = word_logits(rows["text"].to_pylist(), {"w0": 1.0, **{f"w{k}": -0.9 for k in range(1, 20)}, "x": -3.1})
    answers = TASK.answers(outputs, None, rows, targets)
    assert sum(map(len, answers.spans(targets))) == 1
    tuned = TASK.tune(answers, rows, targets)
    assert tuned.tuned == {"outside_margin": 1.0}  # the least step over 0.9; from 3.1 on every "x" would be found
    found = TASK.answers(outputs, None, rows, tuned)
    assert found.spans(tuned) == [[(0, len(f"w{k}"), "p")] for k in range(20)]
    assert found.scores[1] == pytest.approx(np.exp(-0.9) / (1 + np.exp(-0.9) + np.exp(-9)))  # what the model says
    fixed = TASK.targets(rows, options={"outside_margin": 0.5})
    assert TASK.tune(answers, rows, fixed) is fixed
    assert sum(map(len, TASK.answers(outputs, None, rows, fixed).spans(fixed))) == 1


def test_a_gain_that_chance_would_give_leaves_the_margin_alone() -> None:
    rows = table([("w0 x", [(0, 2, "p")]), ("w1 x", [(0, 2, "p")]), ("x", [])])
    targets = TASK.targets(rows)
    outputs = word_logits(rows["text"].to_pylist(), {"w0": 1.0, "w1": -0.9})
    tuned = TASK.tune(TASK.answers(outputs, None, rows, targets), rows, targets)
    assert tuned.tuned == {"outside_margin": 0.0}  # F1 from 2/3 to 1, its error 0.44
    nothing = table([("x y", None), ("x", [])])
    answers = TASK.answers(word_logits(nothing["text"].to_pylist(), {}), None, nothing, targets)
    assert TASK.tune(answers, nothing, targets).tuned == {"outside_margin": 0.0}


def test_answers_are_put_behind_one_another() -> None:
    rows = table([("Bo w", [(0, 2, "p")]), ("x", []), ("Bo Bo", [(0, 2, "p"), (3, 5, "p")])])
    targets = TASK.targets(rows)
    outputs = word_logits(rows["text"].to_pylist(), {"Bo": 2.0})
    whole = TASK.answers(outputs, None, rows, targets)
    parts = [TASK.answers(outputs[a:b], None, rows.slice(a, b - a), targets) for a, b in ((0, 1), (1, 2), (2, 3))]
    joined = parts[0].joined(parts[1:])
    assert joined.spans(targets) == whole.spans(targets) == [[(0, 2, "p")], [], [(0, 2, "p"), (3, 5, "p")]]
    assert joined.texts == whole.texts
    for name in ("scores", "shares", "logs"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    np.testing.assert_array_equal(joined.words.text, whole.words.text)
    assert TASK.tune(joined, rows, targets) == TASK.tune(whole, rows, targets)

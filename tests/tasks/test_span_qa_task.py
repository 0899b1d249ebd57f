"""The span_qa task: labels in windows, learning, scores as the published scripts have them, faults, what is told."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from provetune.core.errors import DataError
from provetune.core.protocols import EncodeSettings, Targets
from provetune.evaluation.answer_scores import exact_match, word_f1
from provetune.evaluation.character_answers import character_exact_match, character_f1
from provetune.models.forward import predict_outputs
from provetune.models.loading import load_model, load_tokenizer
from provetune.statistics.judged import bound_of
from provetune.tasks import TASKS
from provetune.tasks.span_qa import temperature
from provetune.tasks.span_qa.answers import QuestionAnswer, QuestionAnswers
from provetune.tasks.span_qa.encoding import answer_tokens, learned_place
from provetune.tasks.span_qa.reading import label_type
from provetune.tasks.span_qa.search import Spans
from provetune.training.features import FeatureStore

TASK = TASKS.get("span_qa")
FIELDS = ("text", "start", "nearest")
SETTINGS = EncodeSettings(max_length=40, long_texts="windows", stride=8)
PASSAGE = "The report was written by Ada Byron in 1843 ."


def gold(*answers: tuple[str, int] | tuple[str, int, int]) -> list[dict[str, Any]]:
    return [dict(zip(FIELDS, (*answer, answer[1])[:3], strict=True)) for answer in answers]


def examples(rows: list[tuple[str, str, list[dict[str, Any]] | None]]) -> pa.Table:
    questions, contexts, labels = zip(*rows, strict=True)
    return pa.table(
        {
            "row_id": pa.array([f"r{number}" for number in range(len(rows))]),
            "text": pa.array(questions, pa.string()),
            "text_pair": pa.array(contexts, pa.string()),
            "label": pa.array(labels, label_type()),
            "_file": pa.array(["rows.json"] * len(rows)),
            "_row": pa.array(range(1, len(rows) + 1), pa.int64()),
        }
    )


def answered() -> pa.Table:
    return examples([("Who?", PASSAGE, gold(("Ada Byron", 26))), ("When?", PASSAGE, gold(("1843", 39)))])


def lacking() -> pa.Table:
    return examples([("Who?", PASSAGE, gold(("Ada Byron", 26))), ("Why?", PASSAGE, [])])


def said(text: str, margin: float = -1.0, *, may_lack: bool = True) -> QuestionAnswer:
    """An answer of one candidate, which is a whole passage."""
    return QuestionAnswer(text, Spans(np.array([0]), np.array([len(text)]), np.array([0.0]), margin, 0.0), may_lack)


@pytest.fixture
def tokenizer(tiny_backbone: Path) -> Any:
    return load_tokenizer(tiny_backbone)


# -- what there is to predict ----------------------------------------------------------------------------------------


def test_options_are_settled_by_the_training_rows() -> None:
    found = TASK.targets(answered())
    assert (found.kind, found.names) == ("answered", ())
    assert found.options["scoring"] == "squad"
    assert found.options["max_answer_length"] == 30
    assert TASK.targets(lacking()).kind == "may_lack_answer"
    chinese = examples([("谁？", "黑豹队赢了。" * 20, gold(("黑豹队赢了。" * 8, 0)))])
    assert TASK.targets(chinese).options["scoring"] == "cmrc2018"
    assert TASK.targets(chinese).options["max_answer_length"] == 48
    fixed = {"scoring": "squad", "max_answer_length": 7, "no_answer_threshold": 1.5}
    assert {name: TASK.targets(chinese, options=fixed).options[name] for name in fixed} == fixed
    assert Targets.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises(DataError, match="No question has an answer that stands in its passage"):
        TASK.targets(examples([("Who?", PASSAGE, []), ("Who?", PASSAGE, gold(("Bob", -1)))]))


# -- features --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [(4, 7, (2, 2)), (4, 11, (2, 3)), (5, 9, (2, 3)), (3, 4, None), (0, 3, None), (8, 12, None), (7, 8, None)],
)
def test_tokens_of_an_answer(first: int, last: int, wanted: tuple[int, int] | None) -> None:
    """A window of two passage tokens, letters 4 to 7 and 8 to 11, after two tokens of something else."""
    starts, ends = np.array([-1, -1, 4, 8, -1]), np.array([-1, -1, 7, 11, -1])
    assert answer_tokens(starts, ends, first, last) == wanted


def test_which_answer_is_learned() -> None:
    both = gold(("Byron", -1, 30), ("1843", 39))
    assert learned_place(both, repair=False) == (39, 43)
    assert learned_place(both, repair=True) == (30, 35)
    assert learned_place(gold(("Byron", -1, 30)), repair=False) == "unknown"
    assert learned_place(gold(("Bob", -1, -1)), repair=True) == "unknown"
    assert learned_place([], repair=False) is None
    assert learned_place(gold(("", -1)), repair=False) is None
    assert learned_place(None, repair=False) == "unknown"


def test_windows_hold_their_answers_and_the_rest_points_at_the_first_token(tokenizer: Any) -> None:
    context = " ".join(f"{letter}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")
    rows = examples(
        [
            ("Who ?", context, gold(("mm nn", 36))),
            ("Who ?", context, []),
            ("Who ?", context, gold(("mm nn", -1, 36))),
            ("Who ?", "xx yy", gold(("yy", 3))),
            ("Who ?", context, None),
        ]
    )
    for repair in ("as_given", "repair"):
        targets = TASK.targets(rows, options={"offsets": repair})
        table = TASK.encode(rows, tokenizer, SETTINGS, targets)
        held = set()
        for feature in table.to_pylist():
            starts, ends, (first, last) = feature["starts"], feature["ends"], feature["labels"]
            assert len(feature["input_ids"]) <= 40
            assert feature["none"] == 0
            row, label = feature["row"], rows["label"][feature["row"]].as_py()
            if label is None or (row == 2 and repair == "as_given"):
                assert (first, last) == (-100, -100)
            elif (first, last) != (0, 0):
                held.add(row)
                text = rows["text_pair"][row].as_py()
                assert text[starts[first] : ends[last]] == label[0]["text"]
        assert held == ({0, 2, 3} if repair == "repair" else {0, 3})
    windows = [feature for feature in table.to_pylist() if feature["row"] == 0]
    assert len(windows) > 1
    covered = {start for feature in windows for start in feature["starts"] if start >= 0}
    assert covered == set(range(0, len(context), 3)) | set(range(1, len(context), 3))
    # Neighbours share a third of the length, so that any answer of 13 tokens is whole in one of them.
    for one, other in pairwise(windows):
        assert len(set(one["starts"]) & set(other["starts"]) - {-1}) >= 13
    assert "labels" not in TASK.encode(rows, tokenizer, SETTINGS, None).column_names


def test_loss_is_that_of_both_ends_over_tokens_an_answer_may_stand_at(tiny_backbone: Path, tokenizer: Any) -> None:
    rows, targets = answered(), TASK.targets(answered())
    model = load_model(tiny_backbone, TASK.auto_class, TASK.head(targets), seed=1)
    features = FeatureStore(TASK.encode(rows, tokenizer, EncodeSettings(64, "windows"), targets))
    taken = features.take([0, 1])
    batch = TASK.collate(taken, tokenizer.pad_token_id)
    outputs = TASK.forward(model, batch)
    loss = TASK.loss(outputs, batch["labels"], targets, None)
    wanted = []
    with torch.no_grad():
        for feature in taken:
            alone = model(
                input_ids=torch.tensor([feature["input_ids"].tolist()]),
                token_type_ids=torch.tensor([feature["token_type_ids"].tolist()]),
            )
            allowed = feature["starts"] >= 0
            allowed[0] = True
            for part, logits in enumerate((alone.start_logits[0], alone.end_logits[0])):
                shares = torch.log_softmax(logits[torch.from_numpy(allowed)], dim=0)
                place = int(np.flatnonzero(np.flatnonzero(allowed) == feature["labels"][part])[0])
                wanted.append(-shares[place].item())
    assert loss.item() == pytest.approx(np.mean(wanted), rel=1e-5)
    nothing = TASK.loss(outputs, torch.full_like(batch["labels"], -100), targets, None)
    nothing.backward()
    assert nothing.item() == 0.0


def test_a_bundle_s_logits_are_those_of_plain_transformers(tiny_backbone: Path, tokenizer: Any) -> None:
    """The best answer out of start and end logits, the way transformers' own example decodes one window."""
    rows, targets = answered(), TASK.targets(answered())
    model = load_model(tiny_backbone, TASK.auto_class, TASK.head(targets), seed=3)
    features = FeatureStore(TASK.encode(rows, tokenizer, EncodeSettings(100, "windows"), None))
    outputs = predict_outputs(model, TASK, features, 0, targets=targets, tokenizer=tokenizer)
    told = TASK.predictions(TASK.answers(outputs, features, rows, targets), targets, top_k=3)
    for row, question in enumerate(rows["text"].to_pylist()):
        encoded = tokenizer(question, PASSAGE, return_tensors="pt", return_offsets_mapping=True)
        offsets, inside = encoded.pop("offset_mapping")[0].tolist(), encoded.sequence_ids(0)
        with torch.no_grad():
            plain = model(**encoded)
        every = [
            (float(plain.start_logits[0, i] + plain.end_logits[0, j]), offsets[i][0], offsets[j][1])
            for i in range(len(inside))
            for j in range(i, min(i + 30, len(inside)))
            if inside[i] == inside[j] == 1
        ]
        every.sort(reverse=True)
        total = np.log(np.exp([logit for logit, _, _ in every]).sum())
        for found, (logit, start, end) in zip(told[row]["answers"], every, strict=False):
            assert (found["answer"], found["start"], found["end"]) == (PASSAGE[start:end], start, end)
            assert found["score"] == pytest.approx(np.exp(logit - total), rel=1e-4)
        assert told[row]["answer"] == told[row]["answers"][0]["answer"]


# -- scores ----------------------------------------------------------------------------------------------------------


def test_scores_are_the_scripts() -> None:
    rows = examples(
        [
            ("q", PASSAGE, gold(("Ada Byron", 26), ("Byron", 30))),
            ("q", PASSAGE, gold(("in 1843", 36))),
            ("q", PASSAGE, []),
            ("q", PASSAGE, []),
            ("q", PASSAGE, None),
        ]
    )
    targets = TASK.targets(rows)
    answers = QuestionAnswers([said("the Byron"), said("1843"), said("x", 2.0), said("report"), said("x")])
    outcomes = TASK.outcomes(rows, answers, targets)
    assert outcomes["prediction"].to_pylist() == ["the Byron", "1843", "", "report", "x"]
    assert outcomes["start"].to_pylist() == [0, 0, None, 0, 0]
    scores = TASK.score(outcomes, targets)
    f1 = [word_f1("the Byron", ["Ada Byron", "Byron"]), word_f1("1843", ["in 1843"]), 1.0, 0.0]
    assert f1 == pytest.approx([1.0, 2 / 3, 1.0, 0.0])
    assert scores == pytest.approx(
        {
            "f1": np.mean(f1),
            "exact_match": np.mean([exact_match("the Byron", ["Ada Byron", "Byron"]), 0, 1, 0]),
            "has_answer_f1": np.mean(f1[:2]),
            "has_answer_exact_match": 0.5,
            "no_answer_accuracy": 0.5,
        }
    )
    judged = TASK.judged(outcomes, targets, ["a", "a", "b", "c", "c"])
    assert len(judged) == 4
    assert judged.groups is not None
    assert judged.groups.tolist() == [0, 0, 1, 2]
    for name, value in scores.items():
        assert bound_of(name, judged, 0.95).value == pytest.approx(value)


def test_chinese_answers_are_scored_by_character() -> None:
    rows = examples(
        [("谁？", "黑豹队在1843年赢了。", gold(("黑豹队", 0))), ("何时？", "黑豹队在1843年赢了。", gold(("1843年", 4)))]
    )
    targets = TASK.targets(rows)
    answers = [said("黑豹", may_lack=False), said("在1843年", may_lack=False)]
    scores = TASK.score(TASK.outcomes(rows, QuestionAnswers(answers), targets), targets)
    assert scores["f1"] == pytest.approx(
        np.mean([character_f1("黑豹", ["黑豹队"]), character_f1("在1843年", ["1843年"])])
    )
    assert scores["exact_match"] == np.mean([character_exact_match("黑豹", ["黑豹队"]), 0])
    assert "no_answer_accuracy" not in scores


def test_the_threshold_is_tuned_for_f1() -> None:
    rows = examples([("q", PASSAGE, gold(("Ada", 26)))] * 3 + [("q", PASSAGE, [])] * 3)
    targets = TASK.targets(rows)
    answers = QuestionAnswers([said("Ada", margin) for margin in (-3.0, 1.0, 5.0, 2.0, 4.0, 9.0)])
    tuned = TASK.tune(answers, rows, targets)
    # Answered up to 1: two right answers and three right silences of six; up to 5 it would be three and one.
    assert tuned.tuned == {"no_answer_threshold": 1.5}
    assert TASK.score(TASK.outcomes(rows, answers, tuned), tuned)["f1"] == pytest.approx(5 / 6)
    fixed = TASK.targets(rows, options={"no_answer_threshold": 4.5})
    assert TASK.tune(answers, rows, fixed) is fixed
    assert TASK.score(TASK.outcomes(rows, answers, fixed), fixed)["f1"] == pytest.approx(3 / 6)
    plain = TASK.targets(answered())
    assert TASK.tune(answers, rows, plain) is plain


def test_what_is_told() -> None:
    targets = TASK.targets(lacking())
    answers = QuestionAnswers([said("Ada", -1.0), said("Ada", 1.0)])
    first, second = TASK.predictions(answers, targets, top_k=2)
    share = 1 / (1 + np.exp(-1))
    assert first == {
        "answer": "Ada",
        "score": pytest.approx(share),
        "start": 0,
        "end": 3,
        "answers": [
            {"answer": "Ada", "score": pytest.approx(share), "start": 0, "end": 3},
            {"answer": "", "score": pytest.approx(1 - share), "start": None, "end": None},
        ],
    }
    assert second["answer"] == ""
    assert second["answers"][0]["answer"] == ""
    assert set(TASK.predictions(answers, targets)[0]) == set(TASK.answer_keys)
    assert [TASK.show(value) for value in ("", "Ada", [], gold(("a", 0), ("a", 4), ("b", 2)), None)] == [
        "no answer",
        "'Ada'",
        "no answer",
        "'a' or 'b'",
        "",
    ]


def test_the_temperature_makes_the_gold_answers_likeliest(tokenizer: Any) -> None:
    """Against the mean log-loss over every stretch, written out for windows that hold the whole passage."""
    rows = examples(
        [
            ("Who ?", "aa bb cc dd", gold(("bb cc", 3), ("bb cc", 3))),
            ("Who ?", "xx yy zz", []),
            ("Who ?", "xx", gold(("qq", -1))),
        ]
    )
    targets = TASK.targets(rows)
    features = FeatureStore(TASK.encode(rows, tokenizer, SETTINGS, None))
    draw = np.random.default_rng(1)
    logits = [draw.normal(size=(length, 2)) for length in features.lengths]
    outcomes = TASK.outcomes(rows, TASK.answers(logits, features, rows, targets), targets)
    found = TASK.fit_temperature(logits, features, outcomes, targets)

    def loss(temperature: float) -> float:
        total = 0.0
        for row, (first, last) in ((0, (3, 8)), (1, (None, None))):
            feature, values = features.take([row])[0], logits[row] / temperature
            inside = np.flatnonzero(feature["starts"] >= 0)
            spans = {
                (feature["starts"][i], feature["ends"][j]): values[i, 0] + values[j, 1]
                for i in inside
                for j in inside
                if i <= j
            }
            spans[None, None] = values[0].sum()
            total += np.log(np.exp(list(spans.values())).sum()) - spans[first, last]
        return total / 2

    tried = np.exp(np.linspace(np.log(0.05), np.log(20), 2000))
    assert found == pytest.approx(tried[np.argmin([loss(temperature) for temperature in tried])], rel=0.01)
    scaled = TASK.fit_temperature([2 * each for each in logits], features, outcomes, targets)
    assert scaled == pytest.approx(min(20.0, 2 * found), rel=0.01)
    assert TASK.fit_temperature(logits, None, outcomes, targets) == 1.0
    nothing = outcomes.slice(2).combine_chunks()
    only = FeatureStore(TASK.encode(rows.slice(2), tokenizer, SETTINGS, None))
    assert TASK.fit_temperature(logits[2:], only, nothing, targets) == 1.0


def test_of_long_passages_fewer_are_taken_for_the_temperature(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = examples([("Who ?", "aa bb cc dd", gold(("bb cc", 3))), ("Who ?", "xx yy zz", [])])
    targets = TASK.targets(rows)
    features = FeatureStore(TASK.encode(rows, tokenizer, SETTINGS, None))
    logits = [np.random.default_rng(2).normal(size=(length, 2)) for length in features.lengths]

    def fitted(count: int) -> float:
        part, kept = rows.slice(0, count), FeatureStore(TASK.encode(rows.slice(0, count), tokenizer, SETTINGS, None))
        outcomes = TASK.outcomes(part, TASK.answers(logits[:count], kept, part, targets), targets)
        return float(TASK.fit_temperature(logits[:count], kept, outcomes, targets))

    first, both = fitted(1), fitted(2)
    assert first != pytest.approx(both, rel=0.01)
    stretches = int(sum(features.lengths)) * targets.options["max_answer_length"]
    monkeypatch.setattr(temperature, "_MOST_STRETCHES", stretches - 1)
    assert fitted(2) == first


def test_what_a_report_shows() -> None:
    label = [gold(("1843", 39)), gold(("Ada Byron", 26), ("the Ada Byron of 1843", 5)), gold(("a b c d", 0)), [], []]
    rows = examples([("q", PASSAGE, each) for each in label] + [("q", PASSAGE, None)])
    targets = TASK.targets(rows)
    told = [said("1843"), said("Ada"), said("x", 2.0), said("x", 2.0), said("x"), said("x")]
    lengths, answering = TASK.tables(TASK.outcomes(rows, QuestionAnswers(told), targets), targets)
    assert lengths.columns == ("words", "questions", "f1", "exact match")
    assert lengths.rows == (("1", 1, 1.0, 1.0), ("2 to 3", 1, 0.6667, 0.0), ("4 to 7", 1, 0.0, 0.0))
    assert answering.rows == (("an answer", 2, 1), ("no answer", 1, 1))
    chinese = examples([("谁？", "黑豹队赢了。", gold(("黑豹队", 0)))])
    (table,) = TASK.tables(
        TASK.outcomes(chinese, QuestionAnswers([said("黑豹队", may_lack=False)]), TASK.targets(chinese)),
        TASK.targets(chinese),
    )
    assert (table.columns[0], table.rows) == ("characters", (("3 to 5", 1, 1.0, 1.0),))


def test_a_guess_is_the_beginning_of_the_passage() -> None:
    rows = examples(
        [
            ("q", "  One two three four.", gold(("two", 6))),
            ("q", "黑豹队赢了。", gold(("黑豹队", 0))),
            ("q", "x", gold(("x", 0))),
        ]
    )
    guessed = TASK.guess(rows, TASK.targets(rows))
    assert [answer.given(0.0).text for answer in guessed] == ["One two three", "黑豹队", "x"]


# -- faults ----------------------------------------------------------------------------------------------------------


def test_faults_of_the_data() -> None:
    rows = [
        ("Who wrote it?", PASSAGE, gold(("Ada", -1, 26))),
        ("who  wrote it?", PASSAGE, gold(("Byron", 30))),
        ("When?", PASSAGE, gold(("Bob", -1, -1), ("1843", 39))),
        ("When?", PASSAGE, gold(("in 1843", 36))),
        ("What?", PASSAGE, gold(("", -1, -1))),
        ("What?", PASSAGE, gold(("The", 0))),
        ("Why?", PASSAGE, []),
    ]
    found = {finding.kind: finding for finding in TASK.check({"train": examples(rows), "test": examples(rows[:1])})}
    assert {kind: finding.count for kind, finding in found.items()} == {
        "answer_not_at_offset": 2,
        "answer_not_in_passage": 1,
        "empty_answers": 2,
        "different_answers": 4,
    }
    assert found["answer_not_at_offset"].rows == (
        {"file": "rows.json", "row": 1, "split": "train"},
        {"file": "rows.json", "row": 1, "split": "test"},
    )
    assert "2 questions are asked" in found["different_answers"].message
    assert "options.offsets: repair" in found["answer_not_at_offset"].message
    assert TASK.check({"train": answered()}) == []


def test_marks_of_impossible_questions_are_held_against_the_answers() -> None:
    rows = [("Who?", PASSAGE, gold(("Ada", 26))), ("Why?", PASSAGE, []), ("How?", PASSAGE, [])]
    table = examples(rows)

    def marked(*marks: str | None) -> list[Any]:
        return TASK.check({"train": table.append_column("raw.is_impossible", pa.array(marks, pa.string()))})

    assert marked("false", "True", None) == []
    (found,) = marked("true", "false", "true")
    assert (found.kind, found.count, [row["row"] for row in found.rows]) == ("answers_unlike_is_impossible", 2, [1, 2])

"""The baseline of span_qa: units, what speaks for a stretch, weights that learn, and a bundle that gives it back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from provetune.core.errors import CorruptError, DataError
from provetune.models.methods import METHODS
from provetune.models.overlap_counts import AnsweredQuestion, Looks, answered_questions, count_answers, count_looks
from provetune.models.overlap_spans import FEATURES, Counts, describe_spans, rarities, split_units
from provetune.tasks import TASKS

METHOD: Any = METHODS.get("word_overlap")
TASK = TASKS.get("span_qa")
PLACES = ("Berlin", "Madrid", "Oslo", "Cairo", "Lima", "Quito", "Hanoi", "Accra", "Minsk", "Tunis")
NAMES = ("anna", "boris", "carla", "dmitri", "elena", "farid", "greta", "hugo", "irina", "jonas")


def rows(count: int = 60, *, lacking: bool = False) -> pa.Table:
    """Who was born where and when, among three people a passage; every third question has no answer if `lacking`."""
    found = []
    for number in range(count):
        people = [
            (NAMES[(number + k * 3) % 10], PLACES[(number * 3 + k) % 10], 1900 + (number * 7 + k) % 90)
            for k in range(3)
        ]
        context = " ".join(f"The painter {name} was born near {place} in {year}." for name, place, year in people)
        name, place, year = people[number % 3]
        answer = str(year) if number % 2 else place
        question = f"When was {name} born?" if number % 2 else f"Where was {name} born?"
        start = context.index(answer, context.index(name))
        label = [{"text": answer, "start": start, "nearest": start}]
        if lacking and number % 3 == 0:
            question, label = "Why did it rain?", []
        found.append({"row_id": f"r{number}", "text": question, "text_pair": context, "label": label})
    return pa.Table.from_pylist(found)


def fitted(table: pa.Table, **settings: Any) -> Any:
    targets = TASK.targets(table)
    return METHOD.fit(table, TASK, targets, METHOD.settings(**settings), seed=1, validation=table.slice(0, 5)), targets


# -- units -----------------------------------------------------------------------------------------------------------


def test_units_of_a_text() -> None:
    units = split_units("In 1,250 BC Ada's 黑豹队 won. Then? The Ünder")
    assert units.words == ("in", "1,250", "bc", "ada", "s", "黑", "豹", "队", "won", "then", "the", "ünder")
    assert units.sentences.tolist() == [0] * 9 + [1] + [2] * 2
    assert np.flatnonzero(units.numbers).tolist() == [1]
    # Not 'In', 'Then' and 'The': these begin sentences.
    assert np.flatnonzero(units.names).tolist() == [2, 3, 11]
    assert [units.words[k] for k in np.flatnonzero(units.marks[:-1])] == ["in", "s", "then", "the"]
    assert not units.marks[-1]
    assert split_units("").words == ()


def test_rarities() -> None:
    found, unseen = rarities([split_units("a b a"), split_units("b c")])
    assert found == pytest.approx({"a": math.log(3), "b": math.log(3 / 2), "c": math.log(3)})
    assert unseen == pytest.approx(math.log(3))


def test_what_speaks_for_a_stretch() -> None:
    """Passage: w x | y z; the question has x and z, which are as rare as each other."""
    passage, question = split_units("w x. y z"), split_units("x z?")
    edges = {name: {} for name in ("before", "first", "last", "behind")}
    edges["first"] = {"y": 0.5}
    edges["before"] = {"": 0.25, "x": -1.0}
    counts = Counts({"x": 2.0, "z": 2.0}, 5.0, np.log([0.75, 0.25]), edges)
    first, last, table = describe_spans(question, passage, counts, (0.2, 0.4))
    assert list(zip(first.tolist(), last.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 1), (2, 2), (2, 3), (3, 3)]
    column = {name: table[:, k] for k, name in enumerate(FEATURES)}
    np.testing.assert_allclose(column["in_sentence"], 0.5)
    np.testing.assert_allclose(column["inside"], [0, 0.5, 0.5, 0, 0.5, 0.5])
    near = [math.exp(-distance / 3) / 2 for distance in range(4)]
    # Before unit 2 stands x, one unit away; before unit 3 two away. Behind unit 0 stand x and z, one and three away.
    np.testing.assert_allclose(column["before_within_3"], [0, 0, 0, near[1], near[1], near[2]])
    np.testing.assert_allclose(column["behind_within_3"], [near[1] + near[3], near[2], near[2], near[1], 0, 0])
    np.testing.assert_allclose(column["length"], np.log([0.75, 0.25, 0.75, 0.75, 0.25, 0.75]))
    np.testing.assert_allclose(column["number"], math.log(0.8))
    np.testing.assert_allclose(column["name"], math.log(0.6))
    np.testing.assert_allclose(column["first"], [0, 0, 0, 0.5, 0.5, 0])
    np.testing.assert_allclose(column["before"], [0.25, 0.25, 0, -1, -1, 0])
    np.testing.assert_allclose(column["at_mark"], [1, 2, 1, 1, 1, 0])
    np.testing.assert_allclose(column["cuts_name"], 0)


def test_a_name_is_not_cut() -> None:
    passage = split_units("so Ada Maria Byron wrote")
    counts = Counts({}, 1.0, np.zeros(3), {name: {} for name in ("before", "first", "last", "behind")})
    first, last, table = describe_spans(split_units("who"), passage, counts, (0.5, 0.5))
    cuts = dict(
        zip(zip(first.tolist(), last.tolist(), strict=True), table[:, FEATURES.index("cuts_name")], strict=True)
    )
    assert (cuts[1, 3], cuts[1, 2], cuts[2, 2], cuts[0, 0]) == (0, 1, 2, 0)


def test_counts_of_answers() -> None:
    passage = split_units("the cat sat on the mat")
    found = [
        AnsweredQuestion(split_units("who?"), passage, 1, 1),
        AnsweredQuestion(split_units("where?"), passage, 3, 5),
    ]
    counts = count_answers(found, 4)
    # One answer of one unit, one of three, each lending a quarter to either side, and a half for all.
    smooth = np.array([1, 0, 1, 0]) * 0.5 + np.array([0, 0.5, 0, 0.25]) + 0.5
    np.testing.assert_allclose(np.exp(counts.lengths), smooth / smooth.sum())
    assert counts.edges["first"]["cat"] > 0 >= counts.edges["first"].get("the", 0.0)
    assert counts.edges["last"]["mat"] > 0


def test_how_answers_look() -> None:
    years, names = split_units("in 1950"), split_units("of Oslo")
    found = [AnsweredQuestion(split_units("when was it"), years, 1, 1)] * 6
    found += [AnsweredQuestion(split_units("where was it"), names, 1, 1)] * 6
    looks = count_looks(found, "numbers")
    assert looks.share == pytest.approx(0.5)
    assert looks.words["was"] == pytest.approx(0.0)
    assert looks.of(split_units("when")) > 0.6 > 0.4 > looks.of(split_units("where"))
    assert looks.of(split_units("why")) == pytest.approx(0.5)
    assert Looks(0.5, {"when": 99.0}).of(split_units("when")) == 0.98


def test_rows_whose_answer_cannot_be_found_are_not_counted() -> None:
    table = pa.Table.from_pylist(
        [
            {"text": "q", "text_pair": "a b", "label": [{"text": "b", "start": 2, "nearest": 2}]},
            {"text": "q", "text_pair": "a b", "label": [{"text": "c", "start": -1, "nearest": -1}]},
            {"text": "q", "text_pair": "a b", "label": []},
        ]
    )
    assert [(row.first, row.last) for row in answered_questions(table)] == [(1, 1)]


# -- the method ------------------------------------------------------------------------------------------------------


def test_it_learns_what_is_easy() -> None:
    table = rows(90)
    model, targets = fitted(table.slice(0, 60))
    outputs, features = model.outputs(table.slice(60))
    assert features is None
    answers = TASK.answers(outputs, features, table.slice(60), targets)
    outcomes = TASK.outcomes(table.slice(60), answers, targets)
    assert TASK.score(outcomes, targets)["exact_match"] > 0.9
    for row in outcomes.to_pylist():
        number = table["row_id"].to_pylist().index(row["row_id"])
        assert table["text_pair"][number].as_py()[row["start"] : row["end"]] == row["prediction"]


def test_questions_without_an_answer_get_a_threshold() -> None:
    table = rows(90, lacking=True)
    model, targets = fitted(table)
    outputs, features = model.outputs(table)
    targets = TASK.tune(TASK.answers(outputs, features, table, targets), table, targets)
    scores = TASK.score(TASK.outcomes(table, TASK.answers(outputs, features, table, targets), targets), targets)
    assert scores["no_answer_accuracy"] > 0.9
    assert scores["has_answer_f1"] > 0.9


def test_what_was_saved_answers_the_same_and_is_not_pickled(tmp_path: Path) -> None:
    model, targets = fitted(rows())
    model.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json"}
    loaded = METHOD.load(tmp_path, TASK, targets)
    for one, other in zip(model.outputs(rows(5))[0], loaded.outputs(rows(5))[0], strict=True):
        np.testing.assert_allclose(one, other)
    again, _ = fitted(rows())
    np.testing.assert_array_equal(again.weights, model.weights)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="cannot be read"):
        METHOD.load(tmp_path, TASK, None)
    (tmp_path / "word_overlap.json").write_text(json.dumps({"counts": {}}))
    with pytest.raises(CorruptError, match="cannot be read"):
        METHOD.load(tmp_path, TASK, None)


def test_passages_without_words_have_no_answer() -> None:
    model, targets = fitted(rows())
    empty = pa.table({"text": ["Who?"], "text_pair": ["…"]})
    (answer,) = TASK.answers(*model.outputs(empty), empty, targets)
    assert answer.given(0.0).text == ""


def test_nothing_to_learn_from() -> None:
    lost = pa.Table.from_pylist(
        [{"row_id": "r", "text": "q", "text_pair": "a", "label": [{"text": "a", "start": -1, "nearest": 0}]}]
    )
    with pytest.raises(DataError, match="No training row has an answer that stands at its offset"):
        fitted(lost)

"""The table of what goes together is true: every cell is tried with a tiny random model, and what it refuses is refused
in one line that names what would work."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from family_models import family_model
from tiny_words import tiny_words

from provetune.core.errors import UsageError
from provetune.core.minimised import Situation
from provetune.core.protocols import (
    EncodeSettings,
    Forwards,
    PreparesModel,
    PreparesTokenizer,
    StaysApart,
    WeightMethod,
)
from provetune.data.examples import to_examples
from provetune.data.reading import read_table
from provetune.inference.features import FeatureTable
from provetune.models.features import read_mean
from provetune.models.forward import predict_logits, predict_outputs
from provetune.models.methods import METHODS
from provetune.problem.syntax import Columns, Data
from provetune.study.families import HEADS, families_for
from provetune.study.support import refuse_unsupported
from provetune.study.support_table import (
    NO_BACKBONE,
    Sort,
    as_markdown,
    document,
    grids,
    in_words,
    method_cells,
    sorts,
    why_not,
    why_not_objective,
    working_methods,
)
from provetune.tasks import TASKS
from provetune.training.objectives import OBJECTIVES

ROWS = Path(__file__).parents[1] / "contract" / "eight_rows"
WEIGHTS = [name for name in METHODS.names() if isinstance(METHODS.get(name), WeightMethod)]
FIRST_KINDS = {sort.task: sort for sort in reversed(sorts())}
PLACES = [(task, family) for task in TASKS.names() for family in HEADS]


class Rows:
    """A task's eight rows, encoded."""

    def __init__(self, name: str) -> None:
        self.task: Any = TASKS.get(name)
        raw = read_table(str(ROWS / f"{name}.jsonl"))
        columns = Columns.model_validate(self.task.detect(raw, {}).columns)
        self.rows = to_examples(raw, Data(columns=columns), columns, self.task).drop_columns(["_bad"])
        self.targets = self.task.targets(self.rows)
        cells = [cell for each in raw.names for cell in raw.table[each].to_pylist() if cell]
        self.tokenizer = tiny_words(cells)
        if isinstance(self.task, PreparesTokenizer):
            self.tokenizer = self.task.prepare_tokenizer(self.tokenizer, self.targets)
        long_texts = self.task.defaults.get("*", {}).get("long_texts", "head")
        settings = EncodeSettings(max_length=60, long_texts=long_texts, stride=8)
        self.features = FeatureTable(self.task.encode(self.rows, self.tokenizer, settings, self.targets))
        self.plain = FeatureTable(self.task.encode(self.rows, self.tokenizer, settings, None))

    def model(self, family: str) -> Any:
        head = self.task.head(self.targets)
        made = family_model(family, self.task.auto_class, head, len(self.tokenizer))
        return (
            self.task.prepare_model(made, self.tokenizer, self.targets)
            if isinstance(self.task, PreparesModel)
            else made
        )

    def loss(self, model: Any) -> torch.Tensor:
        batch = self.task.collate(self.features.take(range(3)), 0)
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        outputs = self.task.forward(model, batch) if isinstance(self.task, Forwards) else model(**inputs).logits
        found: torch.Tensor = self.task.loss(outputs, batch["labels"], self.targets, None)
        return found

    def answers(self, model: Any) -> Any:
        targets = self.targets
        outputs = predict_outputs(model, self.task, self.plain, 0, targets=targets, tokenizer=self.tokenizer)
        return self.task.predictions(self.task.answers(outputs, self.plain, self.rows, targets), targets)


@cache
def rows_of(name: str) -> Rows:
    return Rows(name)


@pytest.mark.parametrize(("name", "family"), PLACES)
def test_weights_learn_where_the_table_says_so(name: str, family: str) -> None:
    sort = FIRST_KINDS[name]
    working = [method for method in WEIGHTS if why_not(method, sort, family) is None]
    if not working:
        assert family not in families_for(METHODS.get("full"), TASKS.get(name))
        return
    rows = rows_of(name)
    plain = rows.model(family)
    for each in working:
        method: Any = METHODS.get(each)
        torch.manual_seed(0)
        model = method.prepare(copy.deepcopy(plain), method.settings(), rows.task)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            assert each == "untrained"
            continue
        loss = rows.loss(model.train())
        assert torch.isfinite(loss), each
        loss.backward()
        moved = [p for p in model.parameters() if p.grad is not None and bool(p.grad.abs().max() > 0)]
        assert moved, each
        with torch.no_grad():
            started = rows.loss(model.eval())
            for parameter in (
                p for p in model.parameters() if p.requires_grad
            ):  # far enough that a merge which does nothing would be noticed
                parameter.add_(0.3 * torch.randn_like(parameter))
            learned = rows.loss(model)
            assert abs(float(learned - started)) > 1.2e-4, each
            merged = method.merge(model)
            torch.testing.assert_close(rows.loss(merged.eval()), learned, atol=1e-4, rtol=0, msg=each)
            if isinstance(method, StaysApart):
                assert torch.isfinite(rows.loss(method.plain(merged)))


@pytest.mark.parametrize(("name", "family"), PLACES)
def test_answers_come_out_of_every_family_that_has_the_head(name: str, family: str) -> None:
    if family not in families_for(METHODS.get("full"), TASKS.get(name)):
        assert set(working_methods(FIRST_KINDS[name], family)).isdisjoint(WEIGHTS)
        return
    rows = rows_of(name)
    if name not in ("seq2seq", "chat"):
        assert len(rows.answers(rows.model(family))) == len(rows.rows)
    assert torch.isfinite(rows.loss(rows.model(family)))


@pytest.mark.parametrize(
    "family", [family for family in HEADS if why_not("head", Sort("pair", "single_label"), family) is None]
)
def test_frozen_features_of_the_families_that_the_table_names(family: str) -> None:
    rows = rows_of("pair")
    encoder = family_model(family, "AutoModel", None, len(rows.tokenizer))
    found = predict_logits(encoder, rows.task, rows.plain, 0, read=read_mean)
    assert found.shape == (len(rows.plain), 32)


def test_kinds_are_those_that_tasks_have() -> None:
    for name in (name for name in TASKS.names() if name != "span_qa"):
        assert rows_of(name).targets.kind in {sort.kind for sort in sorts() if sort.task == name}, name
    # Questions that may lack an answer are no sort of their own: nothing minds them.
    for name in OBJECTIVES.names():
        found = {why_not_objective(name, Sort("span_qa", kind)) is None for kind in ("answered", "may_lack_answer")}
        assert len(found) == 1, name


def test_facts_that_were_found_while_trying_stand_in_the_table() -> None:
    tagging, pair = Sort("tagging", "spans"), Sort("pair", "single_label")
    assert why_not("lora", tagging, "modernbert") is None
    assert "no biases" in str(why_not("bitfit", pair, "t5"))
    assert why_not("bitfit", pair, "bart") is None
    assert why_not("tfidf", pair) is None
    assert "needs no backbone" in str(why_not("tfidf", pair, "bert"))
    assert "does not suit the task 'tagging'" in str(why_not("head", tagging, "bert"))
    assert "marian" in str(why_not("full", pair, "marian"))
    assert why_not_objective("dpo", Sort("chat", "preference")) is None
    assert why_not_objective("dpo", pair) is not None
    assert {"full", "lora", "tfidf"} <= set(working_methods(pair, "bert"))
    assert "bitfit" not in working_methods(pair, "llama")


def situation(method: str, task: str, family: str) -> Situation:
    sort = FIRST_KINDS[task]
    return Situation(task, sort.kind, 2, (), method, METHODS.get(method).learns_from, ("plain",), family)


@pytest.mark.parametrize("method", METHODS.names())
def test_what_the_table_refuses_the_study_refuses_in_one_line(method: str) -> None:
    for (task, kind, family), why in method_cells(method).items():
        if family == NO_BACKBONE or kind != FIRST_KINDS[task].kind or "does not suit" in str(why):
            continue
        if why is None:
            refuse_unsupported(situation(method, task, family))
            continue
        with pytest.raises(UsageError) as told:
            refuse_unsupported(situation(method, task, family))
        assert told.value.message == why
        assert "\n" not in why
        assert told.value.hint, why
        assert told.value.where in ("backbone", "method")


def test_a_family_that_is_not_known_is_let_through() -> None:
    refuse_unsupported(situation("full", "pair", "xlnet"))
    refuse_unsupported(situation("lora", "pair", "xlnet"))


def test_grids_agree_with_the_cells() -> None:
    by_task, by_family, by_head, by_objective = grids()
    assert [name for name, _ in by_task.rows] == METHODS.names()
    marks = {name: dict(zip(by_task.columns, row, strict=True)) for name, row in by_task.rows}
    families = {name: dict(zip(by_family.columns, row, strict=True)) for name, row in by_family.rows}
    heads = {name: dict(zip(by_head.columns, row, strict=True)) for name, row in by_head.rows}
    for method in ("full", "lora", "bitfit", "prefix", "adapter", "ia3", "top_layers", "adalora"):
        for (task, kind, family), why in method_cells(method).items():
            title = Sort(task, kind).title
            promised = marks[method][title] and families[method][family] and heads[family][title]
            excepted = any(f"{title} with {family}" in note for note in by_family.notes if _is_about(note, method))
            assert (promised and not excepted) == (why is None), (method, title, family)
    assert all(len(row) == len(by_objective.columns) for _, row in by_objective.rows)


def _is_about(note: str, method: str) -> bool:
    return note.startswith(f"{method}, not for ")


def test_words_and_markdown() -> None:
    by_task, by_family, _, _ = grids()
    words = dict(in_words(by_task))
    assert words["full"] == "all"
    assert words["tfidf"].startswith("classification, classification with several labels, ordinal, pair")
    assert dict(in_words(by_family))["bitfit"] == "all but modernbert, llama, t5"
    lines = as_markdown(by_family).splitlines()
    assert lines[0] == f"| method | {' | '.join(HEADS)} |"
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_document_is_json_of_every_cell() -> None:
    found = document()
    assert set(found["methods"]) == set(METHODS.names())
    cell = next(each for each in found["methods"]["bitfit"] if each["family"] == "t5" and each["task"] == "pair")
    assert cell["works"] is False
    assert "biases" in cell["why"]
    assert {each["works"] for each in found["objectives"]["dpo"]} == {True, False}

"""What every task must do, whatever it is: each plug-in of `tasks/` is tried on a tiny random model.

A task's eight rows stand in ``eight_rows/<task>.jsonl``, as a user's file would have them.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from tiny_models import FAMILIES, tiny_model, tiny_tokenizer

from provetune.core.protocols import (
    Calibratable,
    EncodeSettings,
    FinishesModel,
    Forwards,
    Guesses,
    PreparesModel,
    PreparesTokenizer,
    Targets,
    Task,
    Tunable,
)
from provetune.data.examples import to_examples
from provetune.data.reading import read_table
from provetune.inference.features import FeatureTable
from provetune.models.forward import predict_outputs
from provetune.problem.syntax import Columns, Data
from provetune.tasks import TASKS

NAMES = TASKS.names()
# What a family of models computes differs too much for one to stand for the others.
TRIED = [name for name in NAMES if name != "seq2seq"] + [f"seq2seq {family}" for family in FAMILIES]
ROWS = Path(__file__).parent / "eight_rows"
LONGEST = 60
SHARPNESS = 6.0


class Trial:
    """One task with its rows, its tokenizer and a model of its class."""

    def __init__(self, tried: str) -> None:
        name, _, self.family = tried.partition(" ")
        self.task: Task = TASKS.get(name)
        self.raw = read_table(str(ROWS / f"{name}.jsonl"))

    @cached_property
    def columns(self) -> Columns:
        return Columns.model_validate(self.task.detect(self.raw, {}).columns)

    @cached_property
    def rows(self) -> pa.Table:
        found = to_examples(self.raw, Data(columns=self.columns), self.columns, self.task)
        assert found["_bad"].null_count == len(found)
        return found.drop_columns(["_bad"])

    @cached_property
    def targets(self) -> Targets:
        return self.task.targets(self.rows)

    @cached_property
    def tokenizer(self) -> Any:
        cells = [cell for name in self.raw.names for cell in self.raw.table[name].to_pylist() if cell]
        tokenizer = tiny_tokenizer(cells)
        if isinstance(self.task, PreparesTokenizer):
            tokenizer = self.task.prepare_tokenizer(tokenizer, self.targets)
        return tokenizer

    @cached_property
    def settings(self) -> EncodeSettings:
        long_texts = self.task.defaults.get("*", {}).get("long_texts", "head")
        return EncodeSettings(max_length=LONGEST, long_texts=long_texts, stride=8)

    def model(self, *, sharp: bool = True) -> Any:
        """A random model; a sharp one tells the rows apart, by far more than `same` lets pass."""
        head, size = self.task.head(self.targets), len(self.tokenizer)
        made = tiny_model(self.task.auto_class, head, size, family=self.family or "t5")
        if isinstance(self.task, PreparesModel):
            made = self.task.prepare_model(made, self.tokenizer, self.targets)
        with torch.no_grad():
            for parameter in made.parameters():
                learned = parameter.requires_grad and parameter.ndim == 2  # Marian has tables of positions
                parameter.mul_(SHARPNESS if sharp and learned else 1.0)
        return made.eval()

    def features(self, rows: pa.Table, *, labelled: bool = False) -> FeatureTable:
        return FeatureTable(self.task.encode(rows, self.tokenizer, self.settings, self.targets if labelled else None))

    def answers(self, model: Any, rows: pa.Table, **options: Any) -> Any:
        features = self.features(rows)
        outputs = predict_outputs(
            model, self.task, features, 0, targets=self.targets, tokenizer=self.tokenizer, **options
        )
        return self.task.answers(outputs, features, rows, self.targets)

    def told(self, model: Any, rows: pa.Table, **options: Any) -> list[dict[str, Any]]:
        return self.task.predictions(self.answers(model, rows, **options), self.targets)

    def loss(self, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if isinstance(self.task, Forwards):
            outputs = self.task.forward(model, batch)
        else:
            outputs = model(**{name: value for name, value in batch.items() if name != "labels"}).logits
        return self.task.loss(outputs, batch["labels"], self.targets, None)


@pytest.fixture(params=TRIED)
def trial(request: pytest.FixtureRequest) -> Trial:
    return Trial(request.param)


def same(one: Any, other: Any, tolerance: float = 1e-4) -> None:
    """Two JSON values are equal but for rounding."""
    assert type(one) is type(other), (one, other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            same(one[key], other[key], tolerance)
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), (one, other)
        for left, right in zip(one, other, strict=True):
            same(left, right, tolerance)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=tolerance, nan_ok=True)
    else:
        assert one == other


def test_it_describes_itself(trial: Trial) -> None:
    task = trial.task
    assert task.name in NAMES
    assert task.summary.endswith(".")
    assert task.metrics[0].kind != "system"
    assert len({metric.name for metric in task.metrics}) == len(task.metrics)
    assert all(metric.description.endswith(".") for metric in task.metrics)
    assert any(role.required for role in task.roles)
    assert len(task.examples) == 2
    assert all(field.description for field in task.options.model_fields.values())


def test_it_finds_the_columns_of_its_own_rows(trial: Trial) -> None:
    assert trial.task.detect(trial.raw, {}).fit > 0.3
    assert len(trial.rows) == 8
    assert trial.rows["label"].null_count == 0


def test_its_loss_is_finite_and_eight_rows_can_be_learned_by_heart(trial: Trial) -> None:
    model = trial.model(sharp=False).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    features = trial.features(trial.rows, labelled=True)
    batch = trial.task.collate(features.take(range(len(features))), 0)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    first = trial.loss(model, batch).item()
    assert np.isfinite(first)
    for _ in range(150):
        loss = trial.loss(model, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss.item() < first / 10:
            break
    assert loss.item() < first / 10


def test_what_goes_wrong_with_rows_would_be_noticed(trial: Trial) -> None:
    """The answers to the eight rows differ, and padding that is read as text changes them."""
    model, rows = trial.model(), trial.rows
    told = trial.told(model, rows)
    for number, other in enumerate([*told[1:], told[0]]):
        with pytest.raises(AssertionError):
            same(told[number], other)

    def read_padding(_: Any, inputs: Any, named: dict[str, Any]) -> Any:
        return inputs, {**named, "attention_mask": torch.ones_like(named["attention_mask"])}

    if trial.task.name == "chat":
        return  # its texts are packed, one behind the other
    model.register_forward_pre_hook(read_padding, with_kwargs=True)
    with pytest.raises(AssertionError):
        same(trial.told(model, rows), told)


def test_padding_changes_nothing(trial: Trial) -> None:
    model, rows = trial.model(), trial.rows
    alone = [trial.told(model, rows.slice(number, 1))[0] for number in range(len(rows))]
    same(trial.told(model, rows), alone)


def test_a_batch_of_one_equals_a_batch_of_many(trial: Trial) -> None:
    model, rows = trial.model(), trial.rows
    same(trial.told(model, rows, batch_tokens=1), trial.told(model, rows, batch_tokens=4096))


def test_order_does_not_matter(trial: Trial) -> None:
    model, rows = trial.model(), trial.rows
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = trial.told(model, rows.take(pa.array(order)), batch_tokens=64)
    in_order = trial.told(model, rows, batch_tokens=64)
    same(shuffled, [in_order[number] for number in order])


def test_outcomes_are_scored_judged_and_told(trial: Trial) -> None:
    task, rows = trial.task, trial.rows
    answers = trial.answers(trial.model(), rows)
    targets = task.tune(answers, rows, trial.targets) if isinstance(task, Tunable) else trial.targets
    outcomes = task.outcomes(rows, answers, targets)
    assert {"row_id", "label", "prediction"} <= set(outcomes.column_names)
    assert outcomes.column("row_id").to_pylist() == rows.column("row_id").to_pylist()
    scores = task.score(outcomes, targets)
    assert task.metrics[0].name in scores
    assert set(scores) <= {metric.name for metric in task.metrics}
    told = task.predictions(answers, targets, top_k=1, proba=True)
    assert len(told) == len(rows)
    assert all(set(task.answer_keys) <= set(row) for row in told)
    json.dumps(told, allow_nan=False)
    assert all(isinstance(task.show(value), str) for value in outcomes.column("label").to_pylist())
    assert all(isinstance(task.show(value), str) for value in outcomes.column("prediction").to_pylist())
    if isinstance(task, Calibratable):
        features = trial.features(rows)
        outputs = predict_outputs(trial.model(), task, features, 0, targets=targets, tokenizer=trial.tokenizer)
        assert 0 < task.fit_temperature(outputs, features, outcomes, targets) < 100


def test_the_verdict_and_the_scores_agree(trial: Trial) -> None:
    from provetune.statistics.judged import bound_of

    outcomes = trial.task.outcomes(trial.rows, trial.answers(trial.model(), trial.rows), trial.targets)
    judged = trial.task.judged(outcomes, trial.targets)
    assert len(judged) == len(trial.rows)
    compared = set()
    for name, score in trial.task.score(outcomes, trial.targets).items():
        kind = next(metric.kind for metric in trial.task.metrics if metric.name == name)
        if kind in ("sums", "ranks") and np.isfinite(score):
            assert bound_of(name, judged, 0.95).value == pytest.approx(score, abs=1e-6), name
            compared.add(name)
    assert trial.task.metrics[0].name in compared


def test_a_guess_scores(trial: Trial) -> None:
    if not isinstance(trial.task, Guesses):
        pytest.skip("this task knows no guess")
    guessed = trial.task.guess(trial.rows, trial.targets)
    outcomes = trial.task.outcomes(trial.rows, guessed, trial.targets)
    assert trial.task.metrics[0].name in trial.task.score(outcomes, trial.targets)
    if trial.task.name == "span_qa":
        return  # a stretch of the passage
    # A guess has not read the texts: what it says of a row stays where the row gets another's text.
    order = pa.array(np.roll(np.arange(len(trial.rows)), 1))
    texts = {name for name in ("text", "text_pair") if name in trial.rows.column_names}
    other = trial.rows
    for name in texts:
        other = other.set_column(other.column_names.index(name), name, trial.rows.column(name).take(order))
    again = trial.task.outcomes(other, trial.task.guess(other, trial.targets), trial.targets)
    assert again.column("prediction").to_pylist() == outcomes.column("prediction").to_pylist()


def test_targets_survive_json(trial: Trial) -> None:
    document = json.loads(json.dumps(trial.targets.to_json()))
    assert Targets.from_json(document) == trial.targets


def test_save_load_predict_gives_the_same(trial: Trial, tmp_path: Path) -> None:
    from provetune.inference.predictor import load
    from provetune.models.bundle import BundleContents, Golden, write_bundle

    task, model, rows = trial.task, trial.model(), trial.rows
    wanted = trial.told(model, rows)
    record = {
        "encode": {"max_length": LONGEST, "long_texts": trial.settings.long_texts, "stride": 8},
        "inputs": task.input_columns(trial.columns),
    }
    # What is asked for may be less than what was learned from: a query is asked without its document.
    most = 1 if isinstance(record["inputs"], str) else len(record["inputs"])
    inputs = rows.select([name for name in ("text", "text_pair")[:most] if name in rows.column_names])
    asked = [tuple(row.values()) if len(row) > 1 else row["text"] for row in inputs.to_pylist()]
    golden = Golden.of([list(each) if isinstance(each, tuple) else each for each in asked], wanted)
    if isinstance(task, FinishesModel):
        model = task.finish_model(model, trial.targets)
    contents = BundleContents(
        "transformers", task.name, trial.targets, golden, record, model=model, tokenizer=trial.tokenizer
    )
    write_bundle(tmp_path / "bundle", contents)
    found = load(tmp_path / "bundle")
    same(json.loads(json.dumps(list(found.predict(asked)))), json.loads(json.dumps(wanted)))

"""What every task must do, whatever it is: each plug-in of `tasks/` is tried on a tiny random BERT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from word_tokenizer import VOCABULARY, make_tokenizer

from provetune.core.protocols import Calibratable, EncodeSettings, Targets, Task
from provetune.inference.features import FeatureTable
from provetune.models.forward import predict_logits
from provetune.tasks import TASKS

NAMES = TASKS.names()
SETTINGS = EncodeSettings(max_length=24)
LETTERS = "abcdefg"


@pytest.fixture(params=NAMES)
def task(request: pytest.FixtureRequest) -> Task:
    return TASKS.get(request.param)


def eight_rows(task: Task) -> pa.Table:
    """Eight different rows made of the task's own two examples."""
    rows: list[Mapping[str, Any]] = []
    for number in range(8):
        extra = " ".join(LETTERS[(number * step) % 7] for step in range(1, 1 + number))
        example = task.examples[number % 2]
        rows.append({**example, "row_id": f"r{number}", "text": f"{example['text']} {extra}".strip()})
    return pa.Table.from_pylist(rows)


def targets_of(task: Task) -> Targets:
    return task.targets(eight_rows(task))


def tiny_model(task: Task, seed: int = 0) -> Any:
    import transformers

    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        **task.head(targets_of(task)),
    )
    return getattr(transformers, task.auto_class).from_config(config).eval()


def features(task: Task, rows: pa.Table, *, labelled: bool = False) -> pa.Table:
    return task.encode(rows, make_tokenizer(), SETTINGS, targets_of(task) if labelled else None)


def logits(task: Task, model: Any, rows: pa.Table, **options: Any) -> np.ndarray:
    return predict_logits(model, task, FeatureTable(features(task, rows)), 0, **options)


def test_it_describes_itself(task: Task) -> None:
    assert task.name in NAMES
    assert task.summary.endswith(".")
    assert task.metrics[0].kind != "system"
    assert len({metric.name for metric in task.metrics}) == len(task.metrics)
    assert all(metric.description.endswith(".") for metric in task.metrics)
    assert any(role.required for role in task.roles)
    assert len(task.examples) == 2


def test_its_loss_is_finite_and_eight_rows_can_be_learned_by_heart(task: Task) -> None:
    rows, targets, model = eight_rows(task), targets_of(task), tiny_model(task).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    table = FeatureTable(features(task, rows, labelled=True))
    batch = task.collate(table.take(range(len(table))), 0)
    labels = batch.pop("labels")
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    first = task.loss(model(**batch).logits, labels, targets, None).item()
    assert np.isfinite(first)
    for _ in range(60):
        loss = task.loss(model(**batch).logits, labels, targets, None)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < first / 10


def test_padding_changes_nothing(task: Task) -> None:
    model, one = tiny_model(task), FeatureTable(features(task, eight_rows(task))).take([0])
    batch = task.collate(one, 0)
    wide = {name: torch.nn.functional.pad(value, (0, 16)) for name, value in batch.items()}
    with torch.inference_mode():
        np.testing.assert_allclose(model(**wide).logits, model(**batch).logits, atol=1e-5)


def test_a_batch_of_one_equals_a_batch_of_many(task: Task) -> None:
    model, rows = tiny_model(task), eight_rows(task)
    alone = logits(task, model, rows, batch_tokens=1)
    np.testing.assert_allclose(alone, logits(task, model, rows, batch_tokens=4096), atol=1e-5)


def test_order_does_not_matter(task: Task) -> None:
    model, rows = tiny_model(task), eight_rows(task)
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = logits(task, model, rows.take(pa.array(order)), batch_tokens=64)
    np.testing.assert_allclose(shuffled, logits(task, model, rows, batch_tokens=64)[order], atol=1e-5)


def test_outcomes_are_scored_and_told(task: Task) -> None:
    model, rows, targets = tiny_model(task), eight_rows(task), targets_of(task)
    table = FeatureTable(features(task, rows))
    probabilities = task.probabilities(predict_logits(model, task, table, 0), table.rows, len(rows), targets)
    outcomes = task.outcomes(rows, probabilities, targets)
    assert outcomes.column_names == ["row_id", "label", "prediction", "probabilities"]
    assert outcomes.column("row_id").to_pylist() == rows.column("row_id").to_pylist()
    scores = task.score(outcomes, targets)
    assert task.metrics[0].name in scores
    assert set(scores) <= {metric.name for metric in task.metrics}
    told = task.predictions(probabilities, targets, top_k=1, proba=True)
    assert len(told) == len(rows)
    assert all({"label", "score", "labels"} <= set(row) for row in told)
    if isinstance(task, Calibratable):
        assert 0 < task.fit_temperature(predict_logits(model, task, table, 0), outcomes, targets) < 100


def test_targets_survive_json(task: Task) -> None:
    targets = targets_of(task)
    assert Targets.from_json(targets.to_json()) == targets


def test_save_load_predict_gives_the_same(task: Task, tmp_path: Any) -> None:
    from word_tokenizer import wrapped_tokenizer

    from provetune.inference.predictor import load
    from provetune.models.bundle import BundleContents, Golden, write_bundle

    model, rows, targets = tiny_model(task), eight_rows(task), targets_of(task)
    table = FeatureTable(features(task, rows))
    wanted = task.probabilities(predict_logits(model, task, table, 0), table.rows, len(rows), targets)
    record = {"encode": {"max_length": 24, "long_texts": "head", "stride": 0}, "columns": {"text": "text"}}
    texts = rows.column("text").to_pylist()
    golden = Golden.from_arrays(texts, wanted)
    contents = BundleContents(
        "transformers", task.name, targets, golden, record, model=model, tokenizer=wrapped_tokenizer()
    )
    write_bundle(tmp_path / "bundle", contents)
    found = load(tmp_path / "bundle")
    np.testing.assert_allclose(found.probabilities(texts), wanted, atol=1e-6)
    golden.check(found.probabilities(texts), where="bundle")

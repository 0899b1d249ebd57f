"""Objectives that learn from other rows, bundles and groups, on every task: a loss that can be learned from, or one
line that says why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from test_objectives import refusal, run_of, situation_of
from test_tasks import TRIED, Trial

from provetune.core.abilities import ScoresWords
from provetune.core.minimised import BundleAnswers, LossStep
from provetune.models.forward import predict_outputs
from provetune.study.objectives import objectives_with_settings
from provetune.training.minimisation import Minimisation

SORTING = {"classification", "pair", "relation", "ordinal"}
COMPARED = SORTING | {"regression", "similarity"}
SUITED = {
    "distil": COMPARED | {"tagging"},
    "lwf": COMPARED | {"tagging"},
    "pseudo_labels": SORTING,
    "consistency": COMPARED,
    "counterfactual": COMPARED - {"relation"},
    "group_dro": COMPARED | {"tagging"},
}
FIELDS: dict[str, dict[str, Any]] = {
    "distil": {"distil_from": "teacher"},
    "lwf": {},
    "ewc": {"ewc_memory": "rows", "ewc_rows": 3},
    "replay": {"replay_memory": "rows"},
    "pseudo_labels": {"pseudo_labels_rows": "rows", "pseudo_labels_threshold": 0.1, "pseudo_labels_begin": 0.0},
    "consistency": {"consistency_rows": "rows", "consistency_threshold": 0.1},
    "group_dro": {"group_dro_column": "group"},
}


def told(trial: Trial, rows: pa.Table) -> BundleAnswers:
    names = trial.targets.names
    if isinstance(trial.task, ScoresWords):
        features = trial.features(rows)
        asked = {"targets": trial.targets, "tokenizer": trial.tokenizer}
        outputs = predict_outputs(trial.model(), trial.task, features, 0, **asked)
        words, scores = trial.task.word_scores(outputs, features, rows)
        return BundleAnswers(names, scores.astype(np.float64), np.stack([words.text, words.starts, words.ends], 1))
    values = np.random.default_rng(4).normal(size=(rows.num_rows, len(names)))
    return BundleAnswers(names[::-1], values)


@pytest.mark.parametrize("tried", TRIED)
@pytest.mark.parametrize("name", [*FIELDS, "counterfactual"])
def test_it_learns_or_says_why_not(name: str, tried: str) -> None:
    trial = Trial(tried)
    task = trial.task.name
    said = refusal((name,), situation_of(trial, (name,)))
    assert (said is None) == (task in SUITED.get(name, {task}))
    if said is not None:
        assert "\n" not in said.message
        assert said.hint
        return
    torch.manual_seed(1)
    model = trial.model().train()
    features = trial.features(trial.rows, labelled=True)
    groups = pa.array(["a" if row % 2 else "b" for row in range(trial.rows.num_rows)])
    rows = trial.rows.append_column("raw.group", groups)
    run = replace(
        run_of(trial, model, features),
        examples=rows,
        read_rows=lambda path, use: rows,
        ask_bundle=lambda path, asked: told(trial, asked),
        start="before",
        steps=10,
    )
    word = next(iter((trial.rows.column("text")[0].as_py() or "").split()), "a")
    fields = FIELDS.get(name, {"counterfactual_pairs": [(word, f"{word}x")]})
    minimisation = Minimisation(objectives_with_settings(name, fields), run)
    batch = run.collate(features, range(len(features)))
    found = minimisation.loss(batch, LossStep(9, 0, features.rows, lambda loss: loss.backward()))
    found.loss.backward()
    assert found.loss.ndim == 0
    assert torch.isfinite(found.loss)
    slopes = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(slope).all() for slope in slopes)
    assert any((slope != 0).any() for slope in slopes)

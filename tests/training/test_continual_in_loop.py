"""Objectives that learn from other rows and bundles, in the loop: nought is plain, a resumed run is the whole one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from provetune.core.events import Saved, Step
from provetune.core.minimised import BundleAnswers
from provetune.core.protocols import Metric, Targets
from provetune.study.objectives import objectives_with_settings
from provetune.tasks import TASKS
from provetune.training.assignment import Source
from provetune.training.features import FeatureStore
from provetune.training.loop import train
from provetune.training.minimisation import Minimisation
from provetune.training.settings import TrainSettings

SOME: dict[str, dict[str, Any]] = {
    "distil": {"distil_from": "teacher"},
    "lwf": {},
    "ewc": {"ewc_memory": "old", "ewc_rows": 4},
    "replay": {"replay_memory": "old", "replay_share": 0.3},
    "pseudo_labels": {"pseudo_labels_rows": "more", "pseudo_labels_threshold": 0.4, "pseudo_labels_begin": 0.0},
    "consistency": {"consistency_rows": "more", "consistency_threshold": 0.4},
    "counterfactual": {"counterfactual_pairs": [("he", "she")]},
    "group_dro": {"group_dro_column": "channel", "group_dro_step": 0.5},
}
NOUGHT: dict[str, dict[str, Any]] = {
    "distil": {"distil_gold": 1.0},
    "lwf": {"lwf_strength": 0.0},
    "ewc": {"ewc_strength": 0.0},
    "replay": {"replay_share": 0.0},
    "pseudo_labels": {"pseudo_labels_weight": 0.0},
    "consistency": {"consistency_weight": 0.0},
    "counterfactual": {"counterfactual_weight": 0.0},
}
TOGETHER = (
    ["ewc", "replay", "lwf", "rdrop"],
    ["group_dro", "distil", "pseudo_labels", "consistency", "counterfactual", "fgm"],
)
Make = Callable[..., Any]


def source_of(store: FeatureStore) -> Source:
    """Rows, other rows and a teacher for 96 features."""
    examples = pa.table(
        {
            "text": ["he is" if row % 4 else "it is" for row in range(96)],
            "raw.channel": ["mail" if row % 3 else "chat" for row in range(96)],
        }
    )

    def encode(rows: pa.Table) -> FeatureStore:
        return store.keep_rows(np.arange(rows.num_rows))

    def ask(path: str, rows: pa.Table) -> BundleAnswers:
        told = np.random.default_rng(3).dirichlet(np.ones(3), size=rows.num_rows)
        return BundleAnswers(("c", "a", "b"), np.log(told))

    tokenizer = type("Tokenizer", (), {"all_special_ids": [2, 3], "mask_token_id": 1})
    return Source(
        examples,
        tokenizer,
        encode,
        read_rows=lambda path, use: examples.slice(0, 20),
        ask_bundle=ask,
        start="before",
    )


@pytest.fixture
def run(make_model: Make, store: FeatureStore, targets: Targets, tmp_path: Path) -> Make:
    """Trains a fresh model; returns it with what each step cost."""

    def finish(names: Any, fields: Any, *, name: str = "a", stop_at: int | None = None, **settings: Any) -> Any:
        model, losses = make_model(), []
        events = train(
            model,
            TASKS.get("classification"),
            store,
            targets,
            TrainSettings(
                **{"epochs": 1, "learning_rate": 3e-3, "batch_rows": 16, "evaluations": 1, "accumulate": 2, **settings}
            ),
            minimise=partial(Minimisation, objectives_with_settings(names, fields)),
            score=lambda scored: {"accuracy": 0.5},
            primary=Metric("accuracy", "share right"),
            checkpoint=tmp_path / name,
            seed=5,
            pad_id=0,
            source=source_of(store),
        )
        for event in events:
            if isinstance(event, Step):
                losses.append(event.loss)
            if isinstance(event, Saved) and event.step == stop_at:
                events.close()
        return model, losses

    return finish


@pytest.fixture(scope="module")
def plain() -> list[Any]:
    return []


@pytest.mark.parametrize("name", NOUGHT)
def test_nought_is_the_plain_run_to_the_last_bit(name: str, run: Make, plain: list[Any]) -> None:
    if not plain:
        plain.append(run("plain", {}, name="plain"))
    model, losses = run(name, NOUGHT[name])
    assert losses == plain[0][1]
    for key, value in plain[0][0].state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key


@pytest.mark.parametrize("names", [*([name] for name in SOME), *TOGETHER], ids="+".join)
def test_a_resumed_run_is_the_uninterrupted_one(names: list[str], run: Make) -> None:
    fields = {key: value for name in names for key, value in SOME.get(name, {}).items()}
    whole, losses = run(names, fields, checkpoint_steps=1)
    assert len(losses) == 3
    assert all(np.isfinite(losses))
    run(names, fields, name="b", checkpoint_steps=1, stop_at=1)
    again, rest = run(names, fields, name="b", checkpoint_steps=1)
    assert rest == losses[1:]
    for key, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key


@pytest.mark.parametrize("name", SOME)
def test_each_changes_what_is_learned(name: str, run: Make) -> None:
    _, losses = run(name, SOME[name], epochs=2)
    _, others = run("plain", {}, name="b", epochs=2, speedups=name != "ewc")
    assert losses != others
    assert losses[-1] == losses[-1]

"""Group DRO's weights by hand, once a step, through a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn import functional
from toy_runs import linear, plain_pass, some_features, step, toy_run

from provetune.core.errors import UsageError
from provetune.core.minimised import LossRun, Situation
from provetune.training.objectives import OBJECTIVES

DRO = OBJECTIVES.get("group_dro")
CHANNELS = ["mail", "chat", "mail", None, "mail", "chat"]


def make_run(model: torch.nn.Module, channels: list[str | None] = CHANNELS) -> LossRun:
    return toy_run(model, some_features(), examples=pa.table({"raw.channel": channels}))


def begin(run: LossRun, **settings: Any) -> Any:
    return DRO.begin(run, DRO.settings(group_dro_column="channel", **settings))


def test_weights_move_as_algorithm_1_says() -> None:
    model = linear()
    run = make_run(model)
    working = begin(run, group_dro_step=0.5)
    assert working.names.tolist() == ["", "chat", "mail"]
    weights = np.full(3, 1 / 3)
    for number, rows in enumerate(([0, 1, 2, 5], [3, 4])):
        batch = run.collate(run.features, rows)
        found = working.loss(batch, plain_pass(run, batch), step(rows, number=number)).loss.item()
        each = functional.cross_entropy(model(batch["inputs"]), batch["labels"], reduction="none").detach().numpy()
        of_group = np.array([["", "chat", "mail"].index(CHANNELS[row] or "") for row in rows])
        losses = np.array([each[of_group == g].mean() if (of_group == g).any() else 0.0 for g in range(3)])
        weights = weights * np.exp(0.5 * losses)
        weights /= weights.sum()
        np.testing.assert_allclose(working.weights.numpy(), weights, rtol=1e-6)
        assert found == pytest.approx(float(weights @ losses), rel=1e-5)


def test_the_weights_move_once_however_often_a_batch_is_asked_for() -> None:
    run = make_run(linear())
    working = begin(run, group_dro_step=0.5)
    batch = run.collate(run.features, [0, 1])
    for _ in range(3):
        working.loss(batch, plain_pass(run, batch), step([0, 1]))
    once = begin(run, group_dro_step=0.5)
    once.loss(batch, plain_pass(run, batch), step([0, 1]))
    assert torch.equal(working.weights, once.weights)
    working.loss(batch, plain_pass(run, batch), step([0, 1], part=1))
    assert not torch.equal(working.weights, once.weights)


def test_small_groups_are_raised_by_the_adjustment() -> None:
    run = make_run(linear())
    working = begin(run, group_dro_step=0.0, group_dro_adjustment=3.0)
    batch = run.collate(run.features, [0, 1])
    found = working.loss(batch, plain_pass(run, batch), step([0, 1])).loss.item()
    each = functional.cross_entropy(run.forward(batch), batch["labels"], reduction="none").tolist()
    assert found == pytest.approx((each[0] + 3 / 3**0.5 + each[1] + 3 / 2**0.5) / 3, rel=1e-5)


def test_the_weights_go_through_a_checkpoint() -> None:
    run = make_run(linear())
    first, second = begin(run, group_dro_step=0.5), begin(run)
    batch = run.collate(run.features, [0, 1])
    first.loss(batch, plain_pass(run, batch), step([0, 1]))
    second.load_state(first.state())
    assert torch.equal(first.weights, second.weights)


def test_one_group_and_no_column_are_refused(tmp_path: Any) -> None:
    with pytest.raises(UsageError, match="All training rows are of one group of 'channel'"):
        begin(make_run(linear(), ["mail"] * 6))
    empty = Situation("classification", "single_label", 2, (1, 1), "full", "weights", (), "bert")
    DRO.check(empty)
    asked = replace(empty, folder=tmp_path, columns=("text", "channel"))
    with pytest.raises(UsageError, match="needs to know the groups"):
        DRO.check(asked)
    with pytest.raises(UsageError, match="no column 'chanel'") as caught:
        DRO.check(replace(asked, settings={"group_dro_column": "chanel"}))
    assert "channel" in str(caught.value.hint)
    DRO.check(replace(asked, settings={"group_dro_column": "channel"}))

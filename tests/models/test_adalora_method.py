"""`adalora` against the paper's equations, worked out apart from peft: penalty, importance, budget; and going on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from family_models import SENTENCE, family_model, small_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from provetune.core.errors import UsageError
from provetune.core.minimised import Situation
from provetune.models.methods.adalora import METHOD, Adalora, AdaloraSettings
from provetune.models.rank_budget import budget_state, load_budget_state, orthogonality

BATCH, LABELS = small_batch(SENTENCE), torch.tensor([0, 1])
LAYERS = 12  # linear ones of a BERT of two layers


def prepared(**fields: Any) -> Any:
    torch.manual_seed(3)
    chosen = AdaloraSettings(**{"rank": 2, "dropout": 0.0, **fields})
    return METHOD.prepare(family_model("bert", SENTENCE), chosen, None).eval()  # type: ignore[arg-type]


def parts(model: Any, letter: str) -> dict[str, torch.Tensor]:
    """P (``B``), λ (``E``) or Q (``A``) of every adapted layer, by the layer's name."""
    ending = f".lora_{letter}.default"
    return {name.removesuffix(ending): p for name, p in model.named_parameters() if name.endswith(ending)}


def step(model: Any, optimiser: torch.optim.Optimizer) -> None:
    loss = torch.nn.functional.cross_entropy(model(**BATCH).logits, LABELS) + METHOD.penalty(model)
    loss.backward()
    optimiser.step()


def optimiser_of(model: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)


def test_penalty_is_the_mean_distance_from_orthogonal() -> None:
    model = prepared()
    gaps = []
    for layer, q in parts(model, "A").items():
        p = parts(model, "B")[layer].detach().numpy()
        rows = q.detach().numpy()
        gaps.append(np.sqrt(((p.T @ p - np.eye(3)) ** 2).sum()))
        gaps.append(np.sqrt(((rows @ rows.T - np.eye(3)) ** 2).sum()))
    assert len(gaps) == 2 * LAYERS
    assert orthogonality(model).item() == pytest.approx(np.mean(gaps), rel=1e-5)
    chosen = AdaloraSettings(rank=2, orthogonality=0.4)
    heavier = METHOD.prepare(family_model("bert", SENTENCE), chosen, None)  # type: ignore[arg-type]
    assert METHOD.penalty(heavier).item() == pytest.approx(0.4 * orthogonality(heavier).item())


def test_penalty_is_what_peft_adds_where_it_is_given_labels() -> None:
    model = prepared(orthogonality=0.3)
    with torch.no_grad():
        plain = torch.nn.functional.cross_entropy(model(**BATCH).logits, LABELS)
        with_labels = model.base_model(**BATCH, labels=LABELS).loss
    assert (with_labels - plain).item() == pytest.approx(METHOD.penalty(model).item(), rel=1e-5)


def test_penalty_pulls_to_orthogonal_and_is_nought_there() -> None:
    model = prepared()
    before = orthogonality(model).item()
    optimiser = optimiser_of(model)
    for _ in range(150):
        optimiser.zero_grad()
        orthogonality(model).backward()
        optimiser.step()
    assert orthogonality(model).item() < before / 5
    with torch.no_grad():
        for p in (*parts(model, "A").values(), *(p.T for p in parts(model, "B").values())):
            p.copy_(torch.linalg.qr(torch.randn(p.shape[1], 3)).Q.T)
    assert orthogonality(model).item() < 1e-5


def test_update_is_p_lambda_q_over_the_first_rank() -> None:
    model = prepared(alpha=6.0)
    layer: Any = model.base_model.model.bert.encoder.layer[0].attention.self.query
    with torch.no_grad():
        layer.lora_E["default"].copy_(torch.tensor([[1.0], [0.0], [-2.0]]))
    p, q = layer.lora_B["default"].detach(), layer.lora_A["default"].detach()
    wanted = (p[:, :1] @ q[:1] - 2 * p[:, 2:] @ q[2:]) * 6.0 / 3
    torch.testing.assert_close(layer.get_delta_weight("default").detach(), wanted, rtol=1e-4, atol=1e-8)


def budget(t: int, steps: int, start: float, end: float, first: int, last: int) -> int:
    """Triplets that are left after step t, by the paper's schedule."""
    t_i, t_f = round(start * steps), round(end * steps)
    if t <= t_i:
        return first
    if t > steps - t_f:
        return last
    return int(last + (first - last) * (1 - (t - t_i) / (steps - t_i - t_f)) ** 3)


def test_budget_falls_as_the_paper_says_and_importance_chooses() -> None:
    """Sensitivity, its uncertainty and the triplets' scores again in numpy, in float64."""
    steps, start, end = 12, 0.25, 0.25
    model = prepared(budget_start=start, budget_end=end, budget_every=1)
    optimiser = optimiser_of(model)
    means: dict[str, Any] = {}
    dropped: dict[str, Any] = {}
    for number in range(steps):
        step(model, optimiser)
        weights = {n: p.detach().double().numpy().copy() for n, p in model.named_parameters() if ".lora_" in n}
        for name, parameter in model.named_parameters():
            if ".lora_" not in name or number + 1 > steps - round(end * steps):
                continue
            seen = np.abs(weights[name] * parameter.grad.double().numpy())
            sensitivity, doubt = means.get(name, (0.0, 0.0))
            sensitivity = 0.85 * sensitivity + 0.15 * seen
            means[name] = (sensitivity, 0.85 * doubt + 0.15 * np.abs(seen - sensitivity))
        METHOD.after_step(model, number, steps)
        optimiser.zero_grad()
        left = budget(number + 1, steps, start, end, 3 * LAYERS, 2 * LAYERS)
        scores = {}
        for layer in parts(model, "E"):
            importance = {letter: np.prod(means[f"{layer}.lora_{letter}.default"], axis=0) for letter in "AEB"}
            scores[layer] = importance["E"][:, 0] + importance["A"].mean(axis=1) + importance["B"].mean(axis=0)
        order = np.sort(np.concatenate(list(scores.values())))
        if left < 3 * LAYERS and number + 1 <= steps - round(end * steps):
            dropped = {layer: each <= order[3 * LAYERS - left - 1] for layer, each in scores.items()}
        for layer, values in parts(model, "E").items():
            zero = (values == 0).flatten().numpy()
            np.testing.assert_array_equal(zero, dropped.get(layer, np.zeros(3, dtype=bool)), err_msg=str(number))
        assert sum(int((values != 0).sum()) for values in parts(model, "E").values()) == left


@settings(deadline=None, max_examples=25)
@given(
    steps=st.integers(1, 40),
    start=st.sampled_from([0.0, 0.1, 0.3, 0.49]),
    end=st.sampled_from([0.0, 0.2, 0.5]),
    every=st.integers(1, 7),
)
def test_whatever_the_schedule_the_budget_is_kept_in_the_end(steps: int, start: float, end: float, every: int) -> None:
    model = prepared(budget_start=start, budget_end=end, budget_every=every, targets=["query"])
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)
    with torch.no_grad():
        for values in parts(model, "E").values():
            values.normal_()
    for number in range(steps):
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.randn_like(parameter)
        optimiser.step()
        METHOD.after_step(model, number, steps)
    assert sum(int((values != 0).sum()) for values in parts(model, "E").values()) <= 2 * 2


def test_a_run_that_goes_on_is_the_run_that_never_stopped() -> None:
    steps = 10
    straight, resumed = prepared(budget_every=2), prepared(budget_every=2)
    optimiser = optimiser_of(straight)
    kept: dict[str, Any] = {}
    for number in range(steps):
        step(straight, optimiser)
        METHOD.after_step(straight, number, steps)
        optimiser.zero_grad()
        if number in (3, 7):
            kept[str(number)] = (
                {n: p.detach().clone() for n, p in straight.named_parameters()},
                {n: v.clone() for n, v in budget_state(straight).items()},
                [{k: torch.clone(v) for k, v in each.items()} for each in optimiser.state.values()],
            )
    for at, (weights, state, moments) in kept.items():
        resumed = prepared(budget_every=2)
        with torch.no_grad():
            for name, parameter in resumed.named_parameters():
                parameter.copy_(weights[name])
        again = optimiser_of(resumed)
        for parameter, each in zip(again.param_groups[0]["params"], moments, strict=True):
            again.state[parameter] = {k: torch.clone(v) for k, v in each.items()}
        load_budget_state(resumed, state)
        for number in range(int(at) + 1, steps):
            step(resumed, again)
            METHOD.after_step(resumed, number, steps)
            again.zero_grad()
        for (name, one), other in zip(straight.named_parameters(), resumed.parameters(), strict=True):
            assert torch.equal(one, other), (at, name)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rank": 0}, "greater than or equal to 1"),
        ({"rank": 8, "start_rank": 8}, "start_rank must be above rank, 8. Got 8 instead."),
        ({"budget_start": 0.5, "budget_end": 0.5}, "must leave some of the steps"),
        ({"orthogonality": -1.0}, "greater than or equal to 0"),
    ],
)
def test_bad_settings_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AdaloraSettings(**fields)


@pytest.mark.parametrize(("rank", "first"), [(1, 2), (2, 3), (8, 12), (5, 8)])
def test_it_begins_with_half_as_much_again(rank: int, first: int) -> None:
    assert AdaloraSettings(rank=rank).initial_rank == first


def test_a_moving_average_is_refused() -> None:
    asked = Situation("pair", "single_label", 2, (), "adalora", "weights", (), "bert", settings={"ema": 0.99})
    with pytest.raises(UsageError, match="would bring them back"):
        Adalora().check(asked)

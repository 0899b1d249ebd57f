"""Trials of a search that have ended, as Optuna takes them, and the questions that it is asked.

Nothing of Optuna's is kept between rounds: what it knows is what lies on the disk, and every round has a sampler with a
seed of its own. So a search that was cut off goes on as if it had not been, and two equal searches are equal.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provetune.study.search.space import storable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import optuna
    from optuna.distributions import BaseDistribution

NAME = "search"
STARTUP_TRIALS = 8
"""Trials drawn at random before earlier ones are learned from."""
REDUCTION = 3
"""Of so many trials that reach a rung, one goes on (Li et al. 2020, arXiv:1810.05934)."""


@dataclass(frozen=True)
class Ended:
    """One trial that has ended.

    Attributes:
        number: from 0, in the order in which they were drawn.
        settings: what was tried.
        scores: the primary metric at each look at validation rows, its sign turned so that more is better.
        value: the best of them; None where it failed.
        pruned: given up early.
        rungs: what Optuna's pruner noted.
        seconds: of training.
        error: why it failed.
    """

    number: int
    settings: Mapping[str, Any]
    scores: Sequence[float] = ()
    value: float | None = None
    pruned: bool = False
    rungs: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None


def study_of(
    ended: Sequence[Ended], space: Mapping[str, BaseDistribution], *, seed: int = 0, pruning: str = "none"
) -> optuna.Study:
    """An Optuna study that knows these trials and no others."""
    import optuna

    with quiet():
        sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=STARTUP_TRIALS, multivariate=True)
        study = optuna.create_study(direction="maximize", sampler=sampler, pruner=_pruner(pruning), study_name=NAME)
        for one in ended:
            study.add_trial(_frozen(one, space))
    return study


def ask(ended: Sequence[Ended], space: Mapping[str, BaseDistribution], count: int, seed: int) -> list[dict[str, Any]]:
    """Settings of the next trials, drawn together: the second knows that the first is under way."""
    with quiet():
        study = study_of(ended, space, seed=seed)
        return [dict(study.ask(dict(space)).params) for _ in range(count)]


def importances(ended: Sequence[Ended], space: Mapping[str, BaseDistribution]) -> dict[str, float]:
    """Share of each field in what made trials differ (Watanabe et al. 2023, PED-ANOVA, arXiv:2304.10255).

    Empty where too few trials ended, or all alike.
    """
    import optuna

    values = {one.value for one in ended if one.value is not None and not one.pruned}
    if len(values) < 3 or not space:
        return {}
    with quiet():
        study = study_of([one for one in ended if not one.pruned], space)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(space))
    return {name: float(value) for name, value in found.items()}


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna says nothing of its own, and warns of nothing that is meant."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _pruner(pruning: str) -> Any:
    import optuna

    if pruning == "asha":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)
    if pruning == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=REDUCTION**2, reduction_factor=REDUCTION)
    return optuna.pruners.NopPruner()


def _frozen(one: Ended, space: Mapping[str, BaseDistribution]) -> optuna.trial.FrozenTrial:
    import optuna

    states = optuna.trial.TrialState
    state = states.FAIL if one.value is None else states.PRUNED if one.pruned else states.COMPLETE
    return optuna.trial.create_trial(
        state=state,
        params={name: storable(value) for name, value in one.settings.items()},
        distributions=dict(space),
        value=one.value if state is states.COMPLETE else None,
        intermediate_values={step + 1: score for step, score in enumerate(one.scores)},
        system_attrs=dict(one.rungs),
    )

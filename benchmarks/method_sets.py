"""The sets that methods are measured on, and which methods on which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from task_sets import SETS, TaskSet

METHOD_SETS: dict[str, TaskSet] = {
    "sst2": TaskSet(
        "classification",
        "en",
        {
            "train": "train.jsonl",
            "validation": "dev.jsonl",
            "test": "test.jsonl",
            "columns": {"text": "text", "label": "label"},
        },
        "accuracy",
        {"words": "tfidf"},
        rows=10_000,
        note="10,000 of the training rows",
    ),
    "waimai_zh": TaskSet(
        "classification",
        "zh",
        {"train": "waimai_10k.csv", "columns": {"text": "review", "label": "label"}},
        "accuracy",
        {"words": "tfidf"},
    ),
}
"""Besides those of the tasks' table, `task_sets.SETS`."""

EVERY = "clinc150"
"""The set on which every method is measured."""

BEST = ("sst2", "waimai_zh", "wnut17")
"""Sets on which the best methods alone are measured."""

BESIDE, BEST_COUNT = "full", 4
_ELSEWHERE = ("setfit", "verbaliser", "untrained", "ensemble", "soup")


def all_methods() -> list[str]:
    """The methods that are measured on `EVERY`: every one that its task and its backbone's family take.

    Few-shot methods have a table of their own (`few_shot.py`), and what draws pairs of thousands of rows no place here.
    What is made of other candidates (ensembles, soups) adapts nothing itself.
    """
    from provetune.models.methods import METHODS

    return [name for name in METHODS.names() if name not in _ELSEWHERE and _suits(name, EVERY)]


def best_methods(name: str, cells: Mapping[str, Any]) -> list[str]:
    """The methods that are measured on a set of `BEST`: those with the best means on `EVERY` that its task takes.

    `BESIDE` is measured there whatever its place.

    Args:
        cells: what was measured, by ``set/method/seed``.
    """
    scores: dict[str, list[float]] = {}
    for cell, value in cells.items():
        on, method, _ = cell.split("/")
        if on == EVERY and "score" in value:
            scores.setdefault(method, []).append(value["score"])
    ranked = sorted(scores, key=lambda method: -sum(scores[method]) / len(scores[method]))
    chosen = [method for method in ranked if _suits(method, name)][:BEST_COUNT]
    return chosen if BESIDE in chosen else [*chosen, BESIDE]


def _suits(method: str, name: str) -> bool:
    from provetune.models.methods import METHODS
    from provetune.study.problem_checks import suits
    from provetune.tasks import TASKS

    return bool(suits(METHODS.get(method), TASKS.get(SETS[name].task)))

"""The sets that methods are measured on, and which methods on which."""

from __future__ import annotations

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

BEST = ("sst2", "waimai_zh", "wnut17")
"""Sets on which the best methods alone are measured."""

BEST_METHODS = ("full", "lora", "adapter", "top_layers")


def methods_of(name: str) -> list[str]:
    """The methods that are measured on a set: on clinc150 every one that its task and its backbone's family take.

    Few-shot methods have a table of their own (`few_shot.py`), and what draws pairs of thousands of rows no place here.
    """
    if name in BEST:
        return list(BEST_METHODS)
    from provetune.models.methods import METHODS
    from provetune.study.problem_checks import suits
    from provetune.tasks import TASKS

    task = TASKS.get(SETS[name].task)
    return [each for each in METHODS.names() if suits(METHODS.get(each), task) and each not in _ELSEWHERE]


_ELSEWHERE = ("setfit", "verbaliser", "untrained")

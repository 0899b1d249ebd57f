"""A small study with one quick encoder, run once for all tests of compression."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def run_small_study(write_problem: Callable[..., Path], folder: Path, **sections: Any) -> Path:
    """Run it and return its best bundle."""
    import provetune as pt

    problem = write_problem(
        folder,
        **{
            "candidates": {
                "full": {
                    "method": "full",
                    "epochs": 8,
                    "batch_rows": 8,
                    "precision": "fp32",
                    "learning_rate": 5e-3,
                    "patience": 25,
                }
            },
            "data": {
                "train": "messages.csv",
                "columns": {"text": "message", "label": "intent"},
                "split": {"test": 0.2, "validation": 0.3},
            },
            "study": {"seeds": 1, "parallel": 1, "keep": "all"},
            **sections,
        },
    )
    return Path(pt.run(problem).candidates["full"]["bundles"][0])

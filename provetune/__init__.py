"""Provetune: nothing is called solved until it was tested.

    import provetune as pt
    study = pt.run("problem.yaml")
    model = pt.load(study.best)
    model.predict(["where is my parcel?"])

Names are loaded when they are first used, so importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from provetune.version import __version__

if TYPE_CHECKING:
    from provetune.compression.compress import Compressed, compress
    from provetune.inference.predictor import Predictor, load
    from provetune.problem.reading import read_problem
    from provetune.study.run import Study, run
    from provetune.training.pretraining.run import Pretrained, pretrain

_HOMES = {
    "run": "provetune.study.run",
    "Study": "provetune.study.run",
    "load": "provetune.inference.predictor",
    "Predictor": "provetune.inference.predictor",
    "read_problem": "provetune.problem.reading",
    "compress": "provetune.compression.compress",
    "Compressed": "provetune.compression.compress",
    "pretrain": "provetune.training.pretraining.run",
    "Pretrained": "provetune.training.pretraining.run",
}

__all__ = [
    "Compressed",
    "Predictor",
    "Pretrained",
    "Study",
    "__version__",
    "compress",
    "load",
    "pretrain",
    "read_problem",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'provetune' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""A frozen backbone and a linear model on its mean-pooled features, which are computed once and cached.

Logistic regression for labels, ridge regression for numbers. Seconds a run, and often within a point or two of full
fine-tuning.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from provetune.core.protocols import LearnsFrom
from provetune.models.linear_head import HeadStrength, LinearHead


class Head(LinearHead):
    """`head`: fits cached features in one go.

    The fit is convex and draws no number: runs with different seeds are equal up to rounding, so the spread over
    seeds is nought, and what is left is the luck of the rows.
    """

    name = "head"
    summary = "A logistic or ridge regression on the features of a frozen backbone: seconds a run."
    learns_from: LearnsFrom = "features"
    tasks: tuple[str, ...] | None = None
    settings: type[BaseModel] = HeadStrength
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True
    ranges: Mapping[str, Any] = MappingProxyType({"C": {"low": 0.1, "high": 1000.0, "log": True}})


METHOD = Head()

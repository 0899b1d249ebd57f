"""Several models of one backbone made one: the mean of their weights, which costs no more to ask than one of them.

Wortsman et al. 2022, arXiv:2203.05482. The uniform soup is the mean of all; the greedy one (their recipe 1) takes them
in order of their validation score and keeps each that does not make the soup's score worse. The means are of weights
before calibration; the soup gets a temperature of its own. A departure: theirs differ in their hyperparameters; here
they may, as members of other settings, or differ in their seeds alone.

Which runs are combined, and why so: `provetune.study.members`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.combining import Averaged
from provetune.core.protocols import LearnsFrom


class SoupSettings(BaseModel):
    """The fields that `soup` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    members: tuple[str, ...] = Field((), description="Names of the candidates whose weights are averaged.")
    runs: int = Field(
        1,
        ge=1,
        description="Models of each member in one run of the soup: run k of the member, and more that are trained for "
        "this run alone.",
    )
    greedy: bool = Field(
        False, description="Take models in order of their validation score, and only those that make it no worse."
    )


class Soup:
    """`soup`: the mean of several models' weights."""

    name = "soup"
    summary = "Average the weights of several models that began from the same backbone into one plain model."
    learns_from: LearnsFrom = "members"
    averages: Averaged = "weights"
    tasks: tuple[str, ...] | None = None
    bundle_kind = "transformers"
    settings: type[BaseModel] = SoupSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = False


METHOD = Soup()

"""Several models that answer together: the mean of their probabilities, or of their numbers.

Lakshminarayanan, Pritzel and Blundell 2017, arXiv:1612.01474: networks that differ in their seeds alone are averaged as
they are; the mean's one temperature is fitted to validation rows afterwards. A departure: each member was calibrated
before, as it would be alone (Rahaman and Thiery 2021, arXiv:2007.08792, on why the mean needs its own all the same).

Which runs are combined, and why so: `provetune.study.members`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.combining import Averaged
from provetune.core.protocols import LearnsFrom


class EnsembleSettings(BaseModel):
    """The fields that `ensemble` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    members: tuple[str, ...] = Field((), description="Names of the candidates whose models answer together.")
    runs: int = Field(
        1,
        ge=1,
        description="Models of each member in one run of the ensemble: run k of the member, and more that are trained "
        "for this run alone.",
    )


class Ensemble:
    """`ensemble`: the mean of what several models say."""

    name = "ensemble"
    summary = "Let several candidates, or several runs of one, answer together: the mean of their probabilities."
    learns_from: LearnsFrom = "members"
    averages: Averaged = "answers"
    tasks: tuple[str, ...] | None = None
    bundle_kind = "ensemble"
    settings: type[BaseModel] = EnsembleSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = False


METHOD = Ensemble()

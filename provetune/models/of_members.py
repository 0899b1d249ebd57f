"""What methods share that make one model of several candidates' models."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.protocols import LearnsFrom


class MemberSettings(BaseModel):
    """Whose models are combined, and how many of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    members: tuple[str, ...] = Field((), description="Names of the candidates whose models are combined.")
    runs: int = Field(
        1,
        ge=1,
        description="Models of each member in one run: run k of the member, and more that are trained for this run "
        "alone.",
    )


class OfMembers:
    """A method that learns nothing itself."""

    learns_from: LearnsFrom = "members"
    tasks: tuple[str, ...] | None = None
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = False

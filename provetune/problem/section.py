"""What every part of the problem file shares."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

AUTO: Final = "auto"
Auto = Literal["auto"]
Names = Annotated[list[str], Field(min_length=1)]


class Section(BaseModel):
    """A part of the file. Unknown keys are refused; values are never changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

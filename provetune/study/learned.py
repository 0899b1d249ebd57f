"""What a trial has when its learning is over, whichever way it learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Learned:
    """A model that is ready to be kept.

    Attributes:
        outcomes: what it says about the validation rows, see `provetune.evaluation.outcomes`.
        write: writes the bundle into a folder.
        seconds: wall-clock time of learning, over all sittings.
        temperature: what its logits were divided by; 1.0 where nothing was fitted.
        details: what is worth showing: steps, best step, truncation.
    """

    outcomes: pa.Table
    write: Callable[[Path], None]
    seconds: float
    temperature: float = 1.0
    details: Mapping[str, Any] = field(default_factory=dict)

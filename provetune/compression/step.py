"""The seam between `compress` and its steps: what a step is given, and what it hands back.

A step makes a model and nothing else. Measuring, judging and writing are the same for all and lie outside, so that no
step can forget to prove what it made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pyarrow as pa
    import torch
    from pydantic import BaseModel

    from provetune.core.protocols import Targets, Task
    from provetune.models.bundle import Bundle

Say = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Given:
    """What a step works with. Test rows are not among it, nor the rows that judge what it makes.

    Attributes:
        bundle: the parent, verified.
        task, targets: what it answers.
        train: training rows as the parent learned them, labels among them; scales of static quantisation are taken of
            these.
        tuning: the half of the validation rows that a step may look at, e.g. to stop.
        seed: of everything that is drawn.
        folder: scratch of this step alone, kept until the step is done: what was begun there is gone on with.
        threads: of one operation.
        say: takes progress.
    """

    bundle: Bundle
    task: Task
    targets: Targets
    train: pa.Table
    tuning: pa.Table
    seed: int
    folder: Path
    threads: int = 1
    say: Say = lambda what, done, of: None


@dataclass(frozen=True)
class Made:
    """A derivative that nobody has judged yet.

    Attributes:
        kind: ``bundle_kind`` of it.
        model, tokenizer: of a kind that is a Hugging Face folder, else None.
        furnish: writes what else belongs into the bundle's folder, e.g. ``model.onnx``.
        record: fields of ``provetune.json`` that are other than the parent's, e.g. ``encode``.
        targets: where tuning changed them (thresholds), else None.
        notes: what was done, as JSON: heads kept in each layer, share of weights that are zero, tokens kept.
    """

    kind: str
    model: torch.nn.Module | None = None
    tokenizer: Any = None
    furnish: Callable[[Path], None] | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    targets: Targets | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


class Step(Protocol):
    """A way to make a bundle smaller or faster.

    Attributes:
        takes: the bundle kinds that it can work on.
        makes: the bundle kind of what it makes; None where that is the parent's.
        settings: what can be said about it, each field documented; ``provetune compress --set STEP.FIELD=VALUE``.
        learns: whether it trains, so that it wants the training rows' labels.
    """

    name: str
    summary: str
    takes: tuple[str, ...]
    makes: str | None
    settings: type[BaseModel]
    learns: bool

    def apply(self, given: Given, settings: Any) -> Made:
        """Make the derivative.

        Args:
            settings: an instance of its `settings`.

        Raises:
            UsageError: the parent cannot be treated so, in one line that names what would work.
        """


@runtime_checkable
class Refuses(Protocol):
    """A step that can say before any work that it is of no use for a bundle."""

    def refuse(self, bundle: Bundle, task: Task, settings: Any) -> str | None:
        """Why not, in one line with what would work; None where nothing is in the way."""

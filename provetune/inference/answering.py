"""The seam between the predictor and the backends: what a kind of bundle must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import FeatureColumns, Outputs, Task

Progress: TypeAlias = Callable[[int], None]


class Answerer(Protocol):
    """A loaded model.

    Attributes:
        precision: number format it computes in, ``"fp32"`` or ``"bf16"``.
        engine: what computes, in words; named beside every latency.
    """

    precision: str
    engine: str

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        """Outputs of F features as `Task.answers` takes them, and the features; None for one output a row.

        Args:
            examples: columns ``text`` and, for pairs, ``text_pair``.
        """


@runtime_checkable
class StreamingAnswerer(Protocol):
    """A loaded model that can tell its answer while it writes it, where its task can (`Streams`)."""

    def stream(self, examples: pa.Table) -> Iterator[str]:
        """Pieces of the answer to the one example."""


class Backend(Protocol):
    """A kind of bundle: how it is loaded."""

    name: str
    summary: str

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        """Load the bundle's model.

        Args:
            bundle: what `provetune.models.bundle.open_bundle` gives.
            precision: ``"fp32"``, ``"bf16"`` or ``"auto"``, which takes bf16 where the machine multiplies it
                natively.
        """

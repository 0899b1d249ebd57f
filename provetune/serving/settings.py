"""How a server is set up: limits of batches, queues and time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from provetune.core.errors import UsageError

BackendChoice: TypeAlias = Literal["auto", "torch", "onnx"]
BACKEND_CHOICES = get_args(BackendChoice)
_MOST = 1e9


@dataclass(frozen=True)
class Settings:
    """Limits of one server.

    Attributes:
        max_batch_tokens: tokens that are computed together; one item with more is refused.
        max_batch_rows: items that are computed together.
        max_wait_ms: longest an item waits for others to be computed with; it waits only while others are coming.
        batch_s: longest that a batch should take; where the machine is slow, batches get fewer tokens.
        queue: items that wait for one bundle; what comes beyond is told to come again.
        deadline_s: seconds after which a request is given up.
        stall_s: seconds without a sign of life after which a worker counts as stuck and the server as not ready.
        hang_s: seconds after which a stuck worker is replaced.
        start_s: longest that a worker may take to load a bundle.
        drain_s: longest that a shutdown waits for answers.
        grace_s: how long a shutdown still takes requests, so that who keeps a connection hears of it.
        threads: of one operation in a worker; None leaves it to the library.
        workers: processes a bundle.
        backend: what computes, as far as bundles allow; ``"auto"`` takes what is quicker here.
        precision: number format of torch, see `provetune.inference.predictor.load`.
        device: of torch.
        graphs: folder where graphs made of encoders are kept; None makes none.
    """

    max_batch_tokens: int = 4096
    max_batch_rows: int = 64
    max_wait_ms: float = 2.0
    batch_s: float = 1.0
    queue: int = 1024
    deadline_s: float = 30.0
    stall_s: float = 6.0
    hang_s: float = 60.0
    start_s: float = 300.0
    drain_s: float = 25.0
    grace_s: float = 0.5
    threads: int | None = None
    workers: int = 1
    backend: BackendChoice = "auto"
    precision: str = "fp32"
    device: str = "cpu"
    graphs: Path | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in ("max_wait_ms", "grace_s") else 1 if isinstance(value, int) else 1e-3
            if isinstance(value, int | float) and not least <= value <= _MOST:
                flag = field.name.replace("_", "-")
                raise UsageError(f"{flag} must be a number from {least:g} to {_MOST:g}. Got {value} instead.")
        if self.backend not in BACKEND_CHOICES:
            raise UsageError(f"backend must be {', '.join(BACKEND_CHOICES)}. Got '{self.backend}' instead.")

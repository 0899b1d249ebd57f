"""Which number format the arithmetic uses, and why.

bf16 halves the memory traffic everywhere but is only faster where the machine multiplies it natively: on a
CPU that is AMX or AVX-512 BF16 (without either it is slower than fp32), on CUDA compute capability 8 and up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from provetune.core.errors import UsageError
from provetune.core.processor import instruction_sets

_NATIVE_BF16 = ("amx_bf16", "avx512_bf16")


@dataclass(frozen=True)
class Precision:
    """A number format (``"fp32"`` or ``"bf16"``) and the sentence that says why it was taken."""

    name: Literal["fp32", "bf16"]
    reason: str


def choose_precision(wanted: str, device: str = "cpu") -> Precision:
    """The format to compute in.

    Args:
        wanted: ``"auto"``, ``"fp32"`` or ``"bf16"``.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        UsageError: `wanted` is none of the three.
    """
    if wanted == "fp32":
        return Precision("fp32", "asked for")
    if wanted == "bf16":
        return Precision("bf16", "asked for")
    if wanted != "auto":
        raise UsageError(f"precision must be auto, fp32 or bf16. Got '{wanted}' instead.")
    if device.startswith("cuda"):
        return _on_cuda()
    if device != "cpu":
        return Precision("fp32", f"bf16 was not measured to be faster on {device}")
    native = [name for name in _NATIVE_BF16 if name in instruction_sets()]
    if native:
        return Precision("bf16", f"the processor multiplies bf16 natively ({native[0]})")
    return Precision("fp32", "the processor has neither amx_bf16 nor avx512_bf16, so bf16 would be slower")


def _on_cuda() -> Precision:
    import torch

    major, minor = torch.cuda.get_device_capability()
    if major >= 8:
        return Precision("bf16", f"the GPU multiplies bf16 natively (compute capability {major}.{minor})")
    return Precision("fp32", f"the GPU has no native bf16 (compute capability {major}.{minor})")

"""Where arithmetic is done: which names there are, and whether this machine has what a name means."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from provetune.core.errors import EnvironmentFault, UsageError

_NAME = re.compile(r"cpu|mps|cuda(:\d+)?")
# Through these files a Linux program reaches NVIDIA's driver, that of WSL and AMD's.
_GPU_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")


def check_device(wanted: str, *, auto: bool = True) -> None:
    """Refuse what is no device's name; torch is not loaded for it.

    Args:
        auto: whether ``auto`` is a name too.

    Raises:
        UsageError: there is no such kind of device.
    """
    if not _NAME.fullmatch(wanted) and not (auto and wanted == "auto"):
        names = "auto, cpu, cuda, cuda:N or mps" if auto else "cpu, cuda, cuda:N or mps"
        raise UsageError(f"device must be {names}. Got '{wanted}' instead.")


def settle_device(wanted: str) -> str:
    """The device that ``auto`` means here, or `wanted` once it is known to exist.

    Raises:
        UsageError: no such kind of device.
        EnvironmentFault: this machine has none of that kind.
    """
    check_device(wanted)
    if wanted == "cpu" or (wanted == "auto" and _surely_without_gpu()):
        return "cpu"
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return "cuda" if gpus else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = wanted.partition(":")
    if (kind == "cuda" and int(number or 0) >= gpus) or (kind == "mps" and not torch.backends.mps.is_available()):
        raise EnvironmentFault(
            f"This machine has no device '{wanted}'.", hint="Take the CPU, or see `provetune doctor`."
        )
    return wanted


def _surely_without_gpu() -> bool:
    """Whether there is no GPU that torch could reach; told without loading torch, which takes a second."""
    return sys.platform == "linux" and not any(Path(name).exists() for name in _GPU_FILES)

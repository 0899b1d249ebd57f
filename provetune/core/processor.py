"""What the processor can do, read from the operating system. No torch."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

_X86_OF_INTEREST = ("amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni", "avx512f", "avx_vnni", "avx2", "fma")


@cache
def instruction_sets() -> tuple[str, ...]:
    """The extensions that decide arithmetic speed here, most capable first; empty where they cannot be read."""
    flags = _flags()
    return tuple(name for name in _X86_OF_INTEREST if name in flags)


@cache
def processor_name() -> str:
    """The processor's name as the system gives it."""
    if (info := Path("/proc/cpuinfo")).exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.split(":", 1)[1].strip()
    if platform.system() == "Darwin":
        return _sysctl("machdep.cpu.brand_string") or platform.processor()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may run on: affinity and container limits counted."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _quota() or cores))


@cache
def _flags() -> frozenset[str]:
    if (info := Path("/proc/cpuinfo")).exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.lower().startswith(("flags", "features")):
                return frozenset(line.split(":", 1)[1].split())
    if platform.system() == "Darwin":
        return frozenset(_sysctl("machdep.cpu.leaf7_features").lower().split())
    return frozenset()


def _quota() -> int | None:
    """Whole cores of a control group's limit (Linux containers), or None where there is none."""
    limit = Path("/sys/fs/cgroup/cpu.max")
    if not limit.exists():
        return None
    share, _, period = limit.read_text().partition(" ")
    return None if share == "max" else max(1, int(share) // int(period))


def _sysctl(name: str) -> str:
    found = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    return found.stdout.strip()

"""What decides a result's bits besides the problem: processor, precision, threads, our code, the packages."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from provetune.core.processor import instruction_sets, processor_name, usable_cores

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "accelerate",
    "peft",
    "numpy",
    "scipy",
    "scikit-learn",
)
_DECIDING = {
    "threads_per_trial": "threads a trial",
    "precision": "precision",
    "device": "device",
    "instruction_sets": "instruction set",
    "architecture": "architecture",
}


def describe_machine(
    *, device: str = "cpu", precision: Mapping[str, str] | None = None, threads_per_trial: int | None = None
) -> dict[str, Any]:
    """The machine as the ledger keeps it, JSON-ready.

    Args:
        device: where trials compute.
        precision: number format of each candidate that computes in one.
        threads_per_trial: None while that is not settled.
    """
    return {
        "threads_per_trial": threads_per_trial,
        "precision": dict(precision or {}),
        "device": device,
        "instruction_sets": list(instruction_sets()),
        "architecture": platform.machine(),
        "processor": processor_name(),
        "cores": usable_cores(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two machines that may change bits, a line each; none means equal results.

    Threads that are not settled yet (None) differ from nothing.
    """
    lines = []
    for key, words in _DECIDING.items():
        before, after = recorded.get(key), now.get(key)
        if before != after and None not in (before, after):
            lines.append(f"{words}: {_show(before)} before, {_show(after)} now")
    return lines


@cache
def code_hash() -> str:
    """Hex SHA-256 of the package's own source files, by their paths inside it."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path.relative_to(root).as_posix()}\x00{len(content)}\x00".encode())
        digest.update(content)
    return digest.hexdigest()


def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _show(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {each}" for key, each in sorted(value.items())) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)

"""What the machine at hand is, has and can reach; every probe is bounded in time and none raises."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from provetune.core.processor import instruction_sets, processor_name, usable_cores

PACKAGES = (
    "torch", "transformers", "tokenizers", "safetensors", "accelerate", "peft", "datasets",
    "pyarrow", "numpy", "scipy", "scikit-learn", "pydantic", "SQLAlchemy",
)  # fmt: skip
EXTRAS = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow-skinny", "excel": "openpyxl"}
REACH_SECONDS = 6
_GIB = 1 << 30


def describe_machine() -> dict[str, Any]:
    """Processor, cores allowed to this process, memory, and the operating system."""
    import psutil

    memory = psutil.virtual_memory()
    return {
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "python": platform.python_version(),
        "processor": processor_name(),
        "cores": usable_cores(),
        "flags": list(instruction_sets()),
        "memory_gib": round(memory.total / _GIB, 1),
        "memory_free_gib": round(memory.available / _GIB, 1),
        "load": round(psutil.getloadavg()[0], 2),
    }


def list_versions() -> dict[str, str | None]:
    """Version of each package that matters; None for one that is missing."""
    return {name: _version(name) for name in PACKAGES}


def list_extras() -> dict[str, bool]:
    """Which optional parts are installed."""
    return {extra: _version(package) is not None for extra, package in EXTRAS.items()}


def describe_devices() -> list[dict[str, Any]]:
    """Accelerators that torch can use, after the CPU."""
    import torch

    devices: list[dict[str, Any]] = [{"name": "cpu", "threads": torch.get_num_threads()}]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        memory = round(properties.total_memory / _GIB, 1)
        devices.append({"name": f"cuda:{index}", "what": properties.name, "memory_gib": memory})
    if torch.backends.mps.is_available():
        devices.append({"name": "mps", "what": "Apple GPU"})
    return devices


def describe_disk(place: Path) -> dict[str, Any]:
    """Free space and whether files can be written at `place`, or at its nearest parent that exists."""
    there = place.absolute()
    while not there.exists():
        there = there.parent
    usage = shutil.disk_usage(there)
    return {"path": str(place), "free_gib": round(usage.free / _GIB, 1), "writable": os.access(there, os.W_OK)}


def reach_index() -> dict[str, Any]:
    """Whether pip, as configured here, can look up a package; asks for a catalogue package by its name."""
    from provetune.models.catalogue import entries

    package = entries()[0].packages[0].name
    line = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--retries", "0", "--timeout", "3"]
    try:
        done = subprocess.run(
            [*line, "index", "versions", package],
            capture_output=True,
            text=True,
            timeout=REACH_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return {"source": "package index", "reachable": False, "why": f"no answer within {REACH_SECONDS} s"}
    except OSError as error:
        return {"source": "package index", "reachable": False, "why": str(error)}
    if done.returncode == 0:
        return {"source": "package index", "reachable": True, "why": None}
    last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    return {"source": "package index", "reachable": False, "why": last}


def reach_hub() -> dict[str, Any]:
    """Whether the model hub named by ``HF_ENDPOINT``, or the public one, answers at all."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return {"source": "model hub", "reachable": False, "why": "HF_HUB_OFFLINE is set"}
    address = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if not address.startswith(("http://", "https://")):
        return {"source": "model hub", "reachable": False, "why": f"HF_ENDPOINT is not an address: {address}"}
    try:
        with urlopen(Request(address, method="HEAD"), timeout=3):
            return {"source": "model hub", "reachable": True, "why": None}
    except HTTPError as error:
        return {"source": "model hub", "reachable": error.code < 500, "why": f"HTTP {error.code}"}
    except (URLError, OSError, ValueError) as error:
        return {"source": "model hub", "reachable": False, "why": str(getattr(error, "reason", error))}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

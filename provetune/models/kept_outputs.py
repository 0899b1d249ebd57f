"""What a model wrote, kept by what it was written from: weights, rows and settings.

Writing texts costs minutes where reading weights costs a second. The same weights are asked about the same rows more
than once in a study: where the last checkpoint is the best one, where a run that learns nothing is repeated.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from provetune.core.files import atomic_path

if TYPE_CHECKING:
    from provetune.core.protocols import Array, FeatureColumns

_PIECE = 1 << 24


def outputs_key(model: torch.nn.Module, store: FeatureColumns, settings: Any) -> str:
    """The hash of everything that outputs depend on.

    Args:
        settings: as JSON: the task's options, precision, size of batches.
    """
    digest = hashlib.sha256()
    config = [getattr(model, name, None) for name in ("config", "generation_config")]
    described = [part.to_dict() if part is not None and hasattr(part, "to_dict") else None for part in config]
    versions = [str(torch.__version__), np.__version__, _transformers_version()]
    digest.update(json.dumps([described, settings, versions], sort_keys=True, default=str).encode())
    digest.update(weights_digest(model))
    for number in range(len(store)):
        for name, value in sorted(store.take([number])[0].items()):
            if name not in ("labels", "length"):
                digest.update(f"{name}:".encode() + np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()[:32]


def weights_digest(model: torch.nn.Module) -> bytes:
    """SHA-256 of every number in the model: parameters, buffers, and tensors that stand in for them while it trains."""
    digest, seen = hashlib.sha256(), set()
    for path, module in model.named_modules():
        held = {**vars(module), **module._parameters, **module._buffers}
        for name, value in sorted(held.items()):
            if isinstance(value, torch.Tensor) and value.data_ptr() not in seen:
                seen.add(value.data_ptr())
                digest.update(f"{path}.{name}:{value.dtype}:{tuple(value.shape)}".encode())
                _add_numbers(digest, value)
    return digest.digest()


def read_outputs(folder: Path, key: str) -> list[Array] | None:
    """Outputs of F features that were kept under a key; None where there are none, or the file is damaged."""
    try:
        with _place(folder, key).open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            return [kept[str(number)] for number in range(len(kept.files))]
    except (FileNotFoundError, zipfile.BadZipFile, KeyError, ValueError, EOFError):
        return None


def keep_outputs(folder: Path, key: str, outputs: list[Array]) -> None:
    """Keep outputs under a key; they must hold no Python objects."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(_place(folder, key)) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **{str(number): output for number, output in enumerate(outputs)})  # type: ignore[arg-type]


def _place(folder: Path, key: str) -> Path:
    return folder / f"outputs-{key}.npz"


def _add_numbers(digest: Any, tensor: torch.Tensor) -> None:
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    for start in range(0, len(flat), _PIECE):
        digest.update(flat[start : start + _PIECE].cpu().numpy().data)


def _transformers_version() -> str:
    import transformers

    return str(transformers.__version__)

"""Weight files: from the old pickled form into safetensors, and which forms are refused."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

from provetune.core.errors import CorruptError

SAFETENSORS = "model.safetensors"
OLD_WEIGHTS = "pytorch_model.bin"
PICKLED_SUFFIXES = frozenset(
    {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".h5", ".hdf5", ".msgpack", ".dill"}
)


def convert_old_weights(folder: Path) -> Path | None:
    """Turn a folder's ``pytorch_model.bin`` into ``model.safetensors`` and remove the former.

    The old file is a pickle: it is read with ``weights_only=True``, which admits tensors and plain containers only.

    Returns:
        The new file, or None where there was nothing to convert.

    Raises:
        CorruptError: the file holds anything but tensors by name, or cannot be read.
    """
    source, target = Path(folder) / OLD_WEIGHTS, Path(folder) / SAFETENSORS
    if not source.exists():
        return None
    if not target.exists():
        _convert(source, target)
    source.unlink()
    return target


def refuse_pickles(folder: Path) -> None:
    """Refuse a folder in which any file is of a kind that can run code when it is read.

    Raises:
        CorruptError: names the first such file.
    """
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix.casefold() in PICKLED_SUFFIXES:
            raise CorruptError(
                "A file of this kind can run code when it is read, so it is refused.",
                where=str(path),
                hint="Weights must be safetensors.",
            )


def _convert(source: Path, target: Path) -> None:
    import torch
    from safetensors.torch import save_file

    try:
        state = torch.load(source, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise CorruptError(f"The weights cannot be read safely ({reason}).", where=str(source)) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise CorruptError("The weights must be tensors by name and nothing else.", where=str(source))
    # A copy of each: tied weights share memory, which safetensors refuses.
    tensors = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
    save_file(tensors, str(target), metadata={"format": "pt"})

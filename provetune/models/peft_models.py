"""Models wrapped by peft: made, folded, kept and had back, whichever of its methods wrapped them."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import CorruptError

if TYPE_CHECKING:
    import torch

ADAPTER_NAME = "default"
CONFIG = "adapter_config.json"


def wrap(model: torch.nn.Module, config: Any) -> torch.nn.Module:
    """The model as peft wraps it: what the configuration adds trains, with head and pooler, and nothing else.

    Args:
        config: a `peft.PeftConfig`; its ``modules_to_save`` are set here.
    """
    from peft import get_peft_model

    from provetune.models.loading import head_modules

    config.modules_to_save = head_modules(model) or None
    with _peft_asking_by_old_names():
        wrapped: torch.nn.Module = get_peft_model(model, config, adapter_name=ADAPTER_NAME)
    return wrapped


def fold(model: torch.nn.Module) -> torch.nn.Module:
    """A plain copy of a wrapped model with what was learned folded into its weights; `model` stays as it is."""
    from peft.utils import ModulesToSaveWrapper

    wrapped: Any = copy.deepcopy(model)
    inner: Any = wrapped.base_model.model
    # peft 0.21 looks for a weight in a head of several parts when it unwraps a model with (IA)³, and finds none.
    heads = [(name, part) for name, part in inner.named_modules() if isinstance(part, ModulesToSaveWrapper)]
    for name, part in heads:
        owner, _, leaf = name.rpartition(".")
        setattr(inner.get_submodule(owner), leaf, part.modules_to_save[ADAPTER_NAME])
    merged: torch.nn.Module = wrapped.merge_and_unload(safe_merge=True)
    return merged


def save(model: torch.nn.Module, folder: Path) -> None:
    """Write ``adapter_model.safetensors`` and ``adapter_config.json``, which `attach` and peft read."""
    wrapped: Any = model
    for config in wrapped.peft_config.values():
        # Where the backbone lay on this machine says nothing to anyone else. (peft would fill in None.)
        config.base_model_name_or_path = ""
    wrapped.save_pretrained(str(folder), safe_serialization=True)
    (Path(folder) / "README.md").unlink(missing_ok=True)


def attach(model: torch.nn.Module, folder: Path, kind: str) -> torch.nn.Module:
    """The plain model wrapped with the adapter that `save` wrote, in evaluation mode, not to be trained on.

    Args:
        kind: peft's name of the method, e.g. ``"LORA"``.

    Raises:
        CorruptError: there is none, it is another method's, or it does not fit the model.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    _check_kind(Path(folder), kind)
    try:
        with _peft_asking_by_old_names():
            wrapped: torch.nn.Module = PeftModel.from_pretrained(model, str(folder), adapter_name=ADAPTER_NAME)
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        first = str(error).strip().split("\n")[0].rstrip(".")
        raise CorruptError(f"The adapter does not fit this model ({first}).", where=str(folder)) from error
    return wrapped.eval()


def _check_kind(folder: Path, kind: str) -> None:
    place = folder / CONFIG
    try:
        found = json.loads(place.read_text(encoding="utf-8"))["peft_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptError(f"There is no adapter that could be read ({error}).", where=str(place)) from error
    if found != kind:
        raise CorruptError(f"This adapter is of peft's kind {found}, not {kind}.", where=str(place))


@contextmanager
def _peft_asking_by_old_names() -> Iterator[None]:
    """peft 0.21 still asks transformers for a property under a name that transformers 5 announces to drop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield

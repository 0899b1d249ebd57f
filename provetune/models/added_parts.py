"""What a method adds to a frozen model and cannot fold into its weights: how it is marked, kept and put back.

The parts lie inside the transformers model, each a submodule of the module that it works on, and do their work in
hooks. The model keeps its class, so that whatever asks it need not know of them. A hook whose part is gone does
nothing: that is how the plain model is had back.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import CorruptError
from provetune.core.files import atomic_path, read_json, write_json

if TYPE_CHECKING:
    import torch

SETTINGS = "adapter.json"
WEIGHTS = "adapter.safetensors"
FORMAT = 1
_MARK = "_provetune_added"


def freeze_but_head(model: torch.nn.Module) -> None:
    """Let head and pooler train, and nothing of the backbone; called before anything is added."""
    from provetune.models.loading import head_modules

    head = head_modules(model)
    model.requires_grad_(False)
    for name in head:
        model.get_submodule(name).requires_grad_(True)


def mark_added(model: torch.nn.Module, method: str, settings: Mapping[str, Any]) -> None:
    """Note what was added to a model, for `save_parts`."""
    setattr(model, _MARK, {"format": FORMAT, "method": method, "settings": dict(settings)})


def noted_settings(model: torch.nn.Module) -> dict[str, Any]:
    """The settings of what was added to a model.

    Raises:
        ValueError: nothing was.
    """
    noted = getattr(model, _MARK, None)
    if noted is None:
        raise ValueError("nothing was added to this model that could be kept")
    return dict(noted["settings"])


def save_parts(model: torch.nn.Module, folder: Path) -> None:
    """Write every weight that learned, those of the head among them, and what it takes to put them back.

    Raises:
        ValueError: nothing was added to this model.
    """
    from safetensors.torch import save_file

    noted_settings(model)
    learned = {
        name: parameter.detach().float().cpu().contiguous().clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    with atomic_path(Path(folder) / WEIGHTS) as temporary:
        save_file(learned, str(temporary))
    write_json(Path(folder) / SETTINGS, getattr(model, _MARK))


def read_settings(folder: Path, method: str) -> dict[str, Any]:
    """The settings of what `save_parts` kept.

    Raises:
        CorruptError: they cannot be read, or are another method's.
    """
    place = Path(folder) / SETTINGS
    try:
        noted = read_json(place)
        found, settings = noted["method"], dict(noted["settings"])
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"The settings of the adapter cannot be read ({error!r}).", where=str(place)) from error
    if found != method:
        raise CorruptError(f"This is kept by the method '{found}', not by '{method}'.", where=str(place))
    return settings


def load_parts(model: torch.nn.Module, folder: Path) -> None:
    """Set the weights that `save_parts` kept, in a model to which the same was added.

    Raises:
        CorruptError: they cannot be read, or do not belong to this model.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    place = Path(folder) / WEIGHTS
    try:
        kept = load_file(place)
    except (OSError, SafetensorError) as error:
        raise CorruptError(f"The adapter's weights cannot be read ({error}).", where=str(place)) from error
    present = dict(model.named_parameters())
    wanted = {name for name, parameter in present.items() if parameter.requires_grad}
    odd = sorted(wanted ^ kept.keys()) or sorted(name for name in kept if kept[name].shape != present[name].shape)
    if odd:
        raise CorruptError(f"The adapter does not fit this model, e.g. in '{odd[0]}'.", where=str(place))
    with torch.no_grad():
        for name, values in kept.items():
            present[name].copy_(values)


def without_parts(model: torch.nn.Module, name: str) -> torch.nn.Module:
    """A copy of the model in which no module has a part called `name`; the model itself stays as it is."""
    plain = copy.deepcopy(model)
    for module in list(plain.modules()):
        if name in module._modules:
            delattr(module, name)
    if hasattr(plain, _MARK):
        delattr(plain, _MARK)
    return plain

"""The parent's model as a step works on it, and what a step hands back once it has changed it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError

if TYPE_CHECKING:
    import torch

    from provetune.compression.step import Given

PLAIN = ("transformers",)
"""Bundle kinds that are one plain Hugging Face model."""


def load_parent(given: Given) -> tuple[Any, Any]:
    """The parent's model (fp32, in evaluation mode) and its tokenizer."""
    from provetune.models.loading import load_model, load_tokenizer

    model = load_model(given.bundle.path, given.task.auto_class, {}, seed=0)
    return model, load_tokenizer(given.bundle.path)


def save_start(given: Given, model: torch.nn.Module, tokenizer: Any) -> Path:
    """Save a changed model where `provetune.compression.healing` starts from; whole or not at all."""
    from provetune.core.files import atomic_path
    from provetune.models.loading import quiet_transformers

    place = given.folder / "start"
    with atomic_path(place) as temporary, quiet_transformers():
        model.save_pretrained(str(temporary), safe_serialization=True)  # type: ignore[operator]
        tokenizer.save_pretrained(str(temporary))
    return place


def config_field(model: torch.nn.Module, names: tuple[str, ...], what: str) -> str:
    """The field of a model's configuration that has one of these names.

    Raises:
        UsageError: the family has none.
    """
    config: Any = model.config
    found = next((name for name in names if isinstance(getattr(config, name, None), int)), None)
    if found is None:
        family = getattr(config, "model_type", type(model).__name__)
        raise UsageError(f"Models of the family '{family}' do not say {what} in their configuration.")
    return found


def parameters_of(model: torch.nn.Module) -> int:
    """How many weights a model has, shared ones once."""
    return sum(parameter.numel() for parameter in model.parameters())


def shrunken(before: int, model: torch.nn.Module, **notes: Any) -> Mapping[str, Any]:
    """Notes of a step that took weights away."""
    return {"parameters_before": before, "parameters_after": parameters_of(model), **notes}

"""Other embeddings for the passes within a block: attacks add to them, mixup mixes them.

Whatever stands in a model as its input embeddings at the time of the pass is what is changed: torch's own module, the
rows-only stand-in of the fast optimiser, in any number format, wrapped by peft or not. Their gradient need not be
computed for it: frozen embeddings can be changed as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later

if TYPE_CHECKING:
    import torch
else:
    torch = import_later("torch")

Change: TypeAlias = "Callable[[torch.Tensor, torch.Tensor], torch.Tensor]"
"""Token ids (B, T) and their embeddings (B, T, D) to the embeddings that the model is to see."""


@contextmanager
def changed_embeddings(model: torch.nn.Module, change: Change) -> Iterator[None]:
    """Within the block the model sees what `change` makes of its token embeddings.

    Passes without gradients are left as they are: what is asked so is asked for an answer, not for a loss. Of two
    blocks, one in the other, the inner one gets what the outer one made.

    Raises:
        UsageError: the model has no input embeddings.
    """

    def hook(module: torch.nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], found: torch.Tensor) -> Any:
        if not torch.is_grad_enabled():
            return None
        return change(inputs[0] if inputs else next(iter(named.values())), found)

    handles = [module.register_forward_hook(hook, with_kwargs=True) for module in _places(model)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def input_embeddings(model: torch.nn.Module) -> torch.nn.Module:
    """The module that takes token ids to vectors, as it stands now.

    Raises:
        UsageError: the model has none, e.g. because it reads letters.
    """
    getter: Any = getattr(model, "get_input_embeddings", None)
    try:
        found = None if getter is None else getter()
    except (AttributeError, NotImplementedError):
        found = None
    if not isinstance(found, torch.nn.Module):
        raise UsageError(
            f"{type(model).__name__} has no token embeddings, which this objective would change.",
            hint="Take another backbone, or an objective that leaves embeddings alone.",
        )
    return found


def _places(model: torch.nn.Module) -> list[torch.nn.Module]:
    """The input embeddings, and modules of their kind with the very same weights: encoder and decoder of some families
    have one each, and the one that the model names is never asked."""
    named = input_embeddings(model)
    weight = getattr(named, "weight", None)
    others = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Embedding) and module.weight is weight and module is not named
    ]
    return [named, *others]

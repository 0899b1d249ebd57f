"""The vector of each text that a head decides by, caught on its way into the last layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from provetune.core.lazy import import_later

if TYPE_CHECKING:
    import torch
else:
    torch = import_later("torch")


class PooledVectors:
    """Catches what goes into the output layer of a model that gives one answer a text.

    Args:
        model: as a method prepared it.

    Raises:
        UsageError: it has no such layer.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        from provetune.models.loading import output_layer

        self.model = model
        plain: Any = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
        self.layer = output_layer(plain)[1]

    @contextmanager
    def caught(self, batch: Mapping[str, torch.Tensor]) -> Iterator[list[torch.Tensor]]:
        """Within the block the list gets the vectors (B, D) of every pass over this batch; of no other pass.

        Passes without gradients are not caught.
        """
        found: list[torch.Tensor] = []
        own = False

        def note(module: torch.nn.Module, inputs: Any, named: dict[str, Any]) -> None:
            nonlocal own
            own = named.get("input_ids") is batch["input_ids"] and torch.is_grad_enabled()

        def catch(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            if own:
                found.append(_one_each(inputs[0], batch["attention_mask"]))

        hooks = (
            self.model.register_forward_pre_hook(note, with_kwargs=True),
            self.layer.register_forward_pre_hook(catch),
        )
        try:
            yield found
        finally:
            for hook in hooks:
                hook.remove()


def _one_each(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Vectors (B, D); a decoder's head is asked at every token (B, T, D) and its answer read at the last real one."""
    if values.dim() == 2:
        return values
    places = torch.arange(mask.shape[1], device=mask.device)
    return values[torch.arange(len(values), device=values.device), (mask * places).argmax(dim=1)]

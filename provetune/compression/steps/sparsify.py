"""Weights set to zero, one by one, where they are smallest; what is left is trained in between.

Global magnitude pruning of the layers' matrices, the share of zeros rising over a few rounds along the cubic curve of
Zhu and Gupta (2017, arXiv:1710.01878), a short training after each cut. Departure: training between two cuts is not
held to the zeros, so that a weight may come back if the next cut finds it large again; after the last cut zeros stay
zero while the others learn to do without them.

The file does not get smaller and answers do not come sooner: zeros are stored and multiplied like other numbers. It is
for whoever compresses the file (how small it gets is among the notes) or has a runtime that skips zeros.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, Field

from provetune.compression.healing import Healing, heal, made_of
from provetune.compression.parent_model import PLAIN, load_parent, save_start

if TYPE_CHECKING:
    import torch

    from provetune.compression.step import Given, Made

_LEVEL = 6


class SparsifySettings(Healing):
    """How many weights become zero."""

    share: Annotated[float, Field(gt=0, lt=1)] = Field(0.5, description="Share of the layers' weights that is zero.")
    rounds: Annotated[int, Field(ge=1)] = Field(3, description="Cuts that the share is reached in.")
    epochs: Annotated[float, Field(ge=0)] = Field(
        2.0, description="Passes over the training rows after each cut; 0 trains nothing."
    )


class Sparsify:
    """`sparsify`: the smallest weights become zero."""

    name = "sparsify"
    summary = "Set the smallest weights to zero and train the others; the file is smaller only once it is compressed."
    takes = PLAIN
    makes: str | None = None
    settings: type[BaseModel] = SparsifySettings
    learns = True

    def apply(self, given: Given, settings: Any) -> Made:
        """Cut and train, round by round; the last training keeps the zeros."""
        from provetune.compression.step import Made

        asked = cast(SparsifySettings, settings)
        model, tokenizer = load_parent(given)
        record: Mapping[str, Any] = {}
        targets = None
        before = compressed_bytes(model)
        for number, share in enumerate(shares(asked.share, asked.rounds)):
            cut_smallest(model, share)
            if asked.epochs == 0:
                continue
            own = replace(given, folder=given.folder / f"round-{number}")
            own.folder.mkdir(parents=True, exist_ok=True)
            folder = heal(own, save_start(own, model, tokenizer), asked, keep_zeros=number == asked.rounds - 1)
            learned = made_of(own, folder, {})
            model, record, targets = learned.model, learned.record, learned.targets
        notes = {
            "share_of_zeros": zero_share(model),
            "compressed_bytes_before": before,
            "compressed_bytes_after": compressed_bytes(model),
            "size_on_the_disk": "as before: zeros are stored",
        }
        return Made(given.bundle.kind, model=model, tokenizer=tokenizer, record=record, targets=targets, notes=notes)


def shares(last: float, rounds: int) -> list[float]:
    """The share of zeros after each cut: s · (1 − (1 − k/n)³), k = 1 … n."""
    return [last * (1 - (1 - number / rounds) ** 3) for number in range(1, rounds + 1)]


def layer_weights(model: torch.nn.Module) -> list[torch.Tensor]:
    """The matrices of the layers' linear maps; embeddings, norms and the head stay whole."""
    import torch

    from provetune.models.layer_stacks import layer_stacks

    linear = [
        module
        for stack in layer_stacks(model)
        for layer in stack.layers
        for module in layer.modules()
        if isinstance(module, torch.nn.Linear)
    ]
    return list({id(module.weight): module.weight for module in linear}.values())


def cut_smallest(model: torch.nn.Module, share: float) -> None:
    """Set this share of all the layers' weights to zero, the smallest wherever they are."""
    import torch

    weights = layer_weights(model)
    sizes = torch.cat([weight.detach().abs().flatten() for weight in weights])
    count = round(share * len(sizes))
    if count == 0:
        return
    zeroed = torch.zeros(len(sizes), dtype=torch.bool)
    zeroed[torch.argsort(sizes, stable=True)[:count]] = True
    start = 0
    with torch.no_grad():
        for weight in weights:
            weight[zeroed[start : start + weight.numel()].view_as(weight)] = 0.0
            start += weight.numel()


def zero_share(model: torch.nn.Module) -> float:
    """Share of the layers' weights that is zero."""
    weights = layer_weights(model)
    return float(sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights))


def compressed_bytes(model: torch.nn.Module) -> int:
    """Bytes of the layers' weights once a usual compressor (zlib) has been over them."""
    return sum(len(zlib.compress(weight.detach().numpy().tobytes(), _LEVEL)) for weight in layer_weights(model))


STEP = Sparsify()

"""Gradual unfreezing (Howard and Ruder 2018, arXiv:1801.06146): from the top, one group of layers more each epoch.

A group that is not due yet takes no gradient, so that it stays as it is, bit for bit: no weight decay, no momentum, no
part in the gradient's norm. Layers below the lowest that is due cost no backward pass.
"""

from __future__ import annotations

import torch

from provetune.models.depth import depth_groups


class Unfreezing:
    """Decides which parameters of a model take gradients.

    Attributes:
        groups: names of the parameters that are to learn in the end, the top first.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self.groups = depth_groups(model)
        found = dict(model.named_parameters())
        self.parameters = [[found[name] for name in sorted(group)] for group in self.groups]

    def begin_epoch(self, epoch: int) -> None:
        """Let the first ``epoch + 1`` groups learn, and no other."""
        for place, group in enumerate(self.parameters):
            for parameter in group:
                parameter.requires_grad_(place <= epoch)

    def release(self) -> None:
        """Let all of them learn, as the method had it."""
        self.begin_epoch(len(self.groups))

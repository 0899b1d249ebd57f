"""Bundles of methods that cannot be merged: a plain Hugging Face folder, and what was added to its model beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import CorruptError
from provetune.core.protocols import AttachesAdapter, EncodeSettings
from provetune.inference.backends._network import open_network, tokens_together
from provetune.inference.backends.transformers import CLASSIFIER, TorchAnswerer

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Task
    from provetune.inference.answering import Answerer


class AdaptedBackend:
    """Opens such folders; the method that wrote what lies beside puts it back."""

    name = "adapted"
    summary = "A Hugging Face folder and what a method added to its model, computed by torch."

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        from provetune.models.methods import METHODS

        name = str((bundle.record.get("candidate") or {}).get("method"))
        method = METHODS.get(name) if name in METHODS else None
        if not isinstance(method, AttachesAdapter):
            raise CorruptError(f"This bundle was made by an unknown method ('{name}').", where=str(bundle.path))
        if bundle.adapter is None:
            raise CorruptError("This bundle has no adapter, without which it cannot answer.", where=str(bundle.path))

        def load_and_attach(folder: Path, device: str) -> torch.nn.Module:
            from provetune.models.loading import load_model

            model: torch.nn.Module = load_model(folder, task.auto_class, {}, seed=0, device=device)
            return method.attach(model, bundle.adapter)

        network = open_network(
            Path(bundle.path),
            precision=precision,
            device=device,
            plain=_none_of_ours,
            transformers=load_and_attach,
            whole_tokenizer=task.auto_class != CLASSIFIER,
        )
        settings = EncodeSettings(**bundle.record["encode"])
        return TorchAnswerer(network, task, bundle.targets, settings, tokens_together(bundle.record))


def _none_of_ours(folder: Path, config: dict[str, Any]) -> torch.nn.Module | None:
    """Our own networks have no places for what is added."""
    return None


BACKEND = AdaptedBackend()

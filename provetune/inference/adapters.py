"""An adapter that was kept alone, on the backbone that it was learned on: head, labels and calibration come with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import CorruptError
from provetune.core.protocols import (
    AttachesAdapter,
    EncodeSettings,
    FinishesModel,
    PreparesModel,
    PreparesTokenizer,
    StaysApart,
    Targets,
    Task,
    WeightMethod,
)
from provetune.models.bundle.origin import read_origin, refuse_other_backbone

if TYPE_CHECKING:
    from provetune.inference.predictor import Predictor
    from provetune.models.backbones import Backbone


def load_adapter(
    folder: Path | str, backbone: str | Path | None = None, *, precision: str = "fp32", device: str = "cpu"
) -> Predictor:
    """Open an adapter's folder, e.g. the folder ``adapter`` of a bundle, for answering.

    Args:
        backbone: where the model lies that it was learned on, or its name; the name it was learned under when left out.
        precision, device: as `provetune.inference.predictor.load` takes them.

    Raises:
        UsageError: the backbone is not to be had, or is another model than the adapter was learned on.
        CorruptError: the adapter cannot be read, or does not fit.
    """
    from provetune.inference.backends.transformers import TorchAnswerer
    from provetune.inference.predictor import Predictor
    from provetune.models.backbones import find_backbone
    from provetune.models.catalogue import kind_for
    from provetune.models.methods import METHODS
    from provetune.tasks import TASKS

    place = Path(folder)
    origin = read_origin(place)
    method = METHODS.get(str(origin["candidate"].get("method")))
    if not isinstance(method, AttachesAdapter) or not isinstance(method, WeightMethod):
        raise CorruptError(f"The method '{method.name}' keeps no adapters.", where=str(place))
    task, targets = TASKS.get(str(origin["task"])), Targets.from_json(origin["targets"])
    wanted = str(backbone if backbone is not None else origin["backbone"].get("name"))
    found = find_backbone(wanted, kind=kind_for(task.auto_class))
    refuse_other_backbone(origin, found.name, found.content_hash, str(place))
    network = _adapted(found, method, task, targets, origin, place, precision=precision, device=device)
    answerer = TorchAnswerer(network, task, targets, EncodeSettings(**origin["encode"]))
    return Predictor(place, task, targets, origin, answerer)


def _adapted(
    backbone: Backbone,
    method: Any,
    task: Task,
    targets: Targets,
    origin: dict[str, Any],
    place: Path,
    *,
    precision: str,
    device: str,
) -> Any:
    import torch

    from provetune.inference.backends._network import Network
    from provetune.models.devices import settle_device
    from provetune.models.loading import fold_temperature, load_model, load_tokenizer
    from provetune.models.precision import choose_precision

    device = settle_device(device)
    tokenizer = load_tokenizer(backbone)
    if isinstance(task, PreparesTokenizer):
        tokenizer = task.prepare_tokenizer(tokenizer, targets)
    model = load_model(backbone.path, task.auto_class, task.head(targets), seed=0, device=device)
    if isinstance(task, PreparesModel):
        model = task.prepare_model(model, tokenizer, targets)
    if isinstance(task, FinishesModel):
        model = task.finish_model(model, targets)
    model = method.attach(model, place)
    if not isinstance(method, StaysApart):
        model = method.merge(model)
        if (temperature := float(origin.get("temperature") or 1.0)) != 1.0:
            fold_temperature(model, temperature)
    chosen = choose_precision(precision, device).name
    number = torch.bfloat16 if chosen == "bf16" else torch.float32
    return Network(
        model=model.to(device=device, dtype=number).eval(),
        tokenizer=tokenizer,
        pad_id=int(tokenizer.pad_token_id or 0),
        precision=chosen,
        device=device,
        engine=f"transformers {torch.__version__}",
    )

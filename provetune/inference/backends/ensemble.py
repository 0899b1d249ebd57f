"""Bundles of several models that answer together; each of them lies in the folder as the bundle that it is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from provetune.core.combining import WritesOutputs
from provetune.core.errors import CorruptError
from provetune.core.files import link_or_copy, read_json, write_json

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import FeatureColumns, Outputs, Targets, Task
    from provetune.inference.answering import Answerer
    from provetune.inference.predictor import Predictor

MEMBERS, ENSEMBLE = "members", "ensemble.json"


class EnsembleModel:
    """Loaded models and the temperature of their mean.

    Args:
        members: at least one, in the order in which they are asked.
        temperature: what the mean's logits are divided by.
    """

    def __init__(self, members: Sequence[Predictor], task: Task, targets: Targets, temperature: float = 1.0) -> None:
        self.members, self.task, self.targets, self.temperature = members, task, targets, temperature
        formats = sorted({member.precision for member in members})
        self.precision = formats[0] if len(formats) == 1 else "fp32"
        engines = ", ".join(dict.fromkeys(member.engine for member in members))
        self.engine = f"mean of {len(members)} models ({engines})"

    def mean(self, examples: pa.Table) -> Any:
        """The mean of the members' answers, before its temperature: float64 (N, C)."""
        total = sum(np.asarray(member.answers(examples), dtype=np.float64) for member in self.members)
        return total / len(self.members)

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        """Outputs whose answers are the mean, sharpened or softened by the temperature; one a row."""
        task = cast(WritesOutputs, self.task)
        return task.outputs_of(self.mean(examples), self.targets) / self.temperature, None

    def save(self, folder: Path) -> None:
        """The members' bundles, whole, and in which order they lie."""
        names = [f"{number}-{Path(member.path).parent.name}" for number, member in enumerate(self.members)]
        for name, member in zip(names, self.members, strict=True):
            shutil.copytree(member.path, folder / MEMBERS / name, copy_function=link_or_copy)
        write_json(folder / ENSEMBLE, {"format_version": 1, "members": names, "temperature": self.temperature})


class EnsembleBackend:
    """Opens folders that the ensemble method wrote."""

    name = "ensemble"
    summary = "Several bundles in one, whose answers are averaged."

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        from provetune.inference.predictor import load

        place = Path(bundle.path) / ENSEMBLE
        try:
            document = read_json(place)
            names, temperature = [str(name) for name in document["members"]], float(document["temperature"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorruptError("The ensemble's list of members cannot be read.", where=str(place)) from error
        # Their files are named in the manifest of the whole, which was compared already.
        found = [
            load(Path(bundle.path) / MEMBERS / name, precision=cast(Any, precision), device=device, verify=False)
            for name in names
        ]
        return EnsembleModel(found, task, bundle.targets, temperature)


BACKEND = EnsembleBackend()

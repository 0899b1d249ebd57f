"""Distributionally robust training over groups: the group with the largest loss weighs most (Sagawa et al. 2019,
arXiv:1911.08731).

Their algorithm 1 over the groups of a batch:  q_g ← q_g · exp(η ℓ_g), normalised, then the loss Σ q_g ℓ_g, with ℓ_g the
mean loss of the batch's rows of group g, nought where there are none, as in the authors' own program. The weights q are
part of a checkpoint. With an adjustment C, ℓ_g is raised by C / √n_g, n_g the group's training rows (section 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Situation, Stage
from provetune.core.suggest import advice
from provetune.training.agreement import WITH_WORDS, refuse_incomparable

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import torch

    from provetune.core.minimised import Array
else:
    torch = import_later("torch")

_RAW = "raw."
_LEAST_GROUPS = 2


class GroupDroSettings(BaseModel):
    """What `group_dro` adds to a candidate; the step is the paper's. It warns that large models need strong weight
    decay or early stopping besides, or every group's loss goes to nought alike."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group_dro_column: str = Field("", description="Column of the training file that says which group a row is of.")
    group_dro_step: Annotated[float, Field(ge=0)] = Field(
        0.01, description="How fast the weight of a group with a large loss grows (η); 0 keeps all equal."
    )
    group_dro_adjustment: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Raises the losses of small groups: C over the root of a group's rows."
    )


class GroupDro:
    """`group_dro`: the worst group counts most."""

    name = "group_dro"
    summary = "Groups of rows: the group with the largest loss weighs most (group DRO)."
    settings: type[BaseModel] = GroupDroSettings
    stage: Stage = "base"

    def check(self, situation: Situation) -> None:
        """Refuse a run without a column of groups, and batches that have no rows of their own.

        Raises:
            UsageError: it cannot work.
        """
        refuse_incomparable(self.name, situation, WITH_WORDS)
        if situation.folder is None:
            return
        column = str(situation.settings.get("group_dro_column") or "")
        if not column:
            raise UsageError(
                "The objective 'group_dro' needs to know the groups of the rows.",
                hint="Name their column with group_dro_column: COLUMN.",
            )
        if column not in situation.columns:
            raise UsageError(f"There is no column '{column}' of groups.", hint=advice(column, situation.columns))

    def check_rows(self, settings: BaseModel, examples: pa.Table, folder: Path | None) -> None:
        """Refuse rows of one group.

        Raises:
            UsageError: there is only one.
        """
        column = cast(GroupDroSettings, settings).group_dro_column
        _refuse_one_group(_cells(examples, column), column)

    def begin(self, run: LossRun, settings: BaseModel) -> WorstGroup:
        """Find the groups of the training rows.

        Raises:
            UsageError: there is only one.
        """
        return WorstGroup(run, cast(GroupDroSettings, settings))


class WorstGroup:
    """The weighted sum of the groups' losses."""

    def __init__(self, run: LossRun, given: GroupDroSettings) -> None:
        self.run, self.given = run, given
        column = f"{_RAW}{given.group_dro_column}"
        if run.examples is None or column not in run.examples.column_names:
            raise UsageError(f"The training rows have no column '{given.group_dro_column}' of groups.")
        cells = _cells(run.examples, given.group_dro_column)
        self.names, self.groups = np.unique(cells, return_inverse=True)
        learned = np.unique(run.features.rows)
        _refuse_one_group(cells[learned], given.group_dro_column)
        counts = np.bincount(self.groups[learned], minlength=len(self.names))
        there = torch.from_numpy(counts > 0)
        self.raised = given.group_dro_adjustment / torch.from_numpy(np.maximum(counts, 1)).double().sqrt()
        self.weights = there.double() / there.sum()
        self.seen: tuple[int, int] | None = None

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """Σ q_g ℓ_g over the groups of the batch."""
        outputs = self.run.forward(batch)
        groups = torch.from_numpy(self.groups[step.rows])
        losses: dict[int, torch.Tensor] = {}
        for group in torch.unique(groups).tolist():
            mine = (groups == group).to(outputs.device)
            losses[group] = self.run.task_loss(outputs[mine], batch["labels"][mine]) + float(self.raised[group])
        # An attack asks for the loss of one batch more than once; the weights move once.
        if self.seen != (step.number, step.part):
            self.seen = (step.number, step.part)
            self._move({group: float(loss.detach()) for group, loss in losses.items()})
        parts = [float(self.weights[group]) * loss for group, loss in losses.items()]
        return Pass(sum(parts[1:], parts[0]), outputs)

    def state(self) -> Mapping[str, torch.Tensor]:
        """The groups' weights (G,)."""
        return {"weights": self.weights.clone()}

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on with these weights."""
        self.weights = state["weights"].clone()

    def _move(self, losses: Mapping[int, float]) -> None:
        moved = self.weights.clone()
        for group, loss in losses.items():
            moved[group] *= float(np.exp(self.given.group_dro_step * loss))
        self.weights = moved / moved.sum()


def _cells(examples: pa.Table, column: str) -> Array:
    """The group of each row, (N,); rows without one are a group of their own."""
    cells = ["" if cell is None else cell for cell in examples.column(f"{_RAW}{column}").to_pylist()]
    return np.asarray(cells, dtype=object).astype(str)


def _refuse_one_group(cells: Array, column: str) -> None:
    if len(np.unique(cells)) < _LEAST_GROUPS:
        raise UsageError(f"All training rows are of one group of '{column}'.", hint="Take objective: plain.")


OBJECTIVE = GroupDro()

"""A problem in which nothing is left to choose, and everything that a study freezes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import CorruptError
from provetune.core.files import read_json, write_json, write_text
from provetune.core.protocols import Targets, Task
from provetune.core.seeds import run_seed
from provetune.ledger.entries import PlannedRun, SplitEntry, StudyEntry
from provetune.problem.reading import dump_resolved
from provetune.problem.syntax import Problem
from provetune.study.machine import package_versions
from provetune.study.splits_store import NAMES, load_split
from provetune.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import BaseModel

    from provetune.data.splits import Splits
    from provetune.models.backbones import Backbone

RESOLVED = "resolved.json"
PROBLEM = "problem.yaml"


@dataclass
class ResolvedStudy:
    """What a study is, before its first step. Nothing of it changes but where its rows lie.

    Attributes:
        problem: the problem with every `auto` replaced and the baseline among its candidates.
        path: the problem file.
        task: the plug-in.
        splits: the rows, in memory until `leave_rows_on_disk`. Its test table is there to be saved by `save_splits`,
            and for nothing else.
        targets: label names, from the training rows.
        backbones: the pretrained model of each candidate, None where it needs none.
        settings: the fields that each candidate's method adds.
        notes: what was chosen and why, one sentence each.
        study_id: slug of the name and a hash of problem, rows and pretrained weights; not of the code, the machine
            or where files lie.
        data_hash: hash of all split hashes.
        code_hash: hash of our own source files.
        machine: see `provetune.study.machine`; its ``threads_per_trial`` is None until the run settles it.
        device: where trials compute.
        other_rows: rows of other files that candidates learn from, by `provetune.study.other_rows.rows_key`, in memory
            until they are saved.
    """

    problem: Problem
    path: Path
    task: Task
    splits: Splits
    targets: Targets
    backbones: Mapping[str, Backbone | None]
    settings: Mapping[str, BaseModel]
    notes: tuple[str, ...]
    study_id: str
    data_hash: str
    code_hash: str
    machine: Mapping[str, Any]
    device: str
    other_rows: Mapping[str, pa.Table] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """Name of the primary metric."""
        return self.task.metrics[0].name

    def seeds(self, candidate: str) -> list[int]:
        """Seed of each run of a candidate."""
        return [run_seed(self.problem.data.split.seed, candidate, k) for k in range(self.problem.study.seeds)]

    def leave_rows_on_disk(self, folder: Path) -> None:
        """Let go of the rows in memory, once `save_splits` has written them.

        Training and validation rows are from now on read where they lie. Of the test rows their number and the names
        of their columns stay, all values null; of those set aside nothing.

        Args:
            folder: the study's.
        """
        import pyarrow as pa

        test = self.splits.test
        self.splits = replace(
            self.splits,
            train=load_split(folder, "train"),
            validation=load_split(folder, "validation"),
            test=pa.table({name: pa.nulls(test.num_rows) for name in test.column_names}),
            set_aside=self.splits.set_aside.schema.empty_table(),
        )
        self.other_rows = {}

    def entry(self, workspace: str, machine: Mapping[str, Any]) -> StudyEntry:
        """The study as the ledger freezes it.

        Args:
            workspace: the workspace's identity.
            machine: with ``threads_per_trial`` settled.
        """
        sizes = {name: getattr(self.splits, name).num_rows for name in NAMES}
        return StudyEntry(
            study_id=self.study_id,
            workspace=workspace,
            name=self.problem.name,
            task=self.task.name,
            metric=self.metric,
            confidence=self.problem.study.confidence,
            problem=self.problem.model_dump(mode="json"),
            splits={name: SplitEntry(sizes[name], self.splits.hashes[name]) for name in NAMES},
            claims=tuple(self.problem.claims),
            runs=tuple(
                PlannedRun(candidate, k, seed)
                for candidate in self.problem.candidates
                for k, seed in enumerate(self.seeds(candidate))
            ),
            data_hash=self.data_hash,
            test_hash=self.splits.hashes["test"],
            code_hash=self.code_hash,
            code_version=__version__,
            packages=package_versions(),
            machine=dict(machine),
        )

    def judged_facts(self) -> dict[str, Any]:
        """What a look at the test is a look at: the same facts judged again are no new look."""
        return {
            "claims": list(self.problem.claims),
            "accept": dict(self.problem.accept),
            "candidates": {name: each.model_dump(mode="json") for name, each in self.problem.candidates.items()},
            "seeds": {name: self.seeds(name) for name in self.problem.candidates},
            "rows": {name: self.splits.hashes[name] for name in ("train", "validation")},
            **({} if self.splits.folds is None else {"folds": self.splits.folds.to_json()}),
        }

    def to_json(self) -> dict[str, Any]:
        """Everything but the rows."""
        return {
            "study_id": self.study_id,
            "name": self.problem.name,
            "problem_path": str(self.path),
            "task": self.task.name,
            "metric": self.metric,
            "targets": self.targets.to_json(),
            "backbones": {name: _backbone_json(backbone) for name, backbone in self.backbones.items()},
            "settings": {name: settings.model_dump(mode="json") for name, settings in self.settings.items()},
            "notes": list(self.notes),
            "splits": dict(self.splits.hashes),
            "data_hash": self.data_hash,
            "code_hash": self.code_hash,
            "code_version": __version__,
            "packages": package_versions(),
            "machine": dict(self.machine),
        }


def save_resolved(folder: Path, resolved: ResolvedStudy) -> None:
    """Write a study's ``problem.yaml`` (nothing left to choose) and ``resolved.json`` into its folder."""
    write_text(Path(folder) / PROBLEM, dump_resolved(resolved.problem))
    write_json(Path(folder) / RESOLVED, resolved.to_json())


def read_resolved(folder: Path) -> dict[str, Any]:
    """What `save_resolved` kept of a study.

    Raises:
        CorruptError: it is missing or cannot be read.
    """
    path = Path(folder) / RESOLVED
    try:
        document: dict[str, Any] = read_json(path)
    except (FileNotFoundError, ValueError) as error:
        raise CorruptError(
            "The study's record is missing or damaged.", where=str(path), hint="Run the study again with --fresh."
        ) from error
    return document


def _backbone_json(backbone: Backbone | None) -> dict[str, Any] | None:
    if backbone is None:
        return None
    return {**asdict(backbone), "path": str(backbone.path), "languages": list(backbone.languages)}

"""What a worker must know to do one trial: everything explicit, JSON-ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from provetune.core.errors import UsageError
from provetune.core.protocols import EncodeSettings, Targets
from provetune.problem.syntax import AUTO, CandidateData

LEAST_STRIDE_SHARE = 4
IMBALANCE = 10


@dataclass(frozen=True)
class TrialSpec:
    """One run of a candidate.

    Attributes:
        study_folder: holds ``splits/`` and ``trials/``.
        folder: the trial's own folder.
        cache: folder of what trials share: tokenised rows, features of frozen backbones.
        task: name of the task.
        candidate: its name in the problem file.
        k: number of the seed, from 0.
        seed: the derived seed itself.
        settings: the candidate's common fields as resolved, ``method`` among them.
        method_settings: the fields that its method adds, as resolved.
        targets: `Targets` as JSON.
        backbone: ``name``, ``path``, ``content_hash`` and what else is known of it; None for methods without one.
        record: what the bundle keeps of the study: problem, columns, hashes, versions.
        study: the problem file's study section.
        device: where it computes.
        threads: computing threads, fixed for the study.
        problem_folder: the problem file's; paths in settings are relative to it.
        folds: with cross-validation, the `Folds` of its run as JSON.
        fold: number of the round that this model is of; None for the run that is made of all rounds.
    """

    study_folder: str
    folder: str
    cache: str
    task: str
    candidate: str
    k: int
    seed: int
    settings: Mapping[str, Any]
    method_settings: Mapping[str, Any]
    targets: Mapping[str, Any]
    backbone: Mapping[str, Any] | None
    record: Mapping[str, Any] = field(default_factory=dict)
    study: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    threads: int = 1
    problem_folder: str = ""
    folds: Mapping[str, Any] | None = None
    fold: int | None = None

    @property
    def id(self) -> str:
        """Name of the trial in its study, e.g. ``"full-0"``, or ``"full-0.fold-2"`` for one round of it."""
        return f"{self.candidate}-{self.k}" + ("" if self.fold is None else f".fold-{self.fold}")

    @property
    def label_names(self) -> Targets:
        """The targets as the record they are."""
        return Targets.from_json(self.targets)

    @property
    def place(self) -> Path:
        """The trial's folder."""
        return Path(self.folder)

    @property
    def data(self) -> CandidateData | None:
        """What the candidate learns from and sees, where that differs from the problem's data."""
        written = self.settings.get("data")
        return None if written is None else CandidateData.model_validate(written)

    @property
    def encoding(self) -> EncodeSettings:
        """How texts become tokens; neighbouring windows share at most a quarter of their length.

        Raises:
            UsageError: the candidate has no backbone, so no tokens.
        """
        if self.backbone is None:
            raise UsageError(f"Candidate '{self.candidate}' has no backbone, so its texts have no tokens.")
        length = int(self.settings["max_length"])
        long_texts = self.settings.get("long_texts", AUTO)
        stride = min(EncodeSettings.stride, length // LEAST_STRIDE_SHARE)
        return EncodeSettings(length, "head" if long_texts == AUTO else long_texts, stride)

    @property
    def label_weights(self) -> list[float] | None:
        """Weight of each label (C,), inversely to its training rows and 1 on average, or None for equal ones.

        Where a row may have several labels, the weights are those of having a label against not having it: 1 for the
        most frequent one, or it would hardly ever be given, and 10 at most. The rows are those of the whole training
        split, whatever share of them the candidate learns from; of a subset, those that it has of each label.
        """
        wish = self.settings.get("label_weights", "none")
        counts = self.learned_counts
        if wish == AUTO:
            there = [count for count in counts if count]
            wish = "balanced" if there and max(there) > IMBALANCE * min(there) else "none"
        if wish != "balanced" or not any(counts):
            return None
        if self.label_names.kind == "multi_label":
            return [min(IMBALANCE, max(counts) / max(1, count)) for count in counts]
        # A step of a scale that no training row has is no reason to weigh the others.
        inverse = [1.0 / count if count else 0.0 for count in counts]
        return [value * sum(map(bool, counts)) / sum(inverse) for value in inverse]

    @property
    def learned_counts(self) -> tuple[int, ...]:
        """Training rows of each label (C,); of a subset, those that are drawn."""
        counts, data = self.label_names.counts, self.data
        return counts if data is None or data.subset is None else tuple(min(n, data.subset.per_label) for n in counts)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> TrialSpec:
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in document.items() if name in known})

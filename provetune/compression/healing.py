"""Training a changed model until it answers as before: the parent teaches, through the one training loop.

A model that lost layers, heads or neurons is trained for a short while on the training rows. Where the task has one
vector of outputs a row (or a word), the parent's probabilities are learned beside the gold labels (`distil`, Hinton et
al. 2015), else the labels alone. When to stop and which temperature fits are told by the tuning half; the calibration
half is not among what this sees. A run that was cut off goes on from its checkpoint in the step's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.abilities import ScoresWords
from provetune.core.seeds import derive

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.compression.step import Given, Made
    from provetune.study.trial_spec import TrialSpec

CANDIDATE = "healed"
_VECTORS = ("single_label", "ordinal", "multi_label", "regression")
_NOT_OURS = ("name", "data", "search", "backbone", "method", "objective", "keep_head", "layer_decay", "unfreeze")


class Healing(BaseModel):
    """What every step that trains can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: Annotated[float, Field(ge=0)] = Field(
        2.0, description="Passes over the training rows that heal the model; 0 leaves it as it is."
    )
    learning_rate: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Peak learning rate; left out, what the method `full` takes for a model of this size."
    )
    gold: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Weight of the gold labels; the parent's probabilities have the rest where it can teach."
    )
    temperature: Annotated[float, Field(gt=0)] = Field(
        2.0, description="Both sides' logits are divided by it when the parent teaches."
    )


def heal(
    given: Given, start: Path, settings: Healing, *, keep_head: bool = True, keep_zeros: bool = False, **fields: Any
) -> Path:
    """Train the model at `start` and return the folder of the bundle that came of it.

    Args:
        start: a Hugging Face folder.
        keep_head: go on with the output layer that lies there, instead of a new one.
        keep_zeros: weights that are zero stay zero.
        fields: further fields of the candidate, as a problem file has them.

    Raises:
        UsageError: it cannot be trained so.
    """
    from provetune.study.trial import BUNDLE, run_trial

    spec = healing_spec(given, start, settings, keep_head=keep_head, keep_zeros=keep_zeros, **fields)
    _save_rows(Path(spec.study_folder), given.train, given.tuning)
    steps = 0
    for event in run_trial(spec):
        if event["event"] == "started":
            steps = int(event["steps"])
        if event["event"] in ("started", "step"):
            given.say("training", int(event["step"]), steps)
    return spec.place / BUNDLE


def healed(
    given: Given, model: torch.nn.Module, tokenizer: Any, settings: Healing, notes: Mapping[str, Any], **fields: Any
) -> Made:
    """A changed model, trained as `settings` ask (not at all with 0 epochs), as what a step hands back."""
    from provetune.compression.parent_model import save_start
    from provetune.compression.step import Made

    if settings.epochs == 0:
        return Made(kind=given.bundle.kind, model=model, tokenizer=tokenizer, notes={**notes, "epochs": 0})
    start = save_start(given, model, tokenizer)
    return made_of(given, heal(given, start, settings, **fields), notes)


def made_of(given: Given, folder: Path, notes: Mapping[str, Any]) -> Made:
    """A trained bundle as what a step hands back."""
    from provetune.compression.step import Made
    from provetune.models.bundle import open_bundle
    from provetune.models.loading import load_model, load_tokenizer

    trained = open_bundle(folder, verify=False)
    changed = {name: trained.record.get(name) for name in ("encode", "temperature", "precision")}
    return Made(
        kind=trained.kind,
        model=load_model(folder, given.task.auto_class, {}, seed=0),
        tokenizer=load_tokenizer(folder),
        record=changed,
        targets=trained.targets,
        notes=notes,
    )


def teaches(given: Given) -> bool:
    """Whether the parent's answers can be learned: one vector of outputs a row, or a word."""
    return given.targets.kind in _VECTORS or isinstance(given.task, ScoresWords)


def healing_spec(
    given: Given, start: Path, settings: Healing, *, keep_head: bool = True, keep_zeros: bool = False, **fields: Any
) -> TrialSpec:
    """The run that heals, everything explicit."""
    from provetune.models.backbones import describe
    from provetune.models.methods import METHODS
    from provetune.problem.syntax import AUTO, Candidate
    from provetune.study.choices import size_of, training_choices, with_task_defaults
    from provetune.study.objectives import settle_objectives
    from provetune.study.trial_spec import TrialSpec

    method = METHODS.get("full")
    before = {
        name: value for name, value in (given.bundle.record.get("candidate") or {}).items() if name not in _NOT_OURS
    }
    common = {name: value for name, value in before.items() if name in Candidate.model_fields}
    taught = teaches(given) and settings.gold < 1
    asked = {
        **common,
        "method": method.name,
        "backbone": str(start),
        "epochs": settings.epochs,
        "learning_rate": settings.learning_rate or AUTO,
        "warmup": AUTO,
        "objective": "distil" if taught else "plain",
        **fields,
    }
    asked |= _teacher(given, settings) if taught else {}
    candidate = with_task_defaults(Candidate.model_validate(asked), given.task)
    encode = given.bundle.record.get("encode") or {}
    length = int(fields.get("max_length") or encode.get("max_length") or 128)
    backbone = describe(start, name=str(start), source="folder")
    chosen = training_choices(
        candidate, method, length, rows=given.train.num_rows, size=size_of(backbone.width, backbone.path)
    )
    chosen["epochs"] = settings.epochs
    chosen |= {"max_length": length, "long_texts": encode.get("long_texts", "head"), "precision": _precision(before)}
    # Tasks without labels in their head keep all of the start's weights anyway.
    chosen["keep_head"] = keep_head and "id2label" in given.task.head(given.targets)
    if candidate.label_weights == AUTO:
        chosen["label_weights"] = "none"
    settled = {**candidate.model_dump(mode="json"), **settle_objectives(candidate), **chosen}
    return TrialSpec(
        study_folder=str(given.folder),
        folder=str(given.folder / "trial"),
        cache=str(given.folder / "cache"),
        task=given.task.name,
        candidate=CANDIDATE,
        k=0,
        seed=derive(given.seed, "heal"),
        settings=settled,
        method_settings=method.settings(keep_zeros=keep_zeros).model_dump(mode="json"),
        targets=given.targets.to_json(),
        backbone={"name": str(start), "path": str(start), "content_hash": backbone.content_hash},
        record={name: given.bundle.record[name] for name in ("columns", "problem") if name in given.bundle.record},
        study={"checkpoint_minutes": 2.0},
        threads=given.threads,
        problem_folder=str(given.folder),
    )


def _teacher(given: Given, settings: Healing) -> dict[str, Any]:
    return {
        "distil_from": str(given.bundle.path.absolute()),
        "distil_gold": settings.gold,
        "distil_temperature": settings.temperature,
    }


def _precision(before: Mapping[str, Any]) -> str:
    from provetune.models.precision import choose_precision

    return str(choose_precision(str(before.get("precision") or "auto"), "cpu").name)


def _save_rows(folder: Path, train: pa.Table, tuning: pa.Table) -> None:
    """The rows where the training loop looks for them. A test split is written without a single row."""
    from types import SimpleNamespace

    from provetune.study.splits_store import save_splits

    tables = {"train": train, "validation": tuning, "test": tuning.slice(0, 0)}
    hashes = {name: str(table.num_rows) for name, table in tables.items()}
    rows: Any = SimpleNamespace(**tables, hashes=hashes)
    save_splits(folder, rows)

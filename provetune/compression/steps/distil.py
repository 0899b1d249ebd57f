"""Knowledge distillation: the parent teaches a smaller model (Hinton et al. 2015, arXiv:1503.02531).

The student is a backbone (a folder, a catalogue name) or a smaller configuration of the parent's own family whose
weights are cut out of the parent's: fewer layers, evenly spread, as in DistilBERT (Sanh et al. 2019). Unlike a
candidate with `objective: distil` in a problem file, the student is judged against its teacher before it is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, Field

from provetune.compression.healing import Healing, heal, healed, made_of
from provetune.compression.layers import drop_layers
from provetune.compression.parent_model import PLAIN, load_parent, parameters_of, shrunken
from provetune.core.errors import UsageError

if TYPE_CHECKING:
    from provetune.compression.step import Given, Made
    from provetune.core.protocols import Task
    from provetune.models.backbones import Backbone
    from provetune.models.bundle import Bundle

_VECTORS = ("single_label", "ordinal", "multi_label", "regression")
_WORDS = "spans"


class DistilStepSettings(Healing):
    """Who learns, and for how long."""

    student: str = Field(
        "", description="Backbone of the student: a catalogue name or a folder; left out, the parent with fewer layers."
    )
    layers: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Layers of a student cut out of the parent; left out, half of the parent's."
    )
    max_length: Annotated[int, Field(ge=8)] | None = Field(
        None, description="Most tokens of a text for the student; left out, the parent's."
    )
    epochs: Annotated[float, Field(ge=0)] = Field(6.0, description="Passes over the training rows.")
    gold: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="Weight of the gold labels; the parent's probabilities have the rest."
    )


class DistilStep:
    """`distil`: a smaller model that learned from the parent."""

    name = "distil"
    summary = "Teach a smaller backbone, or the parent with fewer layers, what the parent says (Hinton)."
    takes = ("transformers", "adapted", "ensemble", "frozen_encoder", "entailment", "verbaliser", "tfidf")
    makes: str | None = PLAIN[0]
    settings: type[BaseModel] = DistilStepSettings
    learns = True

    def refuse(self, bundle: Bundle, task: Task, settings: Any) -> str | None:
        """A parent whose answers are no vectors, or one that no smaller model can be cut out of."""
        asked = cast(DistilStepSettings, settings)
        if bundle.targets.kind not in (*_VECTORS, _WORDS):
            return (
                f"Answers of the task '{task.name}' ({bundle.targets.kind}) are no probabilities that could be taught; "
                "drop_layers heals with the labels."
            )
        if not asked.student and bundle.kind != "transformers":
            return (
                f"No smaller model can be cut out of a bundle of the kind '{bundle.kind}': name a backbone with "
                "--set distil.student=NAME."
            )
        if asked.student and asked.layers is not None:
            return "layers is for a student cut out of the parent, and student names another: give one of them."
        return None

    def apply(self, given: Given, settings: Any) -> Made:
        """Find the student, train it, hand it back."""
        from dataclasses import replace

        asked = cast(DistilStepSettings, settings)
        if not asked.student:
            model, tokenizer = load_parent(given)
            before = parameters_of(model)
            kept = drop_layers(model, asked.layers, "spread")
            notes = shrunken(before, model, student="cut out of the parent", layers_kept=kept)
            return healed(given, model, tokenizer, asked, notes, **_length(asked.max_length))
        backbone = _find_student(given, asked.student)
        length = asked.max_length or min(_parent_length(given), backbone.max_positions)
        if length > backbone.max_positions:
            raise UsageError(f"'{asked.student}' takes {backbone.max_positions} tokens. Got max_length {length}.")
        folder = heal(given, backbone.path, asked, keep_head=False, max_length=length)
        made = made_of(given, folder, {"student": backbone.name})
        named = {
            "name": backbone.name,
            "family": backbone.family,
            "content_hash": backbone.content_hash,
            "source": backbone.source,
            "licence": backbone.licence,
        }
        whole = {
            "backbone": named,
            "candidate": _candidate(given, folder, backbone.name),
            "auto_class": given.task.auto_class,
            "pipeline": given.task.pipeline,
            "needs_provetune": False,
        }
        return replace(made, record={**made.record, **whole})


def _candidate(given: Given, folder: Path, backbone: str) -> dict[str, Any]:
    """How the student was trained. Its name, and what is done to texts before it reads them, are the parent's."""
    from provetune.models.bundle import open_bundle

    before = given.bundle.record.get("candidate") or {}
    own = dict(open_bundle(folder, verify=False).record.get("candidate") or {})
    own |= {"backbone": backbone, "distil_from": given.bundle.path.name, "keep_head": False}
    kept = {name: before[name] for name in ("name", "data") if before.get(name) is not None}
    return {**{name: value for name, value in own.items() if name != "data"}, **kept}


def _find_student(given: Given, name: str) -> Backbone:
    from provetune.models.backbones import find_backbone

    language = str((given.bundle.record.get("problem") or {}).get("language") or "und")
    return find_backbone(name, language, base=Path.cwd())


def _parent_length(given: Given) -> int:
    return int((given.bundle.record.get("encode") or {}).get("max_length") or 128)


def _length(max_length: int | None) -> dict[str, Any]:
    return {} if max_length is None else {"max_length": max_length}


STEP = DistilStep()

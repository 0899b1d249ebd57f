"""No rows: a language model is asked for the label in words, by a prompt.

How is in `provetune.models.verbalising`. It takes models with a masked-LM or a causal head: the catalogue's encoders
have none, its decoder has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from provetune.core.errors import UsageError
from provetune.core.little_data import BackboneKind, LabelReader
from provetune.core.minimised import Situation
from provetune.core.protocols import LearnsFrom, Targets
from provetune.core.task_records import EncodeSettings
from provetune.models.label_words import in_words, refuse_unknown_labels
from provetune.models.verbalising import PLACE, Prompt, VerbaliserReader, language_head, load_language_model

if TYPE_CHECKING:
    from provetune.core.protocols import Task

_MASKED, _CAUSAL = "{text} This is about {mask}.", "Text: {text}\nLabel: {mask}"
_CONTENTLESS = ["N/A", "[MASK]", ""]


class VerbaliserSettings(BaseModel):
    """What `verbaliser` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str | None = Field(
        None,
        description="What is asked, with {text} (of a pair {text_pair} too) and {mask} where the label's word goes; "
        "left out: '{text} This is about {mask}.' for masked models, 'Text: {text}', a new line and 'Label: {mask}' "
        "for causal ones, whose prompt ends there.",
    )
    label_words: dict[str, str | list[str]] = Field(
        {}, description="What stands for a label, by its name, one word or several; the name in words where nothing is."
    )
    per_token: bool = Field(
        True, description="A word counts by the mean log-probability of its tokens; false takes their sum."
    )
    content_free: list[str] = Field(
        _CONTENTLESS,
        description="Texts without content whose answers are taken for the model's habit and divided out (Zhao et al. "
        "2021, whose three are the default); an empty list leaves it in.",
    )

    @field_validator("prompt")
    @classmethod
    def _has_its_places(cls, value: str | None) -> str | None:
        if value is not None and (value.count(PLACE) != 1 or "{text}" not in value):
            raise ValueError(f"must have {{text}} and, once, {{mask}}. Got '{value}' instead.")
        return value


class Verbaliser:
    """`verbaliser`: it learns from no row and draws no number, so that all of its runs are one."""

    name = "verbaliser"
    summary = "A masked or causal language model is asked for the label in words by a prompt: no training rows."
    learns_from: LearnsFrom = "labels"
    tasks: tuple[str, ...] | None = ("classification",)
    bundle_kind = "verbaliser"
    settings: type[BaseModel] = VerbaliserSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True

    def check(self, situation: Situation) -> None:
        """Refuse words of labels that are none."""
        refuse_unknown_labels(situation.settings.get("label_words") or {}, situation.labels, "label_words")

    def named_backbone(self, settings: VerbaliserSettings) -> str | None:
        return None

    def backbone_kinds(self, settings: VerbaliserSettings) -> Sequence[BackboneKind]:
        return ("decoder", "encoder")

    def check_backbone(self, folder: Path, name: str, settings: VerbaliserSettings) -> None:
        """The model must say words, and a causal one says them at the end."""
        if language_head(folder, name) or settings.prompt is None or settings.prompt.endswith(PLACE):
            return
        raise UsageError(
            f"'{name}' goes on with what it reads, so that the prompt must end with {PLACE}.",
            hint=f"Got '{settings.prompt}'; a masked language model has a place in the middle.",
        )

    def read_labels(
        self,
        folder: Path,
        task: Task,
        targets: Targets,
        settings: VerbaliserSettings,
        *,
        encoding: EncodeSettings,
        device: str,
        precision: str,
    ) -> LabelReader:
        """See `provetune.core.little_data.LabelMethod`."""
        masked = language_head(folder, str(folder))
        before, after = (settings.prompt or (_MASKED if masked else _CAUSAL)).split(PLACE)
        words = tuple(_words_of(name, settings.label_words) for name in targets.names)
        prompt = Prompt(before, after, words, encoding.max_length, settings.per_token)
        model, tokenizer = load_language_model(folder, masked, device)
        reader = VerbaliserReader(model, tokenizer, prompt, masked, (0.0,) * len(words), device, precision)
        return reader.with_prior(settings.content_free)


def _words_of(name: str, written: Mapping[str, str | list[str]]) -> tuple[str, ...]:
    words = written.get(name, in_words(name))
    return (words,) if isinstance(words, str) else tuple(words)


METHOD = Verbaliser()

"""No rows: a text gets the label whose name or description its embedding is nearest to, or that it entails.

Without `entailment` the backbone's mean-pooled embeddings of texts and of what is said of each label are compared by
cosine, times 20 before calibration. With it, a model of sentence pairs is asked whether the text entails what is said
of the label (`provetune.models.entailment`); it takes the backbone's place. The catalogue's encoders were trained to
embed sentences, so that the first works with them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from provetune.core.little_data import BackboneKind, LabelReader
from provetune.core.minimised import Situation
from provetune.core.protocols import LearnsFrom, Targets
from provetune.core.task_records import EncodeSettings
from provetune.models.head_model import HeadModel
from provetune.models.label_words import describe_labels, refuse_unknown_labels
from provetune.models.logistic import Linear

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array, Task

SCALE = 20.0
_BATCH_TOKENS = 2048
_HYPOTHESIS = "This text is about {label}."


class ZeroShotSettings(BaseModel):
    """What `zero_shot` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label_descriptions: dict[str, str] = Field(
        {}, description="What is said of a label, by its name; the name in words where nothing is."
    )
    label_template: str | None = Field(
        None,
        description="What a description is put into, at {label}; left out: the description alone, or with entailment "
        "'This text is about {label}.'",
    )
    entailment: str | None = Field(
        None, description="Folder of a pair problem's bundle whose labels know entailment: it is asked instead."
    )
    entailment_label: str | None = Field(
        None, description="Its label that means entailment; left out: the one that is called so."
    )

    @field_validator("label_template")
    @classmethod
    def _has_a_place(cls, value: str | None) -> str | None:
        if value is not None and value.count("{label}") != 1:
            raise ValueError(f"must have {{label}} once. Got '{value}' instead.")
        return value


@dataclass(frozen=True, eq=False)
class EmbeddingReader:
    """An encoder with the embeddings of what is said of each label; see `LabelReader`."""

    model: torch.nn.Module
    tokenizer: Any
    head: HeadModel
    task: Task
    encoding: EncodeSettings
    device: str
    precision: str
    kind: str = "frozen_encoder"

    def logits(self, examples: pa.Table) -> Array:
        """Cosines of N examples and C labels, times the scale: float32 (N, C)."""
        return self.head.logits(self.embed(examples))

    def embed(self, examples: pa.Table) -> Array:
        """Mean-pooled embeddings of length one, (N, D)."""
        from provetune.models.feature_table import FeatureTable
        from provetune.models.features import frozen_features

        store = FeatureTable(self.task.encode(examples, self.tokenizer, self.encoding, None))
        pad = self.tokenizer.pad_token_id
        return frozen_features(
            self.model,
            self.task,
            store,
            pad,
            batch_tokens=_BATCH_TOKENS,
            device=self.device,
            precision=self.precision,
        )

    def scaled(self, temperature: float) -> EmbeddingReader:
        return replace(self, head=self.head.scaled(temperature))

    def save(self, folder: Path) -> None:
        """Write the labels' embeddings as a layer."""
        self.head.save(folder)


class ZeroShot:
    """`zero_shot`: it learns from no row and draws no number, so that all of its runs are one."""

    name = "zero_shot"
    summary = "The label whose name or description is nearest to the text, or entailed by it: no training rows."
    learns_from: LearnsFrom = "labels"
    tasks: tuple[str, ...] | None = ("classification",)
    bundle_kind = "frozen_encoder"
    settings: type[BaseModel] = ZeroShotSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True

    def check(self, situation: Situation) -> None:
        """Refuse descriptions of labels that are none."""
        refuse_unknown_labels(
            situation.settings.get("label_descriptions") or {}, situation.labels, "label_descriptions"
        )

    def files(self, settings: ZeroShotSettings) -> Mapping[str, str]:
        """The entailment bundle, where one is named."""
        return {} if settings.entailment is None else {"entailment": settings.entailment}

    def named_backbone(self, settings: ZeroShotSettings) -> str | None:
        """The entailment bundle is the model that is asked; always a folder, never a name of catalogue or hub."""
        written = settings.entailment
        if written is None or written.startswith((".", "~")) or Path(written).is_absolute():
            return written
        return f"./{written}"

    def backbone_kinds(self, settings: ZeroShotSettings) -> Sequence[BackboneKind]:
        return ("encoder",)

    def check_backbone(self, folder: Path, name: str, settings: ZeroShotSettings) -> None:
        """An entailment bundle must be of pairs, with a label that means entailment."""
        from provetune.models.entailment import check_entailment_bundle

        if settings.entailment is not None:
            check_entailment_bundle(folder, name, settings.entailment_label)

    def read_labels(
        self,
        folder: Path,
        task: Task,
        targets: Targets,
        settings: ZeroShotSettings,
        *,
        encoding: EncodeSettings,
        device: str,
        precision: str,
    ) -> LabelReader:
        """See `provetune.core.little_data.LabelMethod`."""
        if settings.entailment is not None:
            return _entailment_reader(folder, targets, settings, encoding, device, precision)
        import pyarrow as pa

        from provetune.models.features import load_encoder
        from provetune.models.loading import load_tokenizer

        said = describe_labels(targets.names, settings.label_descriptions, settings.label_template or "{label}")
        nothing = HeadModel(Linear(np.zeros((0, 0), np.float32), np.zeros(0, np.float32)), {})
        encoder, tokenizer = load_encoder(folder, device=device), load_tokenizer(folder)
        reader = EmbeddingReader(encoder, tokenizer, nothing, task, encoding, device, precision)
        embedded = reader.embed(pa.table({"text": pa.array(said, pa.string())}))
        layer = Linear((SCALE * embedded).astype(np.float32), np.zeros(len(said), dtype=np.float32))
        head = HeadModel(layer, {"labels": said, "scale": SCALE})
        return EmbeddingReader(encoder, tokenizer, head, task, encoding, device, precision)


def _entailment_reader(
    folder: Path, targets: Targets, settings: ZeroShotSettings, encoding: EncodeSettings, device: str, precision: str
) -> LabelReader:
    from provetune.models.backbones import describe
    from provetune.models.entailment import EntailmentReader, entailment_outputs
    from provetune.models.loading import load_model, load_tokenizer

    said = describe_labels(targets.names, settings.label_descriptions, settings.label_template or _HYPOTHESIS)
    entails, contradicts = entailment_outputs(folder, settings.entailment_label)
    tokenizer = load_tokenizer(folder)
    model = load_model(folder, "AutoModelForSequenceClassification", {}, 0, device=device)
    longest = max(len(ids) for ids in tokenizer(said)["input_ids"])
    most = describe(folder, name="", source="folder").max_positions
    return EntailmentReader(
        model,
        tokenizer,
        tuple(said),
        entails,
        contradicts,
        targets.kind == "multi_label",
        min(encoding.max_length + longest, most),
        device,
        precision,
    )


METHOD = ZeroShot()

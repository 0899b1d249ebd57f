"""A model of sentence pairs that is asked whether a text entails "this is about …", label by label.

Yin, Hay and Roth 2019 (arXiv:1909.00161): the text is the premise, what is said of a label the hypothesis. Where a text
has one label its score is the logit of entailment, and the softmax is over the labels; where it may have several, the
score is how much likelier entailment is than contradiction, and each label is judged on its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import CorruptError, UsageError
from provetune.core.files import read_json, write_json

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array

FILE = "entailment.json"
BATCH_TOKENS = 4096
_TEXTS_AT_ONCE = 64
_ENTAILS = ("entailment", "entails", "entailed", "蕴含", "蕴涵")
_CONTRADICTS = ("contradiction", "contradicts", "contradictory", "not_entailment", "矛盾")


@dataclass(frozen=True, eq=False)
class EntailmentReader:
    """A pair model with what it is asked; see `provetune.core.little_data.LabelReader`.

    Attributes:
        hypotheses: what is said of each label, C of them.
        entails, contradicts: which outputs of the model say so; None for a model that knows no contradiction.
        several: whether a text may have several labels.
        max_length: tokens of a text and a hypothesis together.
        scale: what logits are divided by.
    """

    model: torch.nn.Module
    tokenizer: Any
    hypotheses: tuple[str, ...]
    entails: int
    contradicts: int | None
    several: bool
    max_length: int
    device: str = "cpu"
    precision: str = "fp32"
    scale: float = 1.0
    kind: str = "entailment"

    def logits(self, examples: pa.Table) -> Array:
        """Scores of N examples, float32 (N, C)."""
        from provetune.models.label_words import whole_texts

        texts = whole_texts(examples)
        found = [self._score(texts[at : at + _TEXTS_AT_ONCE]) for at in range(0, len(texts), _TEXTS_AT_ONCE)]
        scores = np.concatenate(found) if found else np.zeros((0, len(self.hypotheses)))
        return np.asarray(scores / self.scale, dtype=np.float32)

    def scaled(self, temperature: float) -> EntailmentReader:
        return replace(self, scale=self.scale * temperature)

    def save(self, folder: Path) -> None:
        """Write ``entailment.json``."""
        names = ("hypotheses", "entails", "contradicts", "several", "max_length", "scale")
        write_json(Path(folder) / FILE, {name: getattr(self, name) for name in names})

    def _score(self, texts: Sequence[str]) -> Array:
        """Scores (n, C) of a few texts."""
        import torch

        from provetune.models.forward import batches_by_length, number_format

        count = len(self.hypotheses)
        encoded = self.tokenizer(
            [text for text in texts for _ in range(count)],
            list(self.hypotheses) * len(texts),
            truncation="only_first",
            max_length=self.max_length,
        )
        pairs = [dict(zip(encoded, cells, strict=True)) for cells in zip(*encoded.values(), strict=True)]
        scores = np.zeros(len(pairs))
        self.model.eval()
        with torch.inference_mode(), number_format(self.model, self.precision, self.device):
            for indices in batches_by_length(np.asarray([len(each["input_ids"]) for each in pairs]), BATCH_TOKENS):
                batch = self.tokenizer.pad([pairs[number] for number in indices], return_tensors="pt")
                logits = self.model(**{name: value.to(self.device) for name, value in batch.items()}).logits
                scores[indices] = self._entailment(logits.float()).cpu().numpy()
        return scores.reshape(len(texts), count)

    def _entailment(self, logits: torch.Tensor) -> torch.Tensor:
        import torch

        said = logits[:, self.entails]
        if not self.several:
            return said
        if self.contradicts is not None:
            return said - logits[:, self.contradicts]
        others = [number for number in range(logits.shape[1]) if number != self.entails]
        return said - torch.logsumexp(logits[:, others], dim=1)


def entailment_outputs(folder: Path, wanted: str | None) -> tuple[int, int | None]:
    """Which outputs of a pair model say entailment and contradiction.

    Args:
        wanted: name of its label that means entailment; None looks for one.

    Raises:
        UsageError: the model has no such label.
    """
    labels = read_json(Path(folder) / "config.json").get("id2label") or {}
    names = {str(name).casefold(): int(number) for number, name in labels.items()}
    sought = _ENTAILS if wanted is None else (wanted.casefold(),)
    entails = next((names[name] for name in sought if name in names), None)
    if entails is None:
        listed = ", ".join(f"'{name}'" for name in list(labels.values())[:6]) or "none"
        raise UsageError(
            f"This model has no label that means entailment; its labels are {listed}.",
            hint="Give the bundle of a pair problem with one, or name it: entailment_label.",
        )
    return entails, next((names[name] for name in _CONTRADICTS if name in names), None)


def check_entailment_bundle(folder: Path, name: str, wanted: str | None) -> None:
    """Refuse what is no pair model with an entailment label.

    Raises:
        UsageError: it is not.
    """
    from provetune.models.bundle.record import RECORD

    record = read_json(folder / RECORD) if (folder / RECORD).is_file() else {}
    if record and (record.get("task") != "pair" or record.get("bundle_kind") != "transformers"):
        raise UsageError(
            f"'{name}' is a bundle of the task '{record.get('task')}' and the kind '{record.get('bundle_kind')}'.",
            hint="entailment takes the bundle of a pair problem, trained with method: full or one that merges.",
        )
    entailment_outputs(folder, wanted)


def load_reader(folder: Path, encoder: Path, *, device: str, precision: str) -> EntailmentReader:
    """The reader that `EntailmentReader.save` wrote, and its model.

    Raises:
        CorruptError: the file is missing or is not what it should be.
    """
    from provetune.models.loading import load_model, load_tokenizer

    place = Path(folder) / FILE
    try:
        document = read_json(place)
        kept = {**document, "hypotheses": tuple(document["hypotheses"])}
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise CorruptError(f"What the model is asked cannot be read ({error}).", where=str(place)) from error
    model = load_model(encoder, "AutoModelForSequenceClassification", {}, 0, device=device)
    return EntailmentReader(model, load_tokenizer(encoder), device=device, precision=precision, **kept)

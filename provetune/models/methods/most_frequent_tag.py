"""Each word gets the tag that it had most often: the least that a tagger must beat."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from provetune.core.errors import CorruptError
from provetune.core.files import read_json, write_json
from provetune.core.protocols import LearnsFrom
from provetune.data.span_words import UNSAID
from provetune.data.words import find_words
from provetune.models.word_tags import known_tags

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array, FeatureColumns, Outputs, Targets, Task

_FILE = "most_frequent_tag.json"
_SMOOTHING = 0.01


class MostFrequentTagSettings(BaseModel):
    """`most_frequent_tag` adds nothing to a candidate's common fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, eq=False)
class MostFrequentTagModel:
    """How often each word had each tag.

    Attributes:
        counts: lower-case word → tag number → times.
        shares: of each tag among all words, (2 T + 1,); what is said of a word that training did not have.
    """

    counts: Mapping[str, Mapping[int, int]]
    shares: Array

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        """Log-shares of the tags of each text's words, a list of (U, 2 T + 1)."""
        return [self._logs(text) for text in examples.column("text").to_pylist()], None

    def save(self, folder: Path) -> None:
        """Write ``most_frequent_tag.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        counts = {word: {str(tag): times for tag, times in of.items()} for word, of in self.counts.items()}
        write_json(folder / _FILE, {"shares": self.shares.tolist(), "counts": counts})

    def _logs(self, text: str) -> Array:
        words = [text[start:end].lower() for start, end in find_words(text)]
        rows = np.tile(self.shares * _SMOOTHING, (len(words), 1))
        for row, word in zip(rows, words, strict=True):
            for tag, times in self.counts.get(word, {}).items():
                row[tag] += times
        return np.asarray(np.log(rows / rows.sum(axis=1, keepdims=True)), dtype=np.float32)


class MostFrequentTag:
    """`most_frequent_tag`: counts, and draws nothing at random."""

    name = "most_frequent_tag"
    summary = "The tag that each word had most often in training: the least that a tagger must beat."
    learns_from: LearnsFrom = "examples"
    tasks: tuple[str, ...] | None = ("tagging",)
    bundle_kind = "examples"
    settings: type[BaseModel] = MostFrequentTagSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True

    def fit(
        self,
        examples: pa.Table,
        task: Task,
        targets: Targets,
        settings: MostFrequentTagSettings,
        *,
        seed: int,
        validation: pa.Table,
    ) -> MostFrequentTagModel:
        """Count the tags of words in labelled rows."""
        labelled = examples.filter(examples.column("label").is_valid())
        counts: dict[str, Counter[int]] = {}
        totals = np.ones(2 * len(targets.names) + 1)
        for text, tags in zip(labelled.column("text").to_pylist(), known_tags(labelled, targets), strict=True):
            for (start, end), tag in zip(find_words(text), tags.tolist(), strict=True):
                if tag != UNSAID:
                    counts.setdefault(text[start:end].lower(), Counter())[tag] += 1
                    totals[tag] += 1
        return MostFrequentTagModel(counts, totals / totals.sum())

    def load(self, folder: Path, task: Task, targets: Targets) -> MostFrequentTagModel:
        """The model that `MostFrequentTagModel.save` wrote.

        Raises:
            CorruptError: the file is missing, or is not what was written.
        """
        place = folder / _FILE
        try:
            document = read_json(place)
            shares = np.asarray(document["shares"], dtype=np.float64)
            counts = {
                word: {int(tag): int(times) for tag, times in of.items()} for word, of in document["counts"].items()
            }
        except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise CorruptError(f"The counts of tags cannot be read ({error}).", where=str(place)) from error
        if shares.shape != (2 * len(targets.names) + 1,):
            raise CorruptError("The counts of tags do not fit the labels.", where=str(place))
        return MostFrequentTagModel(counts, shares)


METHOD = MostFrequentTag()

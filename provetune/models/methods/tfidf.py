"""The honest baseline: weighted words and character n-grams, and a linear model on them.

Logistic regression for labels, ridge regression for numbers.

No backbone, no GPU, seconds to fit. Characters carry languages that are written without spaces, and misspellings.
Memory is bounded: of texts with more than 268 million entries (n-grams of a text, each counted once), only every so
manieth is learnt from, evenly spaced; `rows` among the facts says how many were. C is chosen by fits on no more than 17
million entries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from provetune.core.errors import CorruptError, DataError
from provetune.core.protocols import LearnsFrom, Targets
from provetune.models.linear_file import load_linear, save_linear
from provetune.models.logistic import Linear, fit_chosen
from provetune.models.ngrams import Analyser, Block, Vectoriser, stack
from provetune.models.ridge import VALUES, fit_ridge_chosen
from provetune.models.text_column import TextColumn
from provetune.models.text_rows import TextRows, count_rows
from provetune.models.vocabulary import fit_vectoriser, in_chunks

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

Auto: TypeAlias = Literal["auto"]
Span: TypeAlias = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1, le=10)]]

_STRENGTHS = (1.0, 4.0, 16.0, 64.0)
_DEFAULT_STRENGTH = 4.0
_RIDGE_STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_DEFAULT_RIDGE_STRENGTH = 1.0
_MANY_ROWS = 10_000
_TEXTS_AT_ONCE = 16_384
# Three bytes an entry: 0.8 GB. A million texts of ten English words have 160 million entries.
_MOST_ENTRIES = 1 << 28
_ENTRIES_TO_CHOOSE_BY = 1 << 24
_UNSPACED_SHARE = 0.3
# Scripts written without spaces: kana, Han, Thai, Lao, Khmer, Myanmar.
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x9FFF),
    (0x20000, 0x323AF),
)


class TfidfSettings(BaseModel):
    """What `tfidf` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    C: Annotated[float, Field(gt=0)] | Auto = Field(
        "auto", description="Inverse of the regularisation; auto takes the best of several on the validation rows."
    )
    words: Span | None = Field((1, 2), description="Fewest and most words of a word n-gram; null for none.")
    characters: Literal["auto", "inside_words", "across_words", "none"] = Field(
        "auto",
        description="Character n-grams inside words or across them; auto: across where scripts use no spaces.",
    )
    character_span: Span | Auto = Field(
        "auto", description="Fewest and most characters of an n-gram; auto: 2 to 5 inside words, 1 to 3 across them."
    )
    least_rows: Annotated[int, Field(ge=1)] | Auto = Field(
        "auto", description="Rows that an n-gram must occur in; auto: 1, and 2 from ten thousand rows on."
    )
    most_words: int = Field(20_000, ge=1, description="Word n-grams kept at most, the most frequent first.")
    most_characters: int = Field(40_000, ge=1, description="Character n-grams kept at most, the most frequent first.")

    @model_validator(mode="after")
    def _counts_something(self) -> TfidfSettings:
        if self.words is None and self.characters == "none":
            raise ValueError("words and characters must not both be switched off.")
        for name, span in (("words", self.words), ("character_span", self.character_span)):
            if isinstance(span, tuple) and span[0] > span[1]:
                raise ValueError(f"{name} must be the fewest, then the most. Got {list(span)} instead.")
        return self


@dataclass(frozen=True)
class TfidfModel:
    """Fitted n-grams and the layer on them.

    Attributes:
        vectorisers: the blocks, beside one another in the layer's columns.
        layer: weight (C, sum of D) and bias (C,).
        facts: what was chosen and seen, e.g. ``{"C": 4.0, "terms": 61234, "least_rows": 1, "rows": 5000}``.
    """

    vectorisers: tuple[Vectoriser, ...]
    layer: Linear
    facts: Mapping[str, Any]

    def logits(self, inputs: Sequence[str]) -> Array:
        """Scores before normalisation of texts, float32 (N, C)."""
        found = [self.layer.logits(stack(self.vectorisers, some)) for some in in_chunks(inputs, _TEXTS_AT_ONCE)]
        return np.concatenate(found) if found else np.empty((0, len(self.layer.bias)), dtype=np.float32)

    def scaled(self, temperature: float) -> TfidfModel:
        """The model with its logits divided by `temperature`."""
        return TfidfModel(self.vectorisers, self.layer.scaled(temperature), self.facts)

    def save(self, folder: Path) -> None:
        """Write ``tfidf.safetensors`` and ``tfidf.json``."""
        blocks = [
            {
                "analyser": each.block.analyser,
                "shortest": each.block.shortest,
                "longest": each.block.longest,
                "terms": list(each.terms),
            }
            for each in self.vectorisers
        ]
        weights = {f"idf.{number}": each.idf for number, each in enumerate(self.vectorisers)}
        save_linear(folder, "tfidf", self.layer, {"facts": dict(self.facts), "blocks": blocks}, **weights)


class Tfidf:
    """`tfidf`: fits texts in one go. Two runs are equal whatever their seeds, so its spread over seeds is nought."""

    name = "tfidf"
    summary = "Word and character n-grams with a logistic or ridge regression: the baseline, no pretrained model."
    learns_from: LearnsFrom = "texts"
    tasks: tuple[str, ...] | None = None
    bundle_kind = "tfidf"
    settings: type[BaseModel] = TfidfSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True
    ranges: Mapping[str, Any] = MappingProxyType({"C": {"low": 0.1, "high": 1000.0, "log": True}})

    def fit(
        self,
        inputs: Sequence[str],
        labels: Array,
        targets: Targets,
        settings: TfidfSettings,
        *,
        seed: int = 0,
        validation: tuple[Sequence[str], Array] | None = None,
        label_weights: Array | None = None,
    ) -> TfidfModel:
        """Fit on texts; see `FitMethod.fit`. `seed` changes nothing: the fit is convex and draws no number.

        Raises:
            DataError: the texts have no n-gram in common that could be counted.
        """
        least = settings.least_rows if settings.least_rows != "auto" else (2 if len(inputs) >= _MANY_ROWS else 1)
        blocks = choose_blocks(inputs, settings)
        fitted = [fit_vectoriser(inputs, block, least_rows=least, most_terms=most) for block, most in blocks]
        vectorisers = tuple(vectoriser for vectoriser, _ in fitted if vectoriser.terms)
        if not vectorisers:
            raise DataError("The training texts hold nothing that can be counted: no word and no character n-gram.")
        entries = sum(count for _, count in fitted)
        features, answers = _thinned(vectorisers, inputs, labels, entries, _MOST_ENTRIES)
        held_out = None
        if validation is not None and len(validation[0]):
            held_out = (stack(vectorisers, list(validation[0])), validation[1])
        sample = None
        if held_out is not None and settings.C == "auto" and entries > _ENTRIES_TO_CHOOSE_BY:
            sample = _thinned(vectorisers, inputs, labels, entries, _ENTRIES_TO_CHOOSE_BY)
        strength, layer = _fit_layer(features, answers, targets, settings, label_weights, held_out, sample)
        terms = sum(len(each.terms) for each in vectorisers)
        facts = {"C": strength, "terms": terms, "least_rows": least, "rows": features.shape[0]}
        return TfidfModel(vectorisers, layer, facts)

    def load(self, folder: Path) -> TfidfModel:
        """The model that `TfidfModel.save` wrote; loads neither torch nor scikit-learn."""
        layer, document, arrays = load_linear(folder, "tfidf")
        try:
            vectorisers = tuple(
                Vectoriser(
                    Block(block["analyser"], block["shortest"], block["longest"]),
                    tuple(block["terms"]),
                    arrays[f"idf.{number}"],
                )
                for number, block in enumerate(document["blocks"])
            )
        except (KeyError, TypeError) as error:
            raise CorruptError(f"The list of n-grams cannot be read ({error!r}).", where=str(folder)) from error
        if sum(len(each.terms) for each in vectorisers) != layer.weight.shape[1]:
            raise CorruptError("The list of n-grams does not fit the weights.", where=str(folder))
        return TfidfModel(vectorisers, layer, document.get("facts", {}))


def join_texts(examples: pa.Table) -> Sequence[str]:
    """What the method reads of each example: its text, and of a pair both on two lines."""
    return TextColumn(examples)


def _fit_layer(
    features: TextRows,
    answers: Array,
    targets: Targets,
    settings: TfidfSettings,
    weights: Array | None,
    validation: tuple[Any, Array] | None,
    sample: tuple[TextRows, Array] | None,
) -> tuple[float, Linear]:
    """The strength that was given or chosen, and the linear model on counted texts."""
    strength = None if settings.C == "auto" else settings.C
    if targets.kind == VALUES:
        return fit_ridge_chosen(
            features,
            answers,
            strength=strength,
            strengths=_RIDGE_STRENGTHS,
            default=_DEFAULT_RIDGE_STRENGTH,
            validation=validation,
        )
    return fit_chosen(
        features,
        answers,
        len(targets.names),
        strength=strength,
        strengths=_STRENGTHS,
        default=_DEFAULT_STRENGTH,
        weights=weights,
        validation=validation,
        sample=sample,
    )


def _thinned(
    vectorisers: Sequence[Vectoriser], texts: Sequence[str], labels: Array, entries: int, most: int
) -> tuple[TextRows, Array]:
    """The counted texts and their labels; where they have more than `most` entries, only every so manieth of them."""
    share = min(1.0, most / max(1, entries))
    # The whole part of row · share steps up at the rows that are kept: as many as the share says, evenly spaced.
    kept = np.diff(np.floor(np.arange(len(texts) + 1) * share)) > 0 if share < 1 else np.ones(len(texts), dtype=bool)
    return count_rows(vectorisers, in_chunks(compress(texts, kept), _TEXTS_AT_ONCE)), np.asarray(labels)[kept]


def choose_blocks(texts: Sequence[str], settings: TfidfSettings) -> list[tuple[Block, int]]:
    """The blocks that the settings ask for, each with the most terms it may keep."""
    blocks: list[tuple[Block, int]] = []
    if settings.words is not None:
        blocks.append((Block("word", *settings.words), settings.most_words))
    where = settings.characters
    if where == "auto":
        where = "across_words" if unspaced_share(texts) > _UNSPACED_SHARE else "inside_words"
    if where != "none":
        analyser: Analyser = "char" if where == "across_words" else "char_wb"
        usual = (1, 3) if where == "across_words" else (2, 5)
        span = usual if settings.character_span == "auto" else settings.character_span
        blocks.append((Block(analyser, *span), settings.most_characters))
    return blocks


def unspaced_share(texts: Sequence[str], sample: int = 1000) -> float:
    """Share of the letters, in the first texts, of scripts that are written without spaces."""
    letters = [ord(character) for text in islice(texts, sample) for character in text[:200] if character.isalpha()]
    unspaced = sum(1 for code in letters if any(first <= code <= last for first, last in _UNSPACED))
    return unspaced / len(letters) if letters else 0.0


METHOD = Tfidf()

"""How a model decodes: the settings that every task of writing texts shares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

AUTO_TARGET_LENGTH = 256
_SPECIAL_TOKENS = 4
Decoding = Literal["greedy", "beam", "sample"]


class DecodingOptions(BaseModel):
    """Written under ``options`` in a problem file; the task adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decoding: Decoding = Field(
        "beam", description="greedy: the likeliest token each time; beam: the likeliest whole text; sample: at random."
    )
    beams: Annotated[int, Field(ge=2, le=64)] = Field(4, description="Texts that beam search follows side by side.")
    length_penalty: float = Field(
        1.0, description="Over 0, beam search favours longer texts the more the greater it is; under 0, shorter ones."
    )
    no_repeat_ngram: Annotated[int, Field(ge=0)] = Field(
        0, description="So many tokens in a row are never written twice; 0 allows everything."
    )
    min_target_length: Annotated[int, Field(ge=0)] = Field(0, description="Tokens that are written at least.")
    max_target_length: Annotated[int, Field(ge=2, le=16_384)] = Field(
        128, description="Tokens of a target at most, in training and in writing. What is longer is cut and counted."
    )
    temperature: Annotated[float, Field(gt=0)] = Field(
        1.0, description="Of sampling: under 1 likely tokens become likelier still, over 1 less so."
    )
    top_k: Annotated[int, Field(ge=0)] = Field(50, description="Sampling draws among so many likeliest tokens; 0: all.")
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Sampling draws among the likeliest tokens that have this much probability together."
    )
    sampling_seed: Annotated[int, Field(ge=0)] = Field(0, description="Decides what sampling draws.")


def longest_target(targets: Iterable[str]) -> int:
    """Tokens that the longest of these can have, 256 at most: no tokenizer makes more of a text than it has bytes."""
    longest = max((len(text.encode()) for text in targets), default=0)
    return min(AUTO_TARGET_LENGTH, longest + _SPECIAL_TOKENS)


def greedy(options: dict[str, Any]) -> dict[str, Any]:
    """The same options with the quickest way to decode."""
    return {**options, "decoding": "greedy"}

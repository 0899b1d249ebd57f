"""How a backbone goes on learning from raw text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provetune.core.errors import UsageError


class PretrainSettings(BaseModel):
    """Settings of one pretraining run, none of them left open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: Annotated[float, Field(gt=0)] = Field(description="Passes over the texts.")
    learning_rate: Annotated[float, Field(gt=0)] = Field(description="Peak of the learning rate.")
    batch_rows: Annotated[int, Field(ge=1)] = Field(description="Pieces of text in a batch at most.")
    batch_tokens: Annotated[int, Field(ge=1)] = Field(description="Tokens in a batch at most.")
    max_length: Annotated[int, Field(ge=4)] = Field(description="Tokens of a piece at most; longer texts are cut.")
    held_out: Annotated[float, Field(gt=0, lt=1)] = Field(description="Share of the texts that only judge.")
    mask_share: Annotated[float, Field(gt=0, lt=1)] = Field(description="Share of the words that are masked (mlm).")
    head_warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Share of the passes in which a new head learns alone, the encoder frozen (mlm); 0 for none."
    )
    temperature: Annotated[float, Field(gt=0)] = Field(description="Of the cosines (simcse).")
    evaluations: Annotated[int, Field(ge=1)] = Field(description="How often held-out texts are asked.")
    seed: Annotated[int, Field(ge=0)] = Field(description="Decides what is drawn.")


USUAL: Mapping[str, Any] = {
    "epochs": 3.0,
    "learning_rate": 1e-4,
    "batch_rows": 32,
    "batch_tokens": 4096,
    "max_length": 128,
    "held_out": 0.05,
    "mask_share": 0.15,
    "head_warmup": 0.0,
    "temperature": 0.05,
    "evaluations": 3,
    "seed": 0,
}
"""What is taken where neither a person nor the objective says otherwise. 15 % of the words and a temperature of 0.05
are the papers' (Devlin et al. 2019, arXiv:1810.04805; Gao et al. 2021, arXiv:2104.08821)."""


def settle(wanted: Mapping[str, Any], defaults: Mapping[str, Any], most_tokens: int) -> PretrainSettings:
    """Settings with nothing left open.

    Args:
        wanted: by field; None leaves it open.
        defaults: the objective's own.
        most_tokens: that the backbone takes.

    Raises:
        UsageError: a value cannot be.
    """
    chosen = {**USUAL, **defaults, **{name: value for name, value in wanted.items() if value is not None}}
    if wanted.get("max_length") is None:
        chosen["max_length"] = min(chosen["max_length"], most_tokens)
    elif chosen["max_length"] > most_tokens:
        raise UsageError(f"max_length {chosen['max_length']} is more than the backbone takes ({most_tokens}).")
    try:
        return PretrainSettings.model_validate(chosen)
    except ValidationError as error:
        fault = error.errors()[0]
        raise UsageError(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}. Got {fault['input']!r}.") from error

"""Settings of classification's own: when one of several labels is given, and when nothing is answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Abstain(BaseModel):
    """What decides how sure an answer must be: a share to be answered, or a share of errors not to be exceeded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    coverage: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Share of the rows that is answered, the surest first."
    )
    risk: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Share of wrong answers among those given, at most; as many rows are answered as it allows."
    )
    certainty: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="Probability with which other rows of the kind keep to the risk. Left out: it holds on the "
        "validation rows themselves, and others exceed it about every other time.",
    )

    @model_validator(mode="after")
    def _one_aim(self) -> Abstain:
        if (self.coverage is None) == (self.risk is None):
            raise ValueError("must name either coverage or risk.")
        if self.certainty is not None and self.risk is None:
            raise ValueError("can name certainty only with risk.")
        return self


class ClassificationOptions(BaseModel):
    """What classification adds to a problem file, under ``options``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    thresholds: Literal["auto", "global", "per_label"] | Annotated[float, Field(gt=0, lt=1)] = Field(
        "auto",
        description="Probability from which one of several labels is given: a number, or chosen on the validation rows "
        "for the best F1: one for all (global), one each (per_label), or each its own where at least 20 rows have the "
        "label and one for the rest (auto). Without effect where a row has one label.",
    )
    labels: list[str] | None = Field(
        None,
        description="Labels that there are besides those of the training rows: of rows that an earlier model learned "
        "from (backbone: BUNDLE, keep_head: true), or that objective: replay mixes in.",
    )
    abstain: Abstain | None = Field(
        None,
        description="Leave rows unanswered that the model is not sure of: {coverage: 0.9} answers nine in ten, "
        "{risk: 0.05} as many as leave five in a hundred wrong. The line is drawn on the validation rows.",
    )

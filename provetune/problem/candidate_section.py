"""The problem file's candidates: a hypothesis each, its common fields, and what is searched of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from provetune.problem.data_section import CandidateData
from provetune.problem.section import AUTO, Auto, Names, Section

LEFT_OUT_AT_DEFAULT = (
    "data",
    "search",
    "keep_head",
    "schedule",
    "optimiser",
    "layer_decay",
    "unfreeze",
    "ema",
    "gradient_checkpointing",
    "hidden_dropout",
    "attention_dropout",
    "head_dropout",
)
"""Fields of a candidate that are not written at their defaults, so that a study that names none of them stays the study
that it was before they were known."""


class SearchRange(Section):
    """Numbers that a search draws a field's value from."""

    low: float = Field(description="The least value.")
    high: float = Field(description="The greatest value.")
    log: bool = Field(False, description="Draw its logarithm evenly, as suits learning rates.")

    @model_validator(mode="after")
    def _holds_something(self) -> SearchRange:
        if self.low >= self.high:
            raise ValueError(f"must have low under high. Got {self.low:g} and {self.high:g} instead.")
        if self.log and self.low <= 0:
            raise ValueError(f"must have low above 0 where log is true. Got {self.low:g} instead.")
        return self

    @property
    def whole(self) -> bool:
        """Whether both ends are whole numbers above 0, so that what is drawn is one."""
        return self.low >= 1 and self.low == int(self.low) and self.high == int(self.high)


Choices = Annotated[list[Any], Field(min_length=2)]


class SearchSection(Section):
    """How settings are searched for candidates that ask for it."""

    trials: Annotated[int, Field(ge=1, le=10_000)] = Field(20, description="Trials of each candidate at most.")
    minutes: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Minutes of training for each candidate; once they are over, no further round begins."
    )
    prune: Literal["asha", "hyperband", "none"] = Field(
        "asha", description="How trials that fall behind on validation rows are given up."
    )


class Candidate(Section):
    """One hypothesis about what solves the problem: a backbone, a method and their settings."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    method: str = Field(description="How the backbone is adapted; `provetune methods` lists them.")
    backbone: str = Field(AUTO, description="Local folder, hub name, catalogue name, or auto.")
    search: dict[str, SearchRange | Choices] | Auto | None = Field(
        None,
        description="Fields to search and their ranges, {low, high, log} or a list of choices; auto takes those that "
        "suit the method.",
    )
    keep_head: bool = Field(
        False,
        description="The backbone is a bundle: go on with its output layer too, label by label, instead of a new one.",
    )
    objective: str | Names = Field("plain", description="What is minimised.")
    epochs: Annotated[float, Field(gt=0)] | Auto = Field(AUTO, description="Passes over the training rows at most.")
    learning_rate: Annotated[float, Field(gt=0)] | Auto = Field(AUTO, description="Peak learning rate.")
    batch_tokens: Annotated[int, Field(ge=16)] | Auto = Field(
        AUTO, description="Tokens in a batch at most, padding included."
    )
    batch_rows: Annotated[int, Field(ge=1)] | Auto = Field(AUTO, description="Rows in a batch at most.")
    max_length: Annotated[int, Field(ge=4)] | Auto = Field(
        AUTO, description="Tokens a text may have; auto takes the 99th percentile of the training texts."
    )
    long_texts: Literal["head", "head_tail", "windows"] | Auto = Field(
        AUTO, description="Longer texts keep their head, head and tail, or are cut into overlapping windows."
    )
    weight_decay: Annotated[float, Field(ge=0)] | Auto = Field(AUTO, description="Decoupled weight decay.")
    warmup: Annotated[float, Field(ge=0, lt=1)] | Auto = Field(
        AUTO, description="Share of the steps over which the learning rate rises; it then goes as `schedule` says."
    )
    schedule: Literal["linear", "cosine", "constant", "polynomial", "one_cycle"] = Field(
        "linear",
        description="How the learning rate goes on after its rise: to 0 in a line, half a cosine or a square; "
        "constant; or one_cycle: back as far as it rose, and far below in the end.",
    )
    optimiser: Literal["adamw", "sgd", "adafactor"] = Field(
        "adamw", description="What turns gradients into steps; sgd has momentum, adafactor needs the least memory."
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="Factor of the learning rate from each layer to the one below it; the head has the whole rate, the "
        "embeddings the smallest.",
    )
    unfreeze: Literal["all", "gradual"] = Field(
        "all",
        description="gradual: only the head learns in the first epoch, and each epoch adds the next layer below; "
        "layers that the epochs do not reach stay as they were.",
    )
    ema: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="Decay of an exponential moving average of the weights, which is scored and kept in their place, "
        "e.g. 0.99; null for none.",
    )
    gradient_checkpointing: bool = Field(
        False, description="Compute each layer again in the backward pass: less memory, more time, the same result."
    )
    hidden_dropout: Annotated[float, Field(ge=0, lt=1)] | Auto = Field(
        AUTO,
        description="Dropout of the backbone's hidden states, and of the head where it has none of its own; auto "
        "leaves the backbone's.",
    )
    attention_dropout: Annotated[float, Field(ge=0, lt=1)] | Auto = Field(
        AUTO,
        description="Dropout of the attention's shares; auto leaves the backbone's, which the faster dropout of a CPU "
        "passes over.",
    )
    head_dropout: Annotated[float, Field(ge=0, lt=1)] | Auto = Field(
        AUTO, description="Dropout before the head; auto leaves the backbone's."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        AUTO, description="Number format of the arithmetic; auto takes bf16 where this machine is fast at it."
    )
    accumulate: Annotated[int, Field(ge=1)] = Field(1, description="Batches whose gradients are summed before a step.")
    clip: Annotated[float, Field(gt=0)] | None = Field(1.0, description="Largest gradient norm; null for no limit.")
    label_weights: Literal["none", "balanced", "auto"] = Field(
        AUTO,
        description="Weight rare labels up; auto does so when the largest label has over 10 times the smallest's rows.",
    )
    patience: Annotated[int, Field(ge=1)] | Auto = Field(
        AUTO, description="Evaluations without a better validation score before training stops."
    )
    evaluations: Annotated[int, Field(ge=1)] | Auto = Field(
        AUTO, description="How often the validation rows are scored in all; auto: once an epoch, at least three times."
    )
    speedups: bool = Field(
        True, description="Use the faster optimiser and dropout; false takes the plain ones, slower but textbook."
    )
    data: CandidateData | None = Field(
        None, description="What it learns from and sees, where that differs from the problem's data."
    )

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_there(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Fields that were not named stay unwritten, as a person leaves them out."""
        written: dict[str, Any] = write(self)
        for name in LEFT_OUT_AT_DEFAULT:
            if getattr(self, name) == type(self).model_fields[name].default:
                written.pop(name, None)
        return written

    @property
    def extra(self) -> dict[str, Any]:
        """Fields that the method adds, as written in the file."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def objectives(self) -> list[str]:
        return [self.objective] if isinstance(self.objective, str) else list(self.objective)

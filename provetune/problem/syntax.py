"""The problem file's syntax: every field, its type, its default and its documentation.

A field's description here is the help text, the JSON Schema's text and the reference page's text.
Fields that a method adds to a candidate are defined in the method's own file (`Method.settings`); here they
are collected unchecked in `Candidate.extra` and checked by `study/resolve.py`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

AUTO: Final = "auto"
NAME = re.compile(r"[^\W\d]\w*\Z")
# A folder's name may have 255 bytes, of which a letter of some scripts takes four.
LONGEST_NAME = 60
_NOT_IN_FILE_NAMES = re.compile(r'[\x00-\x1f\x7f\\/:*?"<>|]')

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

Auto = Literal["auto"]
MaskKind = Literal["email", "phone", "id_number", "bank_card"]


def _fits_claims(name: str) -> str:
    if not NAME.match(name):
        raise ValueError(f"must be letters, digits and '_', so that claims can name it. Got '{name}' instead.")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"must have at most {LONGEST_NAME} letters: it names folders. Got {len(name)} instead.")
    return name


CandidateName = Annotated[str, AfterValidator(_fits_claims)]
Names = Annotated[list[str], Field(min_length=1)]


class Section(BaseModel):
    """A part of the file. Unknown keys are refused; values are never changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Columns(Section):
    """Which column plays which part. Left out: detected, and shown with the first rows.

    A task may have parts of its own, e.g. ``tokens``; `study/problem_checks.py` checks their names.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, str | list[str] | None]

    text: str | Names | None = Field(
        None, description="Column with the text. A list of two is read as a pair, more are joined by a separator."
    )
    label: str | Names | None = Field(
        None, description="Column with the label. A list of columns with 0/1 values means several labels a row."
    )
    group: str | None = Field(None, description="Column whose rows must not be spread over splits.")
    time: str | None = Field(None, description="Column with a date or time, for splits that test on the latest rows.")
    id: str | None = Field(None, description="Column with an identifier; never taken for a text or a label.")

    def named(self) -> dict[str, str | list[str]]:
        """The columns that are named, by part."""
        return {part: value for part, value in self.model_dump().items() if value is not None}

    def part(self, name: str) -> str | list[str] | None:
        """The column (or columns) of one part, None where none is named."""
        return self.named().get(name)


class Split(Section):
    """How rows are set aside when no test or validation file is given."""

    test: float = Field(0.2, gt=0, lt=1, description="Share of the rows that is sealed for the test.")
    validation: float = Field(0.1, gt=0, lt=1, description="Share of the rows used for stopping and selection.")
    stratify: bool = Field(True, description="Keep each label's share equal in all splits.")
    group: str | None = Field(None, description="Column whose equal values stay in one split, e.g. customer_id.")
    time: str | None = Field(None, description="Column with a time: the latest rows become the test.")
    seed: int = Field(13, ge=0, description="Seed of the split and of every run of the study.")

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> Split:
        if self.test + self.validation >= 1:
            raise ValueError(
                f"must leave rows for training: test + validation under 1. Got {self.test + self.validation:g} instead."
            )
        return self


class Subset(Section):
    """A few rows of each label, to learn with little data."""

    per_label: int = Field(
        ge=1, description="Training rows of each label; a label that has fewer gives all of them, and that is said."
    )


class Data(Section):
    """Where rows come from and how they are divided."""

    train: str | None = Field(
        None,
        description="File with labelled rows (csv, tsv, jsonl, json, parquet) beside the problem file, or hub:NAME.",
    )
    validation: str | None = Field(None, description="File with validation rows. Left out: split off from train.")
    test: str | None = Field(None, description="File with test rows. Left out: split off before anything is looked at.")
    corpus: str | None = Field(
        None, description="File with more documents that a query may find, for tasks that look for documents."
    )
    columns: Columns = Field(Columns(), description="Which column plays which part.")
    split: Split = Field(Split(), description="How rows are set aside when no file is given for a split.")
    mask: list[MaskKind] = Field([], description="Kinds of personal data replaced by a placeholder in every text.")
    label_separator: str | None = Field(
        None, min_length=1, description="Text between labels where one cell holds several, e.g. '|'."
    )
    out_of_scope: str | None = Field(None, description="The label that means 'none of these'.")
    encoding: str | None = Field(None, description="Text encoding of the files. Left out: detected and said.")
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="Cell separator. Left out: detected.")
    skip_bad: bool = Field(
        False,
        description="Set rows that cannot be read aside, into a file beside the study, instead of stopping at them.",
    )
    merge: dict[str, Annotated[list[str], Field(min_length=2)]] = Field(
        {},
        description="Labels read as one in every split, by the name that they get, e.g. refund: [refund, money_back].",
    )
    subset: Subset | None = Field(
        None,
        description="Training rows of each label that every candidate learns from, e.g. {per_label: 8}, drawn anew for "
        "each seed; one whose own data names a share or a subset has that. Validation and test rows stay whole.",
    )

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_there(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without merged labels, skipped rows, a corpus and a subset the keys are left out, as a person leaves them
        out."""
        written: dict[str, Any] = write(self)
        for name in ("merge", "skip_bad", "corpus", "subset"):
            if not written.get(name):
                written.pop(name, None)
        return written

    @field_validator("merge")
    @classmethod
    def _each_label_once(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        named = [label for labels in value.values() for label in labels]
        if twice := sorted({label for label in named if named.count(label) > 1}):
            raise ValueError(f"must name each label once. Got '{twice[0]}' more often.")
        return value

    @field_validator("encoding")
    @classmethod
    def _python_knows_it(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                "a".encode(value)
            except (LookupError, ValueError):
                raise ValueError(
                    f"must be a text encoding such as utf-8, utf-16 or gb18030. Got '{value}' instead."
                ) from None
        return value


class CandidateData(Section):
    """What one candidate learns from and sees, where that is not the problem's data as they are."""

    share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the training rows that it learns from, drawn anew for each seed, label by label; "
        "validation and test rows stay whole.",
    )
    subset: Subset | None = Field(
        None,
        description="Training rows of each label that it learns from, e.g. {per_label: 8}, drawn anew for each seed; "
        "takes the place of share and of data.subset.",
    )
    deduplicate: bool = Field(
        False, description="Leave out training rows that repeat another's text (case and spaces aside) and label."
    )
    mask: list[MaskKind] = Field(
        [], description="Kinds of personal data replaced in every text that it sees, besides those of data.mask."
    )
    corrections: str | dict[str, str | None] | None = Field(
        None,
        description="File with the columns row_id and corrected: training rows that get another label, or, where "
        "the cell is empty, are left out; see `provetune next`.",
    )

    @model_validator(mode="after")
    def _draws_in_one_way(self) -> CandidateData:
        if self.share < 1 and self.subset is not None:
            raise ValueError("must name a share or a subset. Got both.")
        return self

    @property
    def draws(self) -> bool:
        """Whether each run learns from rows of its own draw."""
        return self.share < 1 or self.subset is not None

    def part_of(self, rows: int, labels: int) -> float:
        """About which part of so many training rows with so many labels it learns from."""
        if self.subset is None:
            return self.share
        return min(1.0, self.subset.per_label * max(1, labels) / max(1, rows))

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_there(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without corrections and a subset the keys are left out, as a person leaves them out."""
        written: dict[str, Any] = write(self)
        for name in ("corrections", "subset"):
            if getattr(self, name) is None:
                written.pop(name, None)
        return written


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


class StudySection(Section):
    """How the hypotheses are tested."""

    seeds: int = Field(5, ge=1, le=100, description="Runs of each candidate; claims need at least three.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="One-sided confidence of every verdict.")
    smallest_effect: float = Field(
        0.01,
        gt=0,
        description="Smallest distance from a claim's margin that matters, in units of the metric; what an "
        "inconclusive claim needs is reckoned for it.",
    )
    stop_early: bool = Field(
        False,
        description="Judge after 3 and 5 seeds too, at levels that share the study's, and train on only while a claim "
        "is undecided.",
    )
    keep: Literal["best", "all"] = Field("best", description="Which bundles stay on the disk.")
    checkpoint_minutes: float = Field(5.0, gt=0, description="Longest time between two checkpoints of a run.")
    checkpoint_steps: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Most steps between two checkpoints of a run; left out, only time counts."
    )
    trackers: list[Literal["tensorboard", "wandb", "mlflow"]] = Field(
        [], description="Where events are also sent; each needs its extra installed."
    )
    parallel: Annotated[int, Field(ge=1)] | Auto = Field(
        AUTO, description="Trials at the same time; auto measures what is fastest on this machine."
    )
    search: SearchSection = Field(SearchSection(), description="How settings are searched for candidates that ask.")

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_there(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The usual search is not written: most studies have none."""
        written: dict[str, Any] = write(self)
        if self.search == SearchSection():
            written.pop("search", None)
        return written


class Problem(Section):
    """A problem, the hypotheses about it, and what counts as solved."""

    name: str = Field(min_length=1, max_length=100, description="Name of the problem; names the study's folder.")
    task: str = Field("classification", description="Kind of problem; see the tasks page.")
    options: dict[str, Any] = Field({}, description="Settings of the task's own; see its page in the reference.")
    language: str = Field(AUTO, description="en, zh, … or auto, which looks at the texts.")
    data: Data = Field(Data(), description="Where rows come from and how they are divided.")
    accept: dict[str, str] = Field(
        {},
        description="What 'solved' means: metric and level, e.g. macro_f1: '>= 0.90'; recall:x is label x.",
    )
    candidates: dict[CandidateName, Candidate] = Field(
        {}, description="Hypotheses by name. A tfidf baseline is always added."
    )
    claims: list[str] = Field([], description="Statements to test, e.g. 'full > words + 0.02'.")
    study: StudySection = Field(StudySection(), description="How the hypotheses are tested.")

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, value: str) -> str:
        if value != value.strip() or value.startswith(".") or value.endswith(".") or _NOT_IN_FILE_NAMES.search(value):
            raise ValueError(
                "must do as a folder's name: no / \\ : * ? \" < > |, no dot or space at either end. "
                f"Got {value!r} instead."
            )
        return value

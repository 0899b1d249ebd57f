"""The problem file's ``data``: where rows come from, which part each column plays, and how they are divided."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from provetune.problem.section import Names, Section

MaskKind = Literal["email", "phone", "id_number", "bank_card"]
LEAST_FOLDS, MOST_FOLDS = 3, 10
"""One fold is held out and the next one validates, so with two nothing would be left to learn from. With more than ten
the correction for shared training rows is too small for learners that few rows sway (`statistics/overlapping.py`)."""


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
    folds: int | None = Field(
        None,
        ge=LEAST_FOLDS,
        le=MOST_FOLDS,
        description="Cross-validation, for few rows: every row is held out once. Takes the place of test and "
        "validation: of each fold's models one fold is held out, the next one validates, the others teach.",
    )

    @model_serializer(mode="wrap")
    def _leave_out_what_does_not_count(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without folds their key is left out; with folds those that they take the place of are."""
        written: dict[str, Any] = write(self)
        for name in ("folds",) if self.folds is None else ("test", "validation", "time"):
            written.pop(name, None)
        return written

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
    header: bool | None = Field(
        None, description="Whether the first line of a csv or tsv file names its columns. Left out: found, and said."
    )
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

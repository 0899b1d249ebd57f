"""The problem file's syntax: every field, its type, its default and its documentation.

A field's description here is the help text, the JSON Schema's text and the reference page's text.
Fields that a method adds to a candidate are defined in the method's own file (`Method.settings`); here they
are collected unchecked in `Candidate.extra` and checked by `study/resolve.py`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from provetune.problem.candidate_section import LEFT_OUT_AT_DEFAULT, Candidate, Choices, SearchRange, SearchSection
from provetune.problem.data_section import CandidateData, Columns, Data, MaskKind, Split, Subset
from provetune.problem.section import AUTO, Auto, Names, Section

__all__ = [
    "AUTO",
    "LEFT_OUT_AT_DEFAULT",
    "LONGEST_NAME",
    "NAME",
    "Auto",
    "Candidate",
    "CandidateData",
    "Choices",
    "Columns",
    "CompressSection",
    "Data",
    "MaskKind",
    "Names",
    "Problem",
    "SearchRange",
    "SearchSection",
    "Section",
    "Split",
    "StudySection",
    "Subset",
]

NAME = re.compile(r"[^\W\d]\w*\Z")
# A folder's name may have 255 bytes, of which a letter of some scripts takes four.
LONGEST_NAME = 60
_NOT_IN_FILE_NAMES = re.compile(r'[\x00-\x1f\x7f\\/:*?"<>|]')


def _fits_claims(name: str) -> str:
    if not NAME.match(name):
        raise ValueError(f"must be letters, digits and '_', so that claims can name it. Got '{name}' instead.")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"must have at most {LONGEST_NAME} letters: it names folders. Got {len(name)} instead.")
    return name


CandidateName = Annotated[str, AfterValidator(_fits_claims)]


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


class CompressSection(Section):
    """What making a bundle smaller may cost; see `provetune compress`."""

    tolerance: float = Field(
        0.01,
        gt=0,
        description="Largest loss of a quality metric, in its own units, that a smaller bundle's one-sided bound may "
        "leave open.",
    )


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
    compress: CompressSection = Field(CompressSection(), description="What making a bundle smaller may cost.")

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, value: str) -> str:
        if value != value.strip() or value.startswith(".") or value.endswith(".") or _NOT_IN_FILE_NAMES.search(value):
            raise ValueError(
                "must do as a folder's name: no / \\ : * ? \" < > |, no dot or space at either end. "
                f"Got {value!r} instead."
            )
        return value

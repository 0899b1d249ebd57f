"""What rooms hand each other about a task: plain records, re-exported by `provetune.core.protocols`.

Shapes: N rows (examples), F features (a long text cut into windows gives several features a row), C labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

LongTexts: TypeAlias = Literal["head", "head_tail", "windows"]


@dataclass(frozen=True)
class Role:
    """A part that a column of the data can play for a task.

    Attributes:
        name: key under ``data.columns``, e.g. ``"text"``.
        description: what the column holds; shown in help, in errors and on the reference page.
        required: whether rows without it cannot be used for training.
        many: whether several columns may be named, to be joined.
    """

    name: str
    description: str
    required: bool = True
    many: bool = False


@dataclass(frozen=True)
class Metric:
    """A score of a task.

    Attributes:
        name: as used in claims and acceptance, e.g. ``"macro_f1"``.
        description: one sentence; shown in reports and on the reference page.
        higher_is_better: the direction that selection and ordering use.
        kind: how its uncertainty is found (see `provetune.statistics`): a function of summed row statistics,
            of ranks, by resampling rows, or of the machine (latency, size).
        per_label: whether ``[metric:label]`` has a meaning.
        label_needed: of such a metric, whether it has no value without a label.
        low, high: the least and the greatest value it can have; infinite where there is no limit.
    """

    name: str
    description: str
    higher_is_better: bool = True
    kind: Literal["sums", "ranks", "bootstrap", "system"] = "sums"
    per_label: bool = False
    label_needed: bool = True
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Targets:
    """What there is to predict, learned from the training rows and kept in the bundle.

    Attributes:
        kind: the task's own word for the form, e.g. ``"single_label"`` or ``"multi_label"``.
        names: label names, in the order of the model's outputs (C of them).
        counts: training rows of each label, in the same order.
        out_of_scope: the label that means "none of these", if one was marked.
        options: the task's own settings (`Task.options`), every one of them; JSON.
        tuned: what was fitted to validation rows after training, e.g. thresholds; JSON. See `Tunable`.
    """

    kind: str
    names: tuple[str, ...]
    counts: tuple[int, ...] = ()
    out_of_scope: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    tuned: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As JSON; options and tuned figures are left out where there are none."""
        document = asdict(self)
        return {name: value for name, value in document.items() if value or name not in ("options", "tuned")}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Targets:
        return cls(
            kind=document["kind"],
            names=tuple(document["names"]),
            counts=tuple(document.get("counts", ())),
            out_of_scope=document.get("out_of_scope"),
            options=dict(document.get("options", {})),
            tuned=dict(document.get("tuned", {})),
        )


@dataclass(frozen=True)
class Finding:
    """Something that `check` found in the data.

    Attributes:
        kind: short stable name, e.g. ``"duplicate_rows"``.
        severity: ``"blocking"`` (no study can run), ``"warning"`` or ``"note"``.
        count: rows concerned.
        message: what is wrong and what to do, one or two sentences.
        rows: places of the first few, e.g. ``{"file": "messages.csv", "row": 17}``.
    """

    kind: str
    severity: Literal["blocking", "warning", "note"]
    count: int
    message: str
    rows: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "rows": [dict(row) for row in self.rows]}


@dataclass(frozen=True)
class BadRow:
    """A row of a file that cannot be used, and why.

    Attributes:
        row: its number in the table that was read, from 0.
        field: the file's column that is at fault.
        message: what is wrong there, one sentence.
    """

    row: int
    field: str
    message: str


@dataclass(frozen=True)
class RowParts:
    """What a task reads out of raw rows.

    Attributes:
        columns: ``text``, ``label`` and whatever else the task works with, N values each; ``text_pair`` is the second
            text of a row, ``stratum`` (string) what a draw keeps in equal shares where labels are no classes.
        bad: rows that cannot be used; their values in `columns` are null.
        masked: personal data is masked already, as a task must do itself whose labels point into the text.
    """

    columns: Mapping[str, Any]
    bad: tuple[BadRow, ...] = ()
    masked: bool = False


@dataclass(frozen=True)
class Detected:
    """What a task finds in a file.

    Attributes:
        columns: role → column, or several columns.
        reasons: role → why, one sentence; also for roles that no column was found for.
        samples: the first three rows, column → cell cut to 200 letters, of the columns found.
        fit: how well the task suits the file, from 0 (not at all) to 1 (nothing else would).
        why: one sentence for it.
    """

    columns: Mapping[str, str | list[str]]
    reasons: Mapping[str, str]
    samples: tuple[Mapping[str, str | None], ...] = ()
    fit: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class ReportTable:
    """A table of its own that a task adds to a report.

    Attributes:
        name: stable, for JSON.
        title: shown above it.
        columns: headings.
        rows: cells, text or numbers.
        note: a sentence below it.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class EncodeSettings:
    """How texts become tokens.

    Attributes:
        max_length: most tokens a feature may have, special tokens included.
        long_texts: what happens to longer ones: keep the head, the head and the tail, or cut into windows.
        stride: tokens that neighbouring windows share (``windows`` only).
    """

    max_length: int
    long_texts: LongTexts = "head"
    stride: int = 32


@dataclass(frozen=True)
class TrialRecord:
    """Where one finished run of a candidate lies, relative to the study's folder.

    Attributes:
        candidate: its name in the problem file.
        k: number of the seed, from 0.
        seed: the derived seed itself.
        folder: holds ``events.jsonl``, ``validation.parquet``, ``bundle/`` and, once opened, ``test.parquet``.
        scores: validation scores.
        seconds: wall-clock time of training.
    """

    candidate: str
    k: int
    seed: int
    folder: str
    scores: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

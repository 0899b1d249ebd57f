"""Claims about outcomes that were made elsewhere: the verdict for any trainer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.suggest import advice
from provetune.problem.claims import Claim, check_claims, parse_claim
from provetune.problem.syntax import NAME
from provetune.statistics.label_counts import AVERAGES, PARTS
from provetune.statistics.looks import spend
from provetune.statistics.rows import JudgedRows
from provetune.study.claim_figures import SCORE, CandidateRows
from provetune.study.outside_rows import OutsideRows, check_labels, read_outside
from provetune.study.verdict import judge_claims

if TYPE_CHECKING:
    from provetune.core.protocols import Array

DEFAULT_METRIC = "accuracy"
_OF_PREDICTIONS = ("accuracy", *(f"{average}_{part}" for average in AVERAGES for part in PARTS), *PARTS)


def judge_outside(
    outcomes: Sequence[str],
    claims: Sequence[str],
    *,
    metric: str | None = None,
    confidence: float = 0.95,
    look: int = 1,
    smallest: float = 0.01,
    deterministic: Collection[str] = (),
) -> dict[str, Any]:
    """Judge claims on files of per-row outcomes.

    Args:
        outcomes: each ``FILE`` or ``NAME=FILE``; the name is the file's stem when left out. See
            `provetune.study.outside_rows` for the columns.
        claims: as in a problem file.
        metric: what a claim without a scope is about; accuracy where there are predictions, else the mean score.
        look: which look at these test rows this is; each further one has half the level.
        smallest: smallest distance from a margin that matters.
        deterministic: candidates that draw no random number, whose one run is all there is.

    Returns:
        ``{"claims": […]}``, each as in `provetune.study.verdict.judge_claims`.

    Raises:
        UsageError: names, claims or metrics that do not fit.
        DataError: files that cannot be used, or that disagree.
    """
    if not 0.5 < confidence < 1:
        raise UsageError(f"confidence must be between 0.5 and 1. Got {confidence} instead.")
    if look < 1:
        raise UsageError(f"look must be at least 1. Got {look} instead.")
    files = _read_all(outcomes)
    check_labels(files)
    metrics = _metrics(files)
    primary = metric or (DEFAULT_METRIC if DEFAULT_METRIC in metrics else SCORE)
    if primary not in metrics:
        raise UsageError(f"There is no metric '{primary}' in these outcomes.", hint=advice(primary, metrics))
    names = _label_names(files)
    parsed = _parse(claims, [file.name for file in files], primary, metrics, names)
    for name in deterministic:
        if name not in {file.name for file in files}:
            raise UsageError(f"There is no candidate '{name}'.", hint=advice(name, [file.name for file in files]))
    columns = files[0].columns
    groups = _groups(files[0])
    alpha = round(1 - confidence, 12)
    judged = judge_claims(
        parsed,
        {file.name: _candidate(file, names, groups, file.name in deterministic) for file in files},
        metric=primary,
        kinds=dict.fromkeys(metrics, "sums"),
        alpha=spend(alpha, look),
        smallest=smallest,
        look=look,
        next_alpha=spend(alpha, look + 1),
        confidence=confidence,
        examples=columns,
        limits={name: (0.0, 1.0) for name in metrics if name != SCORE},
    )
    return {"claims": judged}


def _read_all(outcomes: Sequence[str]) -> list[OutsideRows]:
    if not outcomes:
        raise UsageError("There are no outcomes to judge.", hint="Give files: --outcomes a.csv --outcomes b.csv.")
    files: list[OutsideRows] = []
    for text in outcomes:
        name, path = _named(text)
        if name in {file.name for file in files}:
            raise UsageError(f"Two files are named '{name}'.", where=str(path), hint="Name them: NAME=FILE.")
        files.append(read_outside(name, path, files[0].rows if files else None))
    return files


def _named(text: str) -> tuple[str, Path]:
    """Name and file of ``NAME=FILE`` or ``FILE``."""
    before, equals, after = text.partition("=")
    if equals and NAME.match(before) and not Path(text).exists():
        return before, Path(after)
    path = Path(text)
    if not NAME.match(path.stem):
        hint = f"Name it: --outcomes NAME={text}."
        raise UsageError(f"Claims cannot name '{path.stem}': a name has letters, digits and '_'.", hint=hint)
    return path.stem, path


def _metrics(files: Sequence[OutsideRows]) -> list[str]:
    """Metrics that every file can have."""
    found = list(_OF_PREDICTIONS) if all(file.predictions is not None for file in files) else []
    if all(file.scores is not None for file in files):
        found.append(SCORE)
    if not found:
        raise UsageError("Some files have predictions and others scores alone, so they cannot be compared.")
    return found


def _label_names(files: Sequence[OutsideRows]) -> tuple[str, ...]:
    """Every label that a row has or was given, sorted."""
    names: set[str] = set()
    for file in files:
        for values in (file.labels, file.predictions):
            if values is not None:
                names.update(np.unique(values).tolist())
    return tuple(sorted(names)) or ("",)


def _parse(
    claims: Sequence[str], candidates: Sequence[str], primary: str, metrics: Sequence[str], labels: Sequence[str]
) -> list[Claim]:
    if not claims:
        raise UsageError("There is no claim to judge.", hint="Give one: --claim 'a > b'.")
    for fault in check_claims(claims, candidates, primary):
        raise UsageError(fault.message, hint=fault.hint)
    parsed = [parse_claim(claim) for claim in claims]
    for claim in parsed:
        if claim.scope is None:
            continue
        metric, label = claim.scope.metric, claim.scope.value
        if metric not in metrics:
            raise UsageError(
                f"The claim '{claim.text}' is about '{metric}', which these outcomes do not have.",
                hint=advice(metric, metrics),
            )
        if metric in PARTS and label is None:
            raise UsageError(f"'{metric}' needs a label.", hint=f"Write [{metric}:LABEL], or take macro_{metric}.")
        if label is not None and metric not in PARTS:
            raise UsageError(f"'{metric}' has no value per label.", hint="precision, recall and f1 have.")
        if label is not None and label not in labels:
            raise UsageError(f"There is no label '{label}'.", hint=advice(label, labels))
    return parsed


def _candidate(file: OutsideRows, names: Sequence[str], groups: Array | None, deterministic: bool) -> CandidateRows:
    known = np.asarray(names)
    runs, count = len(file.seeds), len(file.rows)
    gold = np.zeros(count, dtype=np.int64) if file.labels is None else np.searchsorted(known, file.labels)
    said = np.zeros((runs, count), dtype=np.int64)
    if file.predictions is not None:
        said = np.searchsorted(known, file.predictions)
    seeds = tuple(JudgedRows(gold, each, None, tuple(names), None, groups) for each in said)
    return CandidateRows(seeds, deterministic, scores=file.scores)


def _groups(file: OutsideRows) -> Array | None:
    if "raw.group" not in file.columns.column_names:
        return None
    values = file.columns.column("raw.group").fill_null("").to_numpy(zero_copy_only=False).astype(str)
    # A row without a group stands alone.
    alone = [f"\x1d{number}" if value == "" else value for number, value in enumerate(values)]
    numbers: Array = np.unique(np.asarray(alone), return_inverse=True)[1]
    return numbers

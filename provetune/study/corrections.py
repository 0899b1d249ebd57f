"""A candidate's corrections: the file with other labels for training rows, read and checked."""

from __future__ import annotations

from provetune.core.errors import UsageError
from provetune.core.protocols import Targets
from provetune.core.suggest import advice
from provetune.problem.reading import ProblemFile
from provetune.problem.syntax import CandidateData

ROW_ID, CORRECTED = "row_id", "corrected"


def read_corrections(
    file: ProblemFile, candidate: str, data: CandidateData | None, targets: Targets
) -> CandidateData | None:
    """The data section with the rows of its corrections file in place of the file's name.

    Raises:
        DataError: the file cannot be read.
        UsageError: it lacks a column, names a row twice or a label that no training row has, or rows may have several
            labels.
    """
    if data is None or data.corrections is None:
        return data
    where = file.where("candidates", candidate, "data", "corrections")
    if targets.kind != "single_label":
        raise UsageError("Corrections are for rows with one label each.", where=where, hint="Correct the file itself.")
    found = data.corrections
    if isinstance(found, str):
        found = _read(file, found, where)
    for label in found.values():
        if label is not None and label not in targets.names:
            raise UsageError(
                f"The corrections name the label '{label}', which no training row has.",
                where=where,
                hint=advice(label, targets.names),
            )
    return data.model_copy(update={"corrections": found})


def _read(file: ProblemFile, name: str, where: str) -> dict[str, str | None]:
    from provetune.data.reading import read_table

    raw = read_table(name, base=file.path.parent)
    for column in (ROW_ID, CORRECTED):
        if column not in raw.names:
            raise UsageError(f"'{name}' has no column '{column}'.", where=where, hint=advice(column, raw.names))
    found: dict[str, str | None] = {}
    for row, cell in zip(raw.table[ROW_ID].to_pylist(), raw.table[CORRECTED].to_pylist(), strict=True):
        if not row:
            continue
        if row in found:
            raise UsageError(f"'{name}' names the row {row} twice.", where=where, hint="Keep one of the two.")
        label = (cell or "").strip()
        found[row] = label or None
    return found

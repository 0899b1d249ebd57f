"""Per-row outcomes that some other trainer wrote, read and checked, as the verdict needs them.

A Parquet or CSV file holds one candidate: columns ``seed`` and ``row`` name a run and a test row; ``label`` and
``prediction`` what the row is and was taken for; or ``score``, a number a row whose mean is the metric ``score``. A
column ``group`` says which rows are not independent of each other. Any further column can be sliced by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError, UsageError
from provetune.core.suggest import nearest

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

KEYS = ("seed", "row")
_WHOLE_NUMBER = r"^(-?\d+)\.0+$"


@dataclass(frozen=True)
class OutsideRows:
    """The outcomes of one candidate: k runs, n rows; runs by name, rows in the reference's order.

    Attributes:
        labels: text of each row's label (n,), or None where there are scores alone.
        predictions: text of each run and row, (k, n), or None.
        scores: of each run and row, (k, n), or None.
        columns: the file's other columns, of the first run's rows; ``raw.<name>``.
    """

    name: str
    path: Path
    seeds: tuple[str, ...]
    rows: tuple[str, ...]
    labels: Array | None
    predictions: Array | None
    scores: Array | None
    columns: pa.Table


def read_outside(name: str, path: Path, reference: Sequence[str] | None = None) -> OutsideRows:
    """Read one file.

    Args:
        name: of the candidate.
        reference: the rows of a file that was read before; these must be the same.

    Raises:
        UsageError: no such file, or one that is neither Parquet nor CSV.
        DataError: columns, runs or rows that cannot be used; says which.
    """
    table = _read_table(path)
    _check_columns(table, path)
    rows = _texts(table, "row", path)
    seeds = _texts(table, "seed", path)
    if table.num_rows == 0:
        raise DataError("The file has no rows.", where=str(path))
    order = list(dict.fromkeys(rows.tolist())) if reference is None else list(reference)
    names = sorted(set(seeds.tolist()), key=_natural)
    places = _place(rows, order, path, name), _place(seeds, names, path, name)
    _check_whole(places, order, names, path, name)
    shape = (len(names), len(order))

    def matrix(values: Array) -> Array:
        found = np.empty(shape, dtype=values.dtype)
        found[places[1], places[0]] = values
        return found

    labels = predictions = scores = None
    if "label" in table.column_names:
        labels = _one_label(matrix(_texts(table, "label", path)), order, names, path)
    if "prediction" in table.column_names and labels is not None:
        predictions = matrix(_texts(table, "prediction", path))
    if "score" in table.column_names:
        scores = _finite(matrix(_numbers(table, path)), order, names, path)
    columns = _other_columns(table, places, path)
    return OutsideRows(name, path, tuple(names), tuple(order), labels, predictions, scores, columns)


def check_labels(files: Sequence[OutsideRows]) -> None:
    """Labels of a row must be the same in every file.

    Raises:
        DataError: those of one row are not; names it.
    """
    known = [file for file in files if file.labels is not None]
    for file in known[1:]:
        differing = np.flatnonzero(known[0].labels != file.labels)
        if len(differing):
            row = int(differing[0])
            first, second = known[0].labels[row], file.labels[row]  # type: ignore[index]
            raise DataError(
                f"Row '{file.rows[row]}' has the label '{first}' in {known[0].path.name} and '{second}' in "
                f"{file.path.name}; {len(differing)} of {len(file.rows)} rows differ.",
                where=str(file.path),
                hint="Both files must be outcomes on the same test rows.",
            )


def _read_table(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    if not path.is_file():
        raise UsageError("There is no such file.", where=str(path), hint="Give outcomes as FILE or NAME=FILE.")
    kind = path.suffix.lower()
    if kind in (".yaml", ".yml"):
        hint = f"What became of a problem's own claims: provetune report {path} --open-test."
        raise UsageError("This is a problem file; outcomes are Parquet or CSV.", where=str(path), hint=hint)
    if kind not in (".parquet", ".csv", ".tsv"):
        raise UsageError("Outcomes are read from Parquet or CSV.", where=str(path), hint="Name it .parquet or .csv.")
    try:
        if kind == ".parquet":
            return pq.read_table(path)
        delimiter = "\t" if kind == ".tsv" else ","
        with csv.open_csv(path, parse_options=csv.ParseOptions(delimiter=delimiter)) as reader:
            header = reader.schema.names
        return csv.read_csv(
            path,
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string())),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"The file cannot be read: {reason}.", where=str(path)) from error


def _check_columns(table: pa.Table, path: Path) -> None:
    names = table.column_names
    wanted = [*KEYS] + (["label", "prediction"] if "score" not in names else [])
    for column in wanted:
        if column in names:
            continue
        guess = nearest(column, names)
        hint = f"Is it '{guess}'? Rename it." if guess else f"Columns of the file: {', '.join(names[:12])}."
        raise DataError(
            f"There is no column '{column}'; seed, row, label and prediction (or score) are needed.",
            where=str(path),
            hint=hint,
        )
    if len(set(names)) < len(names):
        raise DataError("Two columns have one name.", where=str(path))


def _texts(table: pa.Table, column: str, path: Path) -> Array:
    """A column as text; a whole number is written the same whatever its type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = table.column(column)
    if pa.types.is_nested(values.type):
        raise DataError(f"The column '{column}' must hold one value a row.", where=str(path))
    try:
        values = pc.replace_substring_regex(values.cast(pa.string()), _WHOLE_NUMBER, r"\1")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"The column '{column}' cannot be read as text.", where=str(path)) from error
    missing = pc.or_kleene(pc.is_null(values), pc.equal(values, "")).to_numpy()
    if missing.any():
        raise DataError(
            f"The column '{column}' is empty in {int(missing.sum())} rows.",
            where=f"{path}, line {int(np.flatnonzero(missing)[0]) + 2}",
            hint="Every row needs a value.",
        )
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=str)


def _numbers(table: pa.Table, path: Path) -> Array:
    import pyarrow as pa

    try:
        values = table.column("score").cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError("The column 'score' must hold numbers.", where=str(path)) from error
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _place(values: Array, known: Sequence[str], path: Path, name: str) -> Array:
    """Place of each value among the known ones, (N,)."""
    places = {value: place for place, value in enumerate(known)}
    found = np.fromiter((places.get(value, -1) for value in values.tolist()), dtype=np.int64, count=len(values))
    if (found < 0).any():
        strange = sorted(set(values[found < 0].tolist()))
        raise DataError(
            f"'{name}' has {len(strange)} rows that the first file does not have, such as '{strange[0]}'.",
            where=str(path),
            hint="Every candidate must be judged on the same rows.",
        )
    return found


def _check_whole(places: tuple[Array, Array], rows: Sequence[str], seeds: Sequence[str], path: Path, name: str) -> None:
    """Every run has every row, once."""
    counts = np.bincount(places[1] * len(rows) + places[0], minlength=len(rows) * len(seeds))
    counts = counts.reshape(len(seeds), len(rows))
    if (counts > 1).any():
        seed, row = np.argwhere(counts > 1)[0]
        raise DataError(f"Row '{rows[row]}' of seed '{seeds[seed]}' stands there twice.", where=str(path))
    if (counts == 0).any():
        missing = (counts == 0).sum(axis=1)
        seed = int(np.flatnonzero(missing)[0])
        row = int(np.flatnonzero(counts[seed] == 0)[0])
        raise DataError(
            f"Seed '{seeds[seed]}' of '{name}' lacks {int(missing[seed])} of {len(rows)} rows, such as '{rows[row]}'.",
            where=str(path),
            hint="Every seed of every candidate must be judged on the same rows.",
        )


def _one_label(labels: Array, rows: Sequence[str], seeds: Sequence[str], path: Path) -> Array:
    """The rows' labels, (n,), which are the same whatever the run."""
    differing = np.argwhere(labels != labels[:1])
    if len(differing):
        seed, row = differing[0]
        raise DataError(
            f"Row '{rows[row]}' has the label '{labels[0, row]}' with seed '{seeds[0]}' and '{labels[seed, row]}' "
            f"with seed '{seeds[seed]}'.",
            where=str(path),
            hint="A test row has one label, whatever the run.",
        )
    first: Array = labels[0]
    return first


def _finite(scores: Array, rows: Sequence[str], seeds: Sequence[str], path: Path) -> Array:
    if not np.isfinite(scores).all():
        seed, row = np.argwhere(~np.isfinite(scores))[0]
        raise DataError(f"The score of row '{rows[row]}' with seed '{seeds[seed]}' is no number.", where=str(path))
    return scores


def _other_columns(table: pa.Table, places: tuple[Array, Array], path: Path) -> pa.Table:
    """Columns that can be sliced by or name groups, as the first run has them."""
    import pyarrow as pa

    first = np.flatnonzero(places[1] == 0)
    order = first[np.argsort(places[0][first])]
    kept = {}
    for name in table.column_names:
        if name in (*KEYS, "label", "prediction", "score") or pa.types.is_nested(table.schema.field(name).type):
            continue
        kept[f"raw.{name}"] = table.column(name).cast(pa.string()).take(pa.array(order))
    return pa.table(kept) if kept else pa.table({})


def _natural(value: Any) -> tuple[int, float, str]:
    """Numbers by size, before other names."""
    try:
        return 0, float(value), str(value)
    except ValueError:
        return 1, 0.0, str(value)

"""A study's rows on the disk: Arrow files, memory-mapped, the test rows apart.

Test rows are written here once, when they are split off, and are read by `provetune.study.sealed_test` alone,
which tells the ledger each time. `load_split` refuses them. Two steps see test texts and labels, never
predictions, without being a look: the splitting itself and `provetune check`, which reads the files again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import CorruptError, UsageError
from provetune.core.files import atomic_path, read_json, write_json

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.data.splits import Splits

NAMES = ("train", "validation", "test")
TEST_FILE = "splits/test.arrow"
_SUMMARY = "splits/splits.json"


def save_splits(folder: Path, splits: Splits) -> None:
    """Write the three splits of a study, each atomically, and what they are.

    A study folder that holds them already is left alone when the hashes agree.

    Raises:
        CorruptError: other splits lie there; a study's rows never change.
    """
    folder = Path(folder)
    tables = {name: getattr(splits, name) for name in NAMES}
    wanted = {name: {"rows": table.num_rows, "hash": splits.hashes[name]} for name, table in tables.items()}
    if (folder / _SUMMARY).exists():
        if split_summary(folder) != wanted:
            raise CorruptError("The study's rows are not those recorded for it.", where=str(folder / _SUMMARY))
        if all((folder / "splits" / f"{name}.arrow").exists() for name in NAMES):
            return
    for name, table in tables.items():
        _write_table(folder / "splits" / f"{name}.arrow", table)
    # Written last: where it lies, the tables are whole.
    write_json(folder / _SUMMARY, wanted)


def load_split(folder: Path, name: str) -> pa.Table:
    """The training or validation rows of a study, memory-mapped.

    Raises:
        UsageError: the test rows were asked for, or there is no such split.
        CorruptError: the file is missing, damaged or not what was recorded.
    """
    if name == "test":
        raise UsageError(
            "The test rows are sealed.",
            hint="Only the judging of a finished study reads them, and the ledger counts it.",
        )
    if name not in NAMES:
        raise UsageError(f"There is no split '{name}'.", hint="Known: train, validation.")
    path = Path(folder) / "splits" / f"{name}.arrow"
    table = map_table(path)
    if table.num_rows != split_summary(folder)[name]["rows"]:
        raise CorruptError("The file does not hold the rows recorded for it.", where=str(path))
    return table


def split_summary(folder: Path) -> dict[str, dict[str, Any]]:
    """Rows and content hash of each split: ``{"train": {"rows", "hash"}, …}``; reads no rows."""
    path = Path(folder) / _SUMMARY
    if not path.exists():
        raise CorruptError("The study has no splits.", where=str(path), hint="Run it again with --fresh.")
    summary: dict[str, dict[str, Any]] = read_json(path)
    return summary


def map_table(path: Path) -> pa.Table:
    """An Arrow file as a table whose columns lie in the file, not in memory.

    Raises:
        CorruptError: it is missing or damaged.
    """
    import pyarrow as pa

    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowInvalid, FileNotFoundError) as error:
        raise CorruptError(
            "The file is missing or damaged.", where=str(path), hint="Run the study again with --fresh."
        ) from error


def _write_table(path: Path, table: pa.Table) -> None:
    import pyarrow as pa

    with (
        atomic_path(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as writer,
    ):
        writer.write_table(table)

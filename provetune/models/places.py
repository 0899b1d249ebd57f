"""Where each example came from, for errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class Places(Sequence[str]):
    """File and row of each example, put into words only when asked for."""

    def __init__(self, files: Any, rows: Any) -> None:
        self._files, self._rows = files, rows

    @classmethod
    def of(cls, examples: pa.Table) -> Places | None:
        """Those of a table of examples; None where it does not say."""
        if not {"_file", "_row"} <= set(examples.column_names):
            return None
        return cls(examples.column("_file"), examples.column("_row"))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return f"{self._files[index]}, row {self._rows[index]}"

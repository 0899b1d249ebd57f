"""Arrow without pandas: for command lines, whose first answer should not wait for a library that nobody asked for."""

from __future__ import annotations

import sys
from typing import Any


class _NotNow:
    """A finder that finds no pandas."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is left out", name="pandas")


def leave_pandas_out() -> None:
    """Keep pyarrow from loading pandas to find out that what it is given is none of pandas's.

    It does so once, at the first array that it makes, which takes up to half a second. Here it does not find pandas
    that once. What asks for pandas by name (`Table.to_pandas`, ``import pandas``) still gets it; only a pandas series
    that is handed to `pyarrow.array` would be read as a plain sequence, and a command line has none.
    """
    if "pandas" in sys.modules:
        return
    finder: Any = _NotNow()
    sys.meta_path.insert(0, finder)
    try:
        import pyarrow

        pyarrow.array([0])
    finally:
        sys.meta_path.remove(finder)

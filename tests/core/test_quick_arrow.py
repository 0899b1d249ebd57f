"""Arrow does not load pandas where that was said, and whoever asks for pandas still gets it."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import json, sys
from provetune.core.quick_arrow import leave_pandas_out
leave_pandas_out()
import pyarrow as pa
table = pa.table({"a": pa.array([1, 2, None])})
before = "pandas" in sys.modules
shape = table.to_pandas().shape
import pandas
print(json.dumps([before, shape, len(sys.meta_path), pandas.Series([1]).sum().item()]))
"""


def test_pandas_waits_until_it_is_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    plain = subprocess.run(
        [sys.executable, "-c", "import sys, pyarrow, pandas; print(len(sys.meta_path))"],
        check=True,
        capture_output=True,
        text=True,
    )
    before, shape, finders, total = json.loads(done.stdout)
    assert before is False
    assert (shape, total) == ([3, 1], 1)
    assert finders == int(plain.stdout)

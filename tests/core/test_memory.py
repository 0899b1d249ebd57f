"""Freed memory goes back to the machine."""

from __future__ import annotations

import sys

import psutil
import pytest

from provetune.core.memory import release_memory


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' allocators cannot be asked")
def test_what_was_freed_goes_back() -> None:
    import pyarrow as pa

    process = psutil.Process()
    strings = [f"{number:>80}" for number in range(300_000)]
    # Many small pieces, every tenth of them kept, so that the allocator cannot give up whole regions by itself.
    columns = [pa.array(strings[start : start + 100]) for start in range(0, len(strings), 100)]
    kept = columns[::10]
    del strings, columns
    before = process.memory_info().rss
    release_memory()
    assert process.memory_info().rss <= before
    assert len(kept) == 300
    assert kept[1][0].as_py() == f"{1000:>80}"

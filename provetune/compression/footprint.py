"""The peak memory of a process that loads a bundle and answers: ``python -m provetune.compression.footprint``.

Linux's own high-water mark of the process is read, because what `resource` tells still holds what the parent had when
it started this one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

_MARK = "VmHWM:"


def main(folder: str, texts: str, threads: str = "0") -> None:
    """Answer the texts of a file with a bundle, and print the peak as JSON."""
    import pyarrow as pa

    from provetune.inference.predictor import load

    asked = json.loads(Path(texts).read_text(encoding="utf-8"))
    predictor = load(folder, verify=False, threads=int(threads) or None)
    columns = {name: pa.array(cells, pa.string()) for name, cells in asked.items()}
    if columns:
        predictor.answers(pa.table(columns))
    sys.stdout.write(json.dumps({"peak_bytes": peak_bytes()}) + "\n")


def peak_bytes() -> int | None:
    """The most memory that this process has held; None on systems that do not say."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith(_MARK):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":  # pragma: no cover
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])

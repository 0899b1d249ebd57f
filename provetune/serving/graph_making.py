"""A process that makes a graph of a bundle, holds it against the golden answers, and times it beside torch.

    python -m provetune.serving.graph_making BUNDLE FOLDER THREADS

It is a process of its own so that a worker which answers by ONNX Runtime never loads torch.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Mapping
from math import sqrt
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from provetune.core.errors import ProvetuneError

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.inference.predictor import Predictor
    from provetune.models.bundle import Bundle

ROUNDS = 15
BATCH = 16
_DROPPED = ("format_version", "bundle_kind", "task", "targets", "packages", "weights")


def main(source: str, target: str, threads: str = "0") -> int:
    """Write the folder; 0 also where no graph is possible, which is then what it says."""
    from provetune.core.files import disk_errors, write_json
    from provetune.inference.threads import settle_threads
    from provetune.serving.graphs import CHOICE, GRAPH

    settle_threads(int(threads) or None)
    place = Path(target)
    try:
        with disk_errors(place):
            place.mkdir(parents=True, exist_ok=True)
        found = make_graph(Path(source), place / GRAPH)
        write_json(place / CHOICE, found)
    except ProvetuneError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def make_graph(source: Path, target: Path) -> dict[str, Any]:
    """Make the graph of a bundle and try it.

    Args:
        source: the bundle.
        target: where its graph goes, a bundle of the kind ``onnx`` with the same record and golden examples.

    Returns:
        JSON-ready: ``refused``, why there is none, or None; ``milliseconds`` of one text and of a batch, by engine;
        ``times_as_fast``, the geometric mean of both ratios.
    """
    from provetune.core.errors import Refused, UsageError
    from provetune.inference.agreement import golden_table, require_golden
    from provetune.inference.predictor import load
    from provetune.models.bundle import open_bundle

    bundle = open_bundle(source)
    asked = golden_table(bundle.golden)
    try:
        _write(bundle, asked, target)
        graph = load(target, verify=False)
        require_golden(graph, bundle.golden, "cpu")
    except (Refused, UsageError) as error:
        return {"refused": error.message}
    timed = time_in_turn({"onnxruntime": graph, "torch": load(source, verify=False)}, asked)
    ratios = [timed["torch"][what] / timed["onnxruntime"][what] for what in timed["torch"]]
    return {"refused": None, "milliseconds": timed, "times_as_fast": sqrt(ratios[0] * ratios[1])}


def time_in_turn(
    predictors: Mapping[str, Predictor], asked: pa.Table, clock: Callable[[], float] = time.perf_counter
) -> dict[str, dict[str, float]]:
    """Median milliseconds of one text and of a batch, by engine; in random turn, since machines change their speed."""
    import pyarrow as pa

    count = asked.num_rows
    batch = pa.concat_tables([asked] * (1 + BATCH // count)).slice(0, BATCH)
    draw, times = random.Random(0), {name: {"one": [0.0], "batch": [0.0]} for name in predictors}
    for number in range(ROUNDS + 1):
        for name in draw.sample(sorted(predictors), len(predictors)):
            for what, rows in (("one", asked.slice(number % count, 1)), ("batch", batch)):
                began = clock()
                predictors[name].answers(rows)
                times[name][what].append(clock() - began)
    # The first round warms up.
    return {
        name: {what: max(1e-6, 1000 * median(taken[2:])) for what, taken in kinds.items()}
        for name, kinds in times.items()
    }


def _write(bundle: Bundle, asked: pa.Table, target: Path) -> None:
    from provetune.compression.exporting import export_bundle
    from provetune.compression.onnx_bundle import KIND, made_of
    from provetune.compression.step import Given
    from provetune.models.bundle import BundleContents, write_bundle
    from provetune.tasks import TASKS

    task = TASKS.get(bundle.task)
    given = Given(bundle, task, bundle.targets, asked, asked, int(bundle.record.get("seed") or 0), target.parent)
    exported = export_bundle(given)
    made = made_of(given, exported, exported.model, weights="fp32")
    record = {name: value for name, value in bundle.record.items() if name not in _DROPPED}
    contents = BundleContents(
        KIND, bundle.task, bundle.targets, bundle.golden, {**record, **made.record}, furnish=made.furnish
    )
    write_bundle(target, contents)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

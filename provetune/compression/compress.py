"""`compress`: a bundle in, smaller or faster ones out, each of which has proved again what its parent had proved.

Steps are carried out in order, each on what the one before made. What a step made is tried, measured and judged in a
scratch folder beside its place, which a rerun of the same line goes on from; only what passes is moved into place,
whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from provetune.compression.asked import Asked, read_asked, refuse_unfit
from provetune.compression.gate import tolerance_of
from provetune.study.interruption import interruptible

Listener: TypeAlias = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Compressed:
    """What came of a chain of steps.

    Attributes:
        bundle: folder of the last derivative that was written; the bundle itself where none was.
        passed: whether every step was done and held, or was forced.
        steps: of each step what it made, how it was judged, what it costs to use; ``bundle`` is None where it was
            refused.
        notes: what to know about the rows that judged.
        document: all of it, as ``provetune compress --json`` prints it.
    """

    bundle: str
    passed: bool
    steps: list[dict[str, Any]]
    notes: list[str]
    document: dict[str, Any] = field(repr=False)


def compress(
    bundle: str | Path,
    to: str | Sequence[str],
    *,
    settings: Sequence[str] = (),
    out: str | Path | None = None,
    problem: str | Path | None = None,
    workspace: str | Path | None = None,
    tolerance: float | None = None,
    force: bool = False,
    threads: int | None = None,
    listener: Listener | None = None,
) -> Compressed:
    """Make a bundle smaller or faster, one step after another; what breaks acceptance is not written.

    A chain that was interrupted goes on where it stopped when the same call is made again.

    Args:
        bundle: its folder.
        to: names of steps, in their order; ``"drop_layers,onnx"`` are two.
        settings: ``["drop_layers.keep=3"]``.
        out: folder of the last derivative; ``<bundle>-<step>-<step>…`` beside the bundle when left out.
        problem: makes the rows again, for a bundle that was moved away from its study; its ``accept`` and
            ``compress`` count then.
        workspace: where the study lies, if the bundle does not lie in it.
        tolerance: largest loss that the one-sided bound may leave open; the problem's `compress.tolerance`, else 0.01.
        force: write what breaks acceptance too; the bundle and all that is made of it say so for ever.
        threads: of one operation; torch's own choice when left out.
        listener: called with each event, a mapping with its kind under ``"event"``: ``step`` (begins), ``progress``
            (``what``, ``done``, ``of``), ``note``, ``judged`` (what came of a step).

    Raises:
        UsageError: a step that there is not, that does not take such a bundle, or a place that is taken.
        Refused: the rows are not those that the bundle was made with.
        Interrupted: Ctrl-C or a termination signal; no half bundle is left.
        EnvironmentFault: no space, or the place cannot be written.
        CorruptError: the bundle is not what its manifest says.
    """
    asked = read_asked([to] if isinstance(to, str) else list(to), settings)
    say: Listener = listener if listener is not None else _silent
    with interruptible("The same line goes on where it stopped."):
        return _compress(Path(bundle), asked, out, problem, workspace, tolerance, force, threads, say)


def places(bundle: Path, names: Sequence[str], out: str | Path | None = None) -> list[Path]:
    """Where the derivatives of a chain go: beside the bundle (or beside `out`), named after it and their steps."""
    base = Path(bundle).absolute()
    folder = base.parent if out is None else Path(out).expanduser().absolute().parent
    found = [folder / "-".join([base.name, *names[: number + 1]]) for number in range(len(names))]
    if out is not None:
        found[-1] = Path(out).expanduser().absolute()
    return found


def _compress(
    path: Path,
    asked: list[Asked],
    out: str | Path | None,
    problem: str | Path | None,
    workspace: str | Path | None,
    tolerance: float | None,
    force: bool,
    threads: int | None,
    say: Listener,
) -> Compressed:
    from provetune.compression.proving import Proving
    from provetune.compression.rows import find_rows
    from provetune.compression.working import Working
    from provetune.inference.threads import settle_threads
    from provetune.models.bundle import open_bundle
    from provetune.tasks import TASKS

    settle_threads()
    first = open_bundle(path.absolute())
    task = TASKS.get(first.task)
    for each in asked[:1]:
        refuse_unfit(each, first, task)
    frozen = first.record.get("problem") or {}
    written = _resolved(problem)
    rows = find_rows(first, task, problem=problem, workspace=workspace)
    proving = Proving(
        task,
        rows,
        accept=(written or frozen).get("accept") or {},
        tolerance=tolerance_of(tolerance, written, frozen),
        confidence=float(((written or frozen).get("study") or {}).get("confidence") or 0.95),
        threads=threads,
    )
    proving.begin(first)
    for note in proving.notes:
        say({"event": "note", "message": note})
    working = Working(proving, force=force, say=say)
    done: list[dict[str, Any]] = []
    parent = first
    for each, place in zip(asked, places(path, [one.name for one in asked], out), strict=True):
        found = working.carry_out(each, parent, place)
        done.append(found)
        say({"event": "judged", **found})
        if found["bundle"] is None:
            break
        parent = open_bundle(place, verify=False)
    passed = len(done) == len(asked) and all(each["bundle"] is not None for each in done)
    document = {
        "bundle": str(parent.path),
        "from": str(first.path),
        "passed": passed,
        "tolerance": proving.gate.tolerance,
        "confidence": proving.gate.confidence,
        "rows": {"tuning": rows.tuning.num_rows, "calibration": rows.calibration.num_rows},
        "notes": proving.notes,
        "steps": done,
    }
    return Compressed(str(parent.path), passed, done, list(proving.notes), document)


def _resolved(problem: str | Path | None) -> Mapping[str, Any] | None:
    if problem is None:
        return None
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import baseline_of, problem_checks

    return read_problem(problem, checks=problem_checks(), baseline_of=baseline_of).problem.model_dump(mode="json")


def _silent(event: dict[str, Any]) -> None:
    pass

"""`compress`: a bundle in, smaller or faster ones out, each of which has proved again what its parent had proved.

Steps are carried out in order, each on what the one before made. What a step made is tried, measured and judged in a
scratch folder beside its place, which a rerun of the same line goes on from; only what passes is moved into place,
whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from provetune.compression.asked import Asked, read_plan, refuse_unfit_chain
from provetune.compression.fastest import choose, try_ways
from provetune.compression.gate import tolerance_of
from provetune.core.errors import UsageError
from provetune.study.interruption import interruptible

if TYPE_CHECKING:
    from provetune.compression.proving import Proving
    from provetune.compression.working import Working
    from provetune.models.bundle import Bundle

Listener: TypeAlias = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Compressed:
    """What came of a chain of steps.

    Attributes:
        bundle: folder of the last derivative that was written; the bundle itself where none was.
        passed: whether every step was done and held, or was forced.
        steps: of each step what it made, how it was judged, what it costs to use; ``bundle`` is None where it was
            refused.
        chosen: what `fastest` at the end of the chain chose, see `provetune.compression.fastest.choose`; else None.
        notes: what to know about the rows that judged.
        document: all of it, as ``provetune compress --json`` prints it.
    """

    bundle: str
    passed: bool
    steps: list[dict[str, Any]]
    notes: list[str]
    chosen: dict[str, Any] | None
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
        to: names of steps, in their order; ``"drop_layers,onnx"`` are two. ``"fastest"`` at the end tries every way
            to compute the bundle here and chooses the quickest that holds.
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
    chain, ways = read_plan([to] if isinstance(to, str) else list(to), settings)
    if ways and out is not None:
        raise UsageError("fastest tries several bundles, and --out names one.", hint="Leave --out away.")
    say: Listener = listener if listener is not None else _silent
    with interruptible("The same line goes on where it stopped."):
        from provetune.compression.working import Working

        first, proving = _prepare(Path(bundle), [*chain, *ways[:1]], problem, workspace, tolerance, threads, say)
        return _carry_out(first, chain, ways, out, Working(proving, force=force, say=say))


def places(bundle: Path, names: Sequence[str], out: str | Path | None = None) -> list[Path]:
    """Where the derivatives of a chain go: beside the bundle (or beside `out`), named after it and their steps."""
    base = Path(bundle).absolute()
    folder = base.parent if out is None else Path(out).expanduser().absolute().parent
    found = [folder / "-".join([base.name, *names[: number + 1]]) for number in range(len(names))]
    if out is not None:
        found[-1] = Path(out).expanduser().absolute()
    return found


def _prepare(
    path: Path,
    asked: Sequence[Asked],
    problem: str | Path | None,
    workspace: str | Path | None,
    tolerance: float | None,
    threads: int | None,
    say: Listener,
) -> tuple[Bundle, Proving]:
    """The first bundle, verified, and what judges all that is made of it."""
    from provetune.compression.proving import Proving
    from provetune.compression.rows import find_rows
    from provetune.inference.threads import settle_threads
    from provetune.models.bundle import open_bundle
    from provetune.tasks import TASKS

    settle_threads()
    first = open_bundle(path.absolute())
    task = TASKS.get(first.task)
    refuse_unfit_chain(asked, first, task)
    frozen = first.record.get("problem") or {}
    written = _resolved(problem)
    proving = Proving(
        task,
        find_rows(first, task, problem=problem, workspace=workspace),
        accept=(written or frozen).get("accept") or {},
        tolerance=tolerance_of(tolerance, written, frozen),
        confidence=float(((written or frozen).get("study") or {}).get("confidence") or 0.95),
        threads=threads,
    )
    proving.begin(first)
    for note in proving.notes:
        say({"event": "note", "message": note})
    return first, proving


def _carry_out(
    first: Bundle, chain: Sequence[Asked], ways: Sequence[Asked], out: str | Path | None, working: Working
) -> Compressed:
    """The steps of a chain, then the choice among ways."""
    from provetune.models.bundle import open_bundle

    names, parent, done = [one.name for one in chain], first, []
    for each, place in zip(chain, places(first.path, names, out), strict=True):
        done.append(working.carry_out(each, parent, place))
        working.say({"event": "judged", **done[-1]})
        if done[-1]["bundle"] is None:
            break
        parent = open_bundle(place, verify=False)
    passed = all(each["bundle"] is not None for each in done)
    reached, chosen = str(parent.path), None
    if ways and passed:
        tried = try_ways(ways, parent, lambda name: places(first.path, [*names, name])[-1], working)
        chosen = choose(tried, parent.path)
        reached, passed, done = chosen["bundle"], any(each["bundle"] for each in tried), [*done, *tried]
    proving = working.proving
    document = {
        "bundle": reached,
        "from": str(first.path),
        "passed": passed,
        "tolerance": proving.gate.tolerance,
        "confidence": proving.gate.confidence,
        "rows": {"tuning": proving.rows.tuning.num_rows, "calibration": proving.rows.calibration.num_rows},
        "notes": proving.notes,
        "steps": done,
        **({} if chosen is None else {"chosen": chosen}),
    }
    return Compressed(reached, passed, done, list(proving.notes), chosen, document)


def _resolved(problem: str | Path | None) -> Mapping[str, Any] | None:
    if problem is None:
        return None
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import baseline_of, problem_checks

    return read_problem(problem, checks=problem_checks(), baseline_of=baseline_of).problem.model_dump(mode="json")


def _silent(event: dict[str, Any]) -> None:
    pass

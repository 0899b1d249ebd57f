"""What is found out about a derivative before it is written: answers, cost, golden examples, the gate's judgement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.compression.derivative import first_beside
from provetune.compression.gate import DERIVATIVE, PARENT, Gate, broken, judged_outcomes
from provetune.compression.measuring import measure_in_turn, peak_memory, size_of
from provetune.compression.neighbours import Neighbours, decision, distance, try_neighbours

if TYPE_CHECKING:
    from provetune.compression.rows import CompressRows
    from provetune.core.protocols import Task
    from provetune.inference.predictor import Predictor
    from provetune.models.bundle import Bundle

WEIGHTS, BATCHES = "weights", "batches"
"""Fields of a record: the number format of its weights where it is not fp32; False where it answers one row at a
time."""


@dataclass(frozen=True)
class Proof:
    """What is known about a derivative.

    Attributes:
        levels: how each metric was judged, as JSON.
        broke: what does not hold, a sentence each.
        costs: before and after of size, time, throughput and memory.
        golden: how its answers to the parent's golden examples differ.
        neighbours: whether answers depend on what else is asked.
        scores: every metric on the calibration half.
        answers: its own answers to the golden examples.
    """

    levels: list[dict[str, Any]]
    broke: list[str]
    costs: dict[str, Any]
    golden: dict[str, Any]
    neighbours: dict[str, Any]
    scores: dict[str, float]
    answers: list[Any]


class Proving:
    """Tries derivatives on the rows of one study.

    Args:
        accept: levels of the problem.
        tolerance, confidence: of the gate.
        threads: of one operation, for parent and derivative alike.
    """

    def __init__(
        self,
        task: Task,
        rows: CompressRows,
        *,
        accept: Mapping[str, str],
        tolerance: float,
        confidence: float,
        threads: int | None = None,
    ) -> None:
        self.task, self.rows, self.threads = task, rows, threads
        labelled = rows.calibration.filter(rows.calibration.column("label").is_valid())
        self.gate = Gate(task, accept, tolerance=tolerance, confidence=confidence, examples=labelled)
        self.notes: list[str] = []
        self._first: Any = None
        self._judged: dict[Path, Any] = {}

    def begin(self, bundle: Bundle) -> None:
        """Find the first bundle of the chain, and say beforehand what the rows cannot show."""
        place = first_beside(bundle)
        if place is None and bundle.record.get("derived_from"):
            self.notes.append(
                f"The first bundle of the chain, '{bundle.record['derived_from']['first']['bundle']}', is not beside "
                f"this one: what is lost is judged from '{bundle.path.name}' on."
            )
        first = place or bundle.path
        self._first = (first, self._outcomes(first, self._load(first)))
        least = self.gate.least_bound(self._first[1][1])
        if least is not None:
            self.notes.append(
                f"Too few calibration rows ({self.rows.calibration.num_rows}): a model that changed nothing could "
                f"not be shown to have lost less than {least[1]:.3f} in '{least[0]}', and {self.gate.tolerance:g} is "
                "allowed. More validation rows, or a larger --tolerance."
            )

    def prove(self, made: Path, parent: Bundle, say: Callable[[str, int, int], None], scratch: Path) -> Proof:
        """Try, measure and judge what a step made; its record may be told to answer one row at a time.

        Args:
            made: a bundle that is not in its place yet.
            scratch: folder for what is needed on the way.
        """
        before, after = self._load(parent.path), self._load(made)
        say("asking it alone and among neighbours", 0, 1)
        neighbours, after = self._try_neighbours(made, after, say)
        say("judging it on the calibration half", 0, 1)
        (outcomes, judged), (_, parent_judged) = self._outcomes(made, after), self._outcomes(parent.path, before)
        first = self._first[1][1] if self._first[0] != parent.path else None
        say("measuring it beside its parent", 0, 1)
        measured = measure_in_turn({PARENT: before, DERIVATIVE: after}, self.rows.calibration)
        judgements = self.gate.judge(judged, parent_judged, first, blocks=measured["blocks"])
        broke = broken(judgements, self.gate.tolerance)
        if not neighbours.holds:
            broke.append(
                f"an answer depends on what else is asked: {neighbours.flips} of {neighbours.texts} decisions change, "
                f"numbers by up to {neighbours.largest:.2g}"
            )
        say("measuring its memory", 0, 1)
        golden, answers = self._golden(parent, before, after)
        return Proof(
            levels=[judgement.to_json() for judgement in judgements],
            broke=broke,
            costs=self._costs(measured, parent.path, made, scratch),
            golden=golden,
            neighbours=neighbours.to_json(),
            scores={name: float(value) for name, value in self.task.score(outcomes, after.targets).items()},
            answers=answers,
        )

    def _try_neighbours(
        self, made: Path, predictor: Predictor, say: Callable[[str, int, int], None]
    ) -> tuple[Neighbours, Predictor]:
        """Row 12 of the faults a service must survive; a quantised bundle that fails answers one row at a time."""
        from provetune.models.bundle import update_record

        exact = str(predictor.record.get(WEIGHTS) or "fp32") == "fp32" and predictor.precision == "fp32"

        def tell(done: int, of: int) -> None:
            say("asking it alone and among neighbours", done, of)

        found = try_neighbours(predictor, self.rows.tuning, exact=exact, tell=tell)
        if found.holds or exact or predictor.record.get(BATCHES) is False:
            return found, predictor
        update_record(made, **{BATCHES: False})
        again = self._load(made)
        return try_neighbours(again, self.rows.tuning, exact=exact, tell=tell), again

    def _golden(self, parent: Bundle, before: Predictor, after: Predictor) -> tuple[dict[str, Any], list[Any]]:
        from provetune.inference.agreement import golden_table
        from provetune.models.bundle.golden import golden_form

        golden = parent.golden
        if not golden.inputs:
            return {"examples": 0, "largest": 0.0, "flips": 0}, []
        told = []
        for predictor in (before, after):
            answers = predictor.answers(golden_table(golden))
            rows = self.task.predictions(answers, predictor.targets)
            told.append((rows, golden_form(answers, partial(list, rows))))
        flips = sum(decision(one) != decision(other) for one, other in zip(told[0][0], told[1][0], strict=True))
        largest = max(distance(one, other) for one, other in zip(golden.answers, told[1][1], strict=True))
        return {"examples": len(golden.inputs), "largest": float(largest), "flips": int(flips)}, told[1][1]

    def _costs(self, measured: Mapping[str, Any], parent: Path, made: Path, scratch: Path) -> dict[str, Any]:
        sides = {PARENT: parent, DERIVATIVE: made}
        found: dict[str, Any] = {"size_bytes": {side: size_of(path) for side, path in sides.items()}}
        found |= {
            metric: {side: measured["latency"][side][metric] for side in sides}
            for metric in measured["latency"][PARENT]
        }
        found["texts_a_second"] = {side: measured["throughput"][side] for side in sides}
        found["memory_bytes"] = {
            side: peak_memory(path, self.rows.calibration, scratch, threads=self.threads)
            for side, path in sides.items()
        }
        how = {name: measured[name] for name in ("rounds", "texts_a_block", "threads", "engines")}
        return {"figures": found, "how": how}

    def _outcomes(self, path: Path, predictor: Predictor) -> Any:
        if path not in self._judged:
            self._judged[path] = judged_outcomes(self.task, predictor, self.rows.calibration, self.rows.groups)
        return self._judged[path]

    def forget(self, path: Path) -> None:
        """Let go of what was found about a folder whose content may change."""
        self._judged.pop(path, None)

    def _load(self, path: Path) -> Predictor:
        from provetune.inference.predictor import load

        return load(path, verify=False, threads=self.threads)

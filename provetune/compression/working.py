"""One step carried out: made in a scratch folder, proved there, and moved into its place when it holds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.compression import derivative
from provetune.compression.asked import Asked, refuse_unfit
from provetune.compression.gate import Judgement, broken
from provetune.compression.rows import HALVES
from provetune.compression.step import Given, Made
from provetune.core.errors import UsageError
from provetune.core.files import read_json, write_json
from provetune.core.locks import exclusive
from provetune.core.protocols import Furnishes
from provetune.core.seeds import derive
from provetune.models.bundle import Bundle, BundleContents, Golden, open_bundle, write_bundle

if TYPE_CHECKING:
    from provetune.compression.proving import Proof, Proving

_ASKED, _MADE, _WORK = "asked.json", "made", "work"


class Working:
    """Carries out steps on the rows of one study.

    Args:
        proving: judges what they make.
        force: write what does not hold, and say so in it.
        say: takes events.
    """

    def __init__(self, proving: Proving, *, force: bool, say: Callable[[dict[str, Any]], None]) -> None:
        self.proving, self.force, self.say = proving, force, say
        self.task = proving.task

    def carry_out(self, asked: Asked, parent: Bundle, place: Path) -> dict[str, Any]:
        """What came of one step, as JSON-ready facts; ``bundle`` is None where it was refused.

        Args:
            place: where the derivative goes. One that lies there already and was made the same way stays as it is.

        Raises:
            UsageError: another bundle lies there, or the step does not take the parent.
        """
        identity = asked.identity(derive(int(parent.record.get("seed") or 0), "compress", asked.name))
        self.say({"event": "step", "step": asked.name, "from": parent.path.name, "to": place.name})
        if place.exists():
            return self._there_already(asked, parent, place, identity)
        refuse_unfit(asked, parent, self.task)
        scratch = place.with_name(f".{place.name}.compress")
        with exclusive(place.with_name(f".{place.name}.compress.lock"), what=f"compress to {place.name}", wait_s=0):
            if place.exists():  # who held the lock a moment ago wrote it
                return self._there_already(asked, parent, place, identity)
            _open_scratch(scratch, {**identity, "parent": derivative.manifest_hash(parent.path)})
            made = self._make(asked, parent, scratch, identity)
            proof = self.proving.prove(made, parent, self._progress(asked), scratch)
            found = self._decide(asked, parent, place, made, proof, identity)
            self.proving.forget(made)
            shutil.rmtree(scratch, ignore_errors=True)
        place.with_name(f".{place.name}.compress.lock").unlink(missing_ok=True)
        return found

    def _make(self, asked: Asked, parent: Bundle, scratch: Path, identity: dict[str, Any]) -> Path:
        """The derivative in the scratch folder, made where it is not there already."""
        folder = scratch / _MADE
        if folder.exists():
            return folder
        rows = self.proving.rows
        given = Given(
            bundle=parent,
            task=self.task,
            targets=parent.targets,
            train=rows.train,
            tuning=rows.tuning,
            seed=int(identity["seed"]),
            folder=scratch / _WORK,
            threads=self.proving.threads or _usual_threads(),
            say=self._progress(asked),
        )
        given.folder.mkdir(parents=True, exist_ok=True)
        made = asked.step.apply(given, asked.settings)
        record = derivative.carried_over(parent.record, made)
        record[derivative.DERIVED] = derivative.lineage(parent, {**identity, "notes": dict(made.notes)})
        targets = made.targets or parent.targets

        def furnish(place: Path) -> None:
            if made.model is not None and isinstance(self.task, Furnishes):
                self.task.furnish(place, made.model, made.tokenizer, targets)
            if made.furnish is not None:
                made.furnish(place)

        return write_bundle(
            folder,
            BundleContents(
                kind=made.kind,
                task=parent.task,
                targets=targets,
                golden=parent.golden,
                record=record,
                model=made.model,
                tokenizer=made.tokenizer,
                furnish=furnish if _furnishes(made, self.task) else None,
            ),
        )

    def _decide(
        self, asked: Asked, parent: Bundle, place: Path, made: Path, proof: Proof, identity: dict[str, Any]
    ) -> dict[str, Any]:
        """Write what holds, or what is forced; the facts either way."""
        from provetune.models.bundle.deriving import rewrite_bundle

        written = not proof.broke or self.force
        there = open_bundle(made, verify=False)
        gate = self.proving.gate
        record = dict(there.record)
        record["acceptance"] = [{**each, "estimand": derivative.ESTIMAND} for each in proof.levels]
        record["metrics"] = {"calibration": proof.scores}
        record[derivative.JUDGED_ON] = HALVES
        record[derivative.TABLE] = {
            "rows": self.proving.rows.calibration.num_rows,
            "tolerance": gate.tolerance,
            "confidence": gate.confidence,
            "costs": proof.costs,
            "golden": proof.golden,
            "neighbours": proof.neighbours,
            "notes": list(self.proving.notes),
        }
        forced = derivative.forced_steps(parent.record, asked.name, proof.broke)
        if forced:
            record[derivative.FORCED] = forced
        if written:
            rewrite_bundle(made, place, record, Golden.of(there.golden.inputs, proof.answers))
        return self._facts(record, place if written else None, proof.broke, kept=False)

    def _there_already(self, asked: Asked, parent: Bundle, place: Path, identity: dict[str, Any]) -> dict[str, Any]:
        if not derivative.is_the_same(place, parent, identity):
            raise UsageError(
                f"Something else lies where the step '{asked.name}' would write.",
                where=str(place),
                hint="Name another place with --out, or move it away.",
            )
        record = open_bundle(place).record
        broke = self._broken_now(asked, parent, place, record)
        return self._facts(record, None if broke and not self.force else place, broke, kept=True)

    def _broken_now(self, asked: Asked, parent: Bundle, place: Path, record: Mapping[str, Any]) -> list[str]:
        """What does not hold of a bundle that lies there already, by the levels and the tolerance of now.

        Raises:
            UsageError: it was judged by other levels, so that nothing is known about those of now.
        """
        gate = self.proving.gate
        levels = {each["metric"]: each["required"] for each in record["acceptance"]}
        wanted = {str(scope): None if level is None else str(level) for scope, level in gate.levels.items()}
        if levels != wanted or record[derivative.TABLE]["confidence"] != gate.confidence:
            raise UsageError(
                f"What the step '{asked.name}' made lies there already and was judged by other levels of acceptance.",
                where=str(place),
                hint="Move it away, and it is made and judged anew.",
            )
        forced = list(record.get(derivative.FORCED) or [])[len(parent.record.get(derivative.FORCED) or []) :]
        if forced:
            return [reason for each in forced for reason in each["broke"]]
        known = {one.name for one in fields(Judgement)}
        judged = [Judgement(**{name: each[name] for name in known & each.keys()}) for each in record["acceptance"]]
        return broken([gate.judged_again(each) for each in judged], gate.tolerance)

    def _facts(self, record: dict[str, Any], place: Path | None, broke: list[str], *, kept: bool) -> dict[str, Any]:
        last = record[derivative.DERIVED]["steps"][-1]
        return {
            "step": last["step"],
            "settings": last["settings"],
            "made": last["notes"],
            "bundle": None if place is None else str(place),
            "passed": not broke,
            "broke": list(broke),
            "forced": list(record.get(derivative.FORCED) or []),
            "batches": record.get("batches") is not False,
            "levels": record["acceptance"],
            "metrics": record["metrics"]["calibration"],
            "was_there": kept,
            **record[derivative.TABLE],
        }

    def _progress(self, asked: Asked) -> Callable[[str, int, int], None]:
        def tell(what: str, done: int, of: int) -> None:
            self.say({"event": "progress", "step": asked.name, "what": what, "done": done, "of": of})

        return tell


def _open_scratch(scratch: Path, identity: dict[str, Any]) -> None:
    """The scratch folder of this very step; what another left there is of no use and goes."""
    file = scratch / _ASKED
    try:
        same = read_json(file) == identity
    except (OSError, ValueError):
        same = False
    if not same:
        shutil.rmtree(scratch, ignore_errors=True)
        write_json(file, identity)
    for left in [*scratch.glob(".*.part"), *scratch.glob(".*.retired*")]:
        shutil.rmtree(left, ignore_errors=True)


def _furnishes(made: Made, task: Any) -> bool:
    return made.furnish is not None or (made.model is not None and isinstance(task, Furnishes))


def _usual_threads() -> int:
    import torch

    return int(torch.get_num_threads())

"""The training loop: a generator of events, one for every task, method and objective.

It decides when to step, score, save and stop. What a batch is, what is minimised and what counts as a good
score are handed in. The caller consumes events; closing the generator stops training.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator

from provetune.core.events import Evaluated, Event, Finished, Saved, Started, Step, Stopped
from provetune.core.minimised import LossRun, LossStep
from provetune.core.protocols import Forwards, LearnsInParts
from provetune.core.seeds import derive
from provetune.models.depth import layer_factors
from provetune.models.forward import number_format
from provetune.training.assignment import Assignment, Score, Source
from provetune.training.averaging import Average, standing_in
from provetune.training.batching import BatchPlan, Group
from provetune.training.checkpoints import Checkpoint, Progress, load_checkpoint, save_checkpoint
from provetune.training.dropout import FastDropout
from provetune.training.first_token import FirstTokenOnly
from provetune.training.kept_step import noise_between
from provetune.training.minimisation import Minimisation
from provetune.training.optimisers import OPTIMISERS, Optimiser
from provetune.training.parts import shares_of, split_batches
from provetune.training.recomputing import RecomputedLayers
from provetune.training.schedule import SCHEDULES
from provetune.training.settings import TrainSettings
from provetune.training.unfreezing import Unfreezing

if TYPE_CHECKING:
    from provetune.core.protocols import Array, FeatureColumns, Metric, Targets, Task

_TOP = "top"


def train(
    model: torch.nn.Module,
    task: Task,
    features: FeatureColumns,
    targets: Targets,
    settings: TrainSettings,
    *,
    minimise: Callable[[LossRun], Minimisation],
    score: Score,
    primary: Metric,
    checkpoint: Path,
    seed: int,
    pad_id: int,
    device: str = "cpu",
    label_weights: torch.Tensor | None = None,
    source: Source | None = None,
    follow: Callable[[int, int], None] | None = None,
    row_values: Callable[[], Array | None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Train `model` in place; after `Finished` it holds its best state in fp32.

    Args:
        model: what the method prepared; parameters with ``requires_grad`` learn.
        features: training features with labels.
        minimise: the candidate's objectives at work, e.g. ``partial(Minimisation, [(plain, PlainSettings())])``.
        score: validation scores of the model as it stands; must hold `primary`'s name. Training rows and test
            rows are none of its business.
        checkpoint: folder for checkpoints; a run that finds one there goes on from it.
        seed: decides order and dropout.
        pad_id: token that fills up short texts.
        label_weights: weight of each label (C,).
        source: where the features came from, for objectives that make more of them.
        follow: called with step and number of steps once the weights have moved, gradients still in place; the plain
            optimisers are taken for it.
        row_values: what each validation row contributed to the primary score at the last call of `score`, (N,); tells
            which checkpoints differ by more than chance (`provetune.training.kept_step`).
        should_stop: asked after each step; a true answer saves a checkpoint and ends with `Stopped`.

    Raises:
        CorruptError: the checkpoint found belongs to other settings.
        ValueError: nothing is trainable.
    """
    given = Assignment(
        task,
        features,
        targets,
        settings,
        score,
        primary,
        seed,
        pad_id,
        device,
        label_weights,
        source or Source(),
        follow,
        row_values,
    )
    run = _Run(model, given, minimise)
    try:
        yield from run.events(checkpoint, should_stop)
    finally:
        run.close()


class _Run:
    """The state of one run between events."""

    def __init__(self, model: torch.nn.Module, given: Assignment, minimise: Callable[[LossRun], Minimisation]) -> None:
        self.given, self.settings = given, given.settings
        self.task, self.features, self.primary = given.task, given.features, given.primary
        self.accelerator = Accelerator(cpu=given.device == "cpu")
        self.device = str(self.accelerator.device) if given.device != "mps" else given.device
        self.model = model.to(self.device)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise ValueError("nothing in the model is trainable")
        self.plan = BatchPlan(
            self.features.lengths,
            rows=self.settings.batch_rows,
            tokens=self.settings.batch_tokens,
            epochs=self.settings.epochs,
            accumulate=self.settings.accumulate,
            seed=given.seed,
        )
        self.progress = Progress()
        self.best: dict[str, torch.Tensor] | None = None
        self.top_rows: Array | None = None
        # Before the optimiser, which may put other weights in the model's place; afterwards nothing is drawn.
        self._seed_everything()
        self.minimisation = minimise(self.given.loss_run(self.model, self.device, self.plan.steps, self._forward))
        self.changes: list[FastDropout | FirstTokenOnly | RecomputedLayers] = []
        if self.settings.gradient_checkpointing:
            self.changes.append(RecomputedLayers(self.model))
        self.unfreezing = Unfreezing(self.model) if self.settings.unfreeze == "gradual" else None
        self.optimiser = self._make_optimiser()
        decay = self.settings.ema
        self.average = None if decay is None else Average(self.optimiser.masters(), decay)
        self.identity = self._identity()

    def events(self, folder: Path, should_stop: Callable[[], bool]) -> Iterator[Event]:
        self._seed_everything()
        self._resume(folder)
        total = self.plan.steps
        yield Started(total, self.progress.step, self._details())
        due = _evaluation_steps(total, self.settings.evaluations)
        began, saved_at, saved_step = time.monotonic(), time.monotonic(), self.progress.step
        spent = self.progress.seconds
        self.model.train()
        for group in self.plan.groups(self.progress.step):
            yield self._step(group, total, spent + time.monotonic() - began)
            if self.progress.step in due:
                yield self._evaluate()
                if self._out_of_patience():
                    yield Stopped(self.progress.step, f"no better {self.primary.name} in {self.progress.waited} looks")
                    break
            asked = should_stop()
            if asked or self._save_is_due(saved_at, saved_step):
                self.progress.seconds = spent + time.monotonic() - began
                yield Saved(self.progress.step, str(self._save(folder)))
                saved_at, saved_step = time.monotonic(), self.progress.step
            if asked and self.progress.step < total:
                yield Stopped(self.progress.step, "interrupted")
                return
        yield self._finish(spent + time.monotonic() - began)

    def close(self) -> None:
        """Give the model back plain, however the run ended."""
        self.optimiser.release()
        while self.changes:
            self.changes.pop().restore()
        if self.unfreezing is not None:
            self.unfreezing.release()

    def _make_optimiser(self) -> Optimiser:
        settings, kind = self.settings, OPTIMISERS.get(self.settings.optimiser)
        factors = None if settings.layer_decay == 1 else layer_factors(self.model, settings.layer_decay)
        # What sees gradients or weights themselves, or leaves some weights out for a while, needs the plain ways.
        wants_plain = self.given.follow is not None or self.minimisation.touches_weights or self.unfreezing is not None
        if not settings.speedups or self.device != "cpu" or wants_plain or not kind.has_fast:
            return kind.make(self.model, weight_decay=settings.weight_decay, factors=factors)
        attention = settings.attention_dropout is not None
        self.changes += [FirstTokenOnly(self.model), FastDropout(self.model, attention=attention)]
        number = torch.bfloat16 if settings.precision == "bf16" else torch.float32
        return kind.make(self.model, weight_decay=settings.weight_decay, factors=factors, fast=number)

    def _seed_everything(self) -> None:
        torch.manual_seed(derive(self.given.seed, "dropout"))
        random.seed(derive(self.given.seed, "python"))

    def _resume(self, folder: Path) -> None:
        found = load_checkpoint(folder, self.identity)
        if found is None:
            return
        self.progress = found.progress
        # Cloned: the file that they are mapped from goes with the next checkpoint.
        self.best = None if found.best is None else {name: value.clone() for name, value in found.best.items()}
        self.optimiser.load_weights(found.weights)
        self.optimiser.load_state(found.optimiser)
        self.minimisation.load_state(found.objectives)
        self.top_rows = found.judged[_TOP].numpy() if _TOP in found.judged else None
        if self.average is not None:
            self.average.load(found.average)

    def _step(self, group: Group, total: int, seconds: float) -> Step:
        if self.unfreezing is not None:
            self.unfreezing.begin_epoch(group.epoch)
        factor = SCHEDULES[self.settings.schedule](self.progress.step, total, self.settings.warmup)
        rate = self.settings.learning_rate * factor
        count = sum(len(indices) for indices in group.batches)
        loss_sum = 0.0
        parts = self._parts(group)
        batches = [self.task.collate(self.features.take(part.tolist()), self.given.pad_id) for part in parts]
        shares = shares_of(self.task, parts, batches)
        for part, (indices, batch, share) in enumerate(zip(parts, batches, shares, strict=True)):
            batch = {name: value.to(self.device) for name, value in batch.items()}
            step = LossStep(self.progress.step, part, self.features.rows[indices], partial(self._backward, share))
            with self._number_format():
                loss = self.minimisation.loss(batch, step).loss
            self._backward(share, loss)
            loss_sum += float(loss.detach()) * share
        norm = self.optimiser.step(rate, self.settings.clip, self._after_move(total))
        self.minimisation.after_step(self.progress.step)
        if self.average is not None:
            self.average.update(self.optimiser.masters(), self.progress.step)
        self.progress.step += 1
        self.progress.examples += count
        return Step(self.progress.step, loss_sum, rate, norm, self.progress.examples, seconds)

    def _parts(self, group: Group) -> Sequence[Array]:
        if self.device != "cpu" or not isinstance(self.task, LearnsInParts) or not self.minimisation.takes_rows_apart:
            return group.batches
        return split_batches(group.batches, self.plan.lengths, self.task.part_tokens)

    def _backward(self, share: float, loss: torch.Tensor) -> None:
        if loss.requires_grad:
            self.accelerator.backward(loss * share if share < 1 else loss)

    def _after_move(self, total: int) -> Callable[[], None] | None:
        follow = self.given.follow
        return None if follow is None else partial(follow, self.progress.step, total)

    def _forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        if isinstance(self.task, Forwards):
            return self.task.forward(self.model, batch)
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        return self.model(**inputs).logits  # type: ignore[no-any-return]

    def _number_format(self) -> AbstractContextManager[Any]:
        return number_format(self.model, self.settings.precision, self.device)

    def _evaluate(self) -> Evaluated:
        with standing_in(self.average, self.optimiser):
            return self._judge(dict(self.given.score(self.model)))

    def _judge(self, scores: dict[str, float]) -> Evaluated:
        self.model.train()
        value = scores[self.primary.name] * (1 if self.primary.higher_is_better else -1)
        rows = None if self.given.row_values is None else self.given.row_values()
        top = self.progress.best_score
        if top is None or value > top:
            kept, self.progress.best_score, self.progress.waited, self.top_rows = True, value, 0, rows
        else:
            kept = value >= top - noise_between(rows, self.top_rows)
            self.progress.waited += 1
        if kept:
            self.progress.best_step, self.progress.best_scores = self.progress.step, scores
            self.best = self.optimiser.weights()
        return Evaluated(self.progress.step, scores, kept)

    def _out_of_patience(self) -> bool:
        return self.settings.patience is not None and self.progress.waited >= self.settings.patience

    def _save_is_due(self, saved_at: float, saved_step: int) -> bool:
        by_time = time.monotonic() - saved_at >= self.settings.checkpoint_minutes * 60
        limit = self.settings.checkpoint_steps
        return by_time or (limit is not None and self.progress.step - saved_step >= limit)

    def _save(self, folder: Path) -> Path:
        weights, state = self.optimiser.weights(), self.optimiser.state()
        remembered = self.minimisation.state()
        average = {} if self.average is None else self.average.values
        judged = {} if self.top_rows is None else {_TOP: torch.from_numpy(self.top_rows)}
        checkpoint = Checkpoint(self.progress, weights, self.best, state, self.identity, remembered, average, judged)
        return save_checkpoint(folder, checkpoint)

    def _finish(self, seconds: float) -> Finished:
        if self.best is not None:
            self.optimiser.load_weights(self.best)
        self.progress.seconds = seconds
        return Finished(
            self.progress.step, self.progress.best_step, self.progress.best_scores, seconds, self.progress.examples
        )

    def _identity(self) -> str:
        """Hash of what a checkpoint must share with the run that goes on from it."""
        shapes = {name: list(p.shape) for name, p in self.model.named_parameters() if p.requires_grad}
        rows = [len(self.features), int(self.features.lengths.sum())]
        facts = [self.settings.identity(), self.given.seed, *rows, shapes]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def _details(self) -> dict[str, Any]:
        learning = sum(weights.numel() for weights in self.optimiser.masters().values())
        return {
            "precision": self.settings.precision,
            "threads": torch.get_num_threads(),
            "device": self.device,
            "features": len(self.features),
            "optimiser": self.settings.optimiser,
            "fast": any(isinstance(change, FastDropout) for change in self.changes),
            "groups": 1 if self.unfreezing is None else len(self.unfreezing.groups),
            "trainable_parameters": learning,
        }


def _evaluation_steps(total: int, count: int) -> set[int]:
    """Steps after which validation is scored: evenly spread, the last one always."""
    return {max(1, round(total * (index + 1) / count)) for index in range(count)}

"""Learning by gradient descent: the backbone's weights, through the one training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.events import Evaluated, Event, Finished, Started
from provetune.core.memory import release_memory
from provetune.core.protocols import (
    FinishesModel,
    FollowsSteps,
    Metric,
    PreparesModel,
    PreparesTokenizer,
    Targets,
    Task,
    WeightMethod,
    WritesTexts,
)
from provetune.core.seeds import derive
from provetune.problem.syntax import AUTO
from provetune.study.calibration import Calibrated, calibrate, fit_temperature, tune
from provetune.study.learned import Learned
from provetune.study.objectives import checkpoint_metric, objectives_of, with_reference
from provetune.study.other_rows import load_other_rows
from provetune.study.row_values import row_values
from provetune.study.start import keep_head
from provetune.study.teachers import Asker
from provetune.study.tracking import told
from provetune.study.trial_rows import as_seen, learned_from, seen_rows
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from collections.abc import Generator

    import pyarrow as pa
    import torch

    from provetune.core.minimised import RowUse
    from provetune.core.protocols import Answers, Array, FeatureColumns, Outputs
    from provetune.training.assignment import Source
    from provetune.training.range_test import RatePoint
    from provetune.training.settings import TrainSettings


# How a model is calibrated stands in a module of its own; other ways of learning ask for it here.
__all__ = ["fit_temperature", "primary_metric", "train_settings", "train_weights", "try_rates_of", "tune"]


def train_weights(spec: TrialSpec) -> Generator[dict[str, Any], None, Learned]:
    """Train a backbone as the candidate's method wants it, from its checkpoint where there is one.

    Yields the loop's events as JSON; each is in the trial's ``events.jsonl`` before it is yielded.
    """
    run = _Training(spec)
    return run.learned((yield from told(spec, run.events())))


def try_rates_of(spec: TrialSpec, *, steps: int, highest: float) -> Iterator[RatePoint]:
    """A learning-rate range test of a trial, see `provetune.training.range_test`: of its training rows alone."""
    return _Training(spec).rates(steps, highest)


class _Training:
    """One trial's model, rows and settings."""

    def __init__(self, spec: TrialSpec) -> None:
        import torch

        from provetune.models.dropouts import named_dropouts
        from provetune.models.loading import load_model, load_tokenizer
        from provetune.models.methods import METHODS
        from provetune.tasks import TASKS
        from provetune.training.features import encode_split

        if spec.backbone is None:
            raise UsageError(f"Candidate '{spec.candidate}' has no backbone to train.")
        self.spec, self.targets = spec, spec.label_names
        self.task: Task = TASKS.get(spec.task)
        self.method = cast(WeightMethod, METHODS.get(spec.settings["method"]))
        cache = Path(spec.cache)
        self.tokenizer = load_tokenizer(str(spec.backbone["path"]))
        if isinstance(self.task, PreparesTokenizer):
            self.tokenizer = self.task.prepare_tokenizer(self.tokenizer, self.targets)
        self.train = train = seen_rows(spec, "train")
        features = encode_split(self.task, train, self.tokenizer, spec.encoding, self.targets, cache)
        kept = learned_from(spec, train)
        # All rows are encoded, so that one file serves every share and every draw of one.
        self.train_features = features if kept is None else features.keep_rows(kept)
        self.training_rows = train.num_rows if kept is None else len(kept)
        self.validation = seen_rows(spec, "validation")
        # Without labels, as test rows will be: what is judged may be encoded otherwise than what is learned from.
        self.validation_features = encode_split(self.task, self.validation, self.tokenizer, spec.encoding, None, cache)
        release_memory()  # of what encoding left, and the trial before this one
        plain = load_model(
            str(spec.backbone["path"]),
            self.task.auto_class,
            self.task.head(self.targets),
            derive(spec.seed, "head"),
            device=spec.device,
            dropouts=named_dropouts(spec.settings),
        )
        if spec.settings.get("keep_head"):
            keep_head(plain, Path(spec.backbone["path"]), self.targets)
        settings = self.method.settings(**spec.method_settings)
        torch.manual_seed(derive(spec.seed, "adapter"))  # what is added is drawn from torch's own state
        if isinstance(self.task, PreparesModel):
            plain = self.task.prepare_model(plain, self.tokenizer, self.targets)
        self.objectives = objectives_of(spec)
        pad, names = self.tokenizer.pad_token_id, [objective for objective, _ in self.objectives]
        self.train_features = with_reference(spec, self.task, names, plain, self.train_features, pad)
        self.model = self.method.prepare(plain, settings, self.task)
        self.scored: pa.Table = self.validation  # outcomes of the validation rows, once they are scored

    def events(self) -> Iterator[Event]:
        from provetune.training.loop import train

        if not any(parameter.requires_grad for parameter in self.model.parameters()):
            yield from self._untrained()
            return
        learned_from, named = self._learned_from()
        yield from train(
            *learned_from,
            score=self._score,
            primary=self._primary(),
            row_values=self._row_values,
            checkpoint=self.spec.place / "checkpoint",
            **named,
        )

    def rates(self, steps: int, highest: float) -> Iterator[RatePoint]:
        from provetune.training.range_test import try_rates

        learned_from, named = self._learned_from()
        return try_rates(*learned_from, steps=steps, highest=highest, **named)

    def _learned_from(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the loop is given whatever it is to do: training rows and all that decides about its steps."""
        import torch

        from provetune.training.method_terms import own_terms
        from provetune.training.minimisation import Minimisation

        weights = self.spec.label_weights
        named = {
            "minimise": partial(Minimisation, [*self.objectives, *own_terms(self.method)]),
            "seed": self.spec.seed,
            "pad_id": self.tokenizer.pad_token_id,
            "device": self.spec.device,
            "label_weights": None if weights is None else torch.tensor(weights),
            "source": self._source(),
            "follow": partial(self.method.after_step, self.model) if isinstance(self.method, FollowsSteps) else None,
        }
        return (self.model, self.task, self.train_features, self.targets, train_settings(self.spec)), named

    def _source(self) -> Source:
        from provetune.training.assignment import Source
        from provetune.training.features import encode_split

        spec = self.spec

        def encode(examples: pa.Table) -> FeatureColumns:
            labelled = examples.column("label").null_count == 0 if "label" in examples.column_names else False
            targets = self.targets if labelled else None
            return encode_split(self.task, examples, self.tokenizer, spec.encoding, targets, Path(spec.cache))

        def read_rows(written: str, use: RowUse) -> pa.Table:
            return as_seen(spec, load_other_rows(Path(spec.study_folder), written, use))

        folder, cache = Path(spec.problem_folder), Path(spec.cache)
        return Source(
            examples=self.train,
            tokenizer=self.tokenizer,
            encode=encode,
            folder=folder if spec.problem_folder else None,
            cache=cache,
            read_rows=read_rows,
            ask_bundle=Asker(folder, cache, spec.device).ask,
            start=str((spec.backbone or {})["path"]) if spec.settings.get("keep_head") else None,
        )

    def _untrained(self) -> Iterator[Event]:
        """The events of a method that learns nothing: the backbone as it is."""
        began = time.monotonic()
        yield Started(0, 0, {"threads": self.spec.threads, "features": len(self.train_features)})
        scores = self.task.score(self._outcomes(self._outputs(self.model)), self.targets)
        yield Evaluated(0, scores, True)
        yield Finished(0, 0, dict(scores), time.monotonic() - began, 0)

    def learned(self, finished: Finished) -> Learned:
        """Merge, score once more, calibrate: the model as it will be kept."""
        from provetune.models.loading import fold_temperature

        if isinstance(self.task, FinishesModel):
            # Before the merge: an adapter that is kept beside the bundle belongs to the plain model as well.
            self.model = self.task.finish_model(self.model, self.targets)
        merged = self.method.merge(self.model)
        found = calibrate(self.task, self._outputs(merged), self.validation_features, self.validation, self.targets)
        if found.temperature != 1.0:
            fold_temperature(merged, found.temperature)
        self.targets = found.targets
        cut = self.train_features.cut
        return Learned(
            outcomes=found.outcomes,
            write=self._writer(merged, found),
            seconds=finished.seconds,
            temperature=found.temperature,
            details={
                "steps": finished.step,
                "best_step": finished.best_step,
                "examples": finished.examples,
                "features": len(self.train_features),
                "training_rows": self.training_rows,
                "cut_share": float(np.mean(np.asarray(cut) > 0)),
            },
        )

    def _primary(self) -> Metric:
        return checkpoint_metric(self.task, [objective for objective, _ in self.objectives])

    def _score(self, model: torch.nn.Module) -> Mapping[str, float]:
        targets = self.task.while_training(self.targets) if isinstance(self.task, WritesTexts) else self.targets
        self.scored = self._outcomes(self._outputs(model, targets))
        return self.task.score(self.scored, self.targets)

    def _row_values(self) -> Array | None:
        return row_values(self.task, self.scored, self.targets, self._primary().name)

    def _outputs(self, model: torch.nn.Module, targets: Targets | None = None) -> Outputs:
        from provetune.models.forward import predict_outputs

        return predict_outputs(
            model,
            self.task,
            self.validation_features,
            self.tokenizer.pad_token_id,
            targets=targets or self.targets,
            tokenizer=self.tokenizer,
            device=self.spec.device,
            precision=str(self.spec.settings["precision"]),
            keep=Path(self.spec.cache),
        )

    def _answers(self, outputs: Outputs) -> Answers:
        return self.task.answers(outputs, self.validation_features, self.validation, self.targets)

    def _outcomes(self, outputs: Outputs) -> pa.Table:
        return self.task.outcomes(self.validation, self._answers(outputs), self.targets)

    def _writer(self, merged: torch.nn.Module, found: Calibrated) -> Callable[[Path], None]:
        from provetune.study.keeping import write_trained

        record = {"temperature": found.temperature, "metrics": {"validation": dict(found.scores)}}

        def write(folder: Path) -> None:
            write_trained(
                folder, self.spec, self.task, self.targets, self.method, self.model, merged, self.tokenizer, record
            )

        return write


def train_settings(spec: TrialSpec) -> TrainSettings:
    """The loop's settings: what the candidate names, and how often the study wants checkpoints."""
    from dataclasses import fields

    from provetune.training.settings import TrainSettings

    known = {one.name for one in fields(TrainSettings)}
    given = {name: value for name, value in spec.settings.items() if name in known and value != AUTO}
    kept = {name: spec.study[name] for name in ("checkpoint_minutes", "checkpoint_steps") if name in spec.study}
    return TrainSettings(**given, **kept)


def primary_metric(task: Task) -> Metric:
    """The metric that selection goes by."""
    return task.metrics[0]

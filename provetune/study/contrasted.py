"""Learning by contrast: the encoder through the one training loop, on pairs of rows, then a model on its features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.events import Event, Finished
from provetune.core.little_data import ContrastMethod
from provetune.core.memory import release_memory
from provetune.core.protocols import Task
from provetune.core.seeds import derive
from provetune.study.calibration import calibrate
from provetune.study.fitted import label_array
from provetune.study.learned import Learned
from provetune.study.row_values import row_values
from provetune.study.tracking import told
from provetune.study.trained import primary_metric, train_settings
from provetune.study.trial_rows import learned_from, seen_rows
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array, FeatureColumns
    from provetune.models.head_model import HeadModel


def learn_by_contrast(spec: TrialSpec) -> Generator[dict[str, Any], None, Learned]:
    """Tune the candidate's encoder, from its checkpoint where there is one, and fit its head.

    Yields the loop's events as JSON; each is in the trial's ``events.jsonl`` before it is yielded.
    """
    run = _Contrast(spec)
    return run.learned((yield from told(spec, run.events())))


class _Contrast:
    """One trial's encoder, rows and pairs."""

    def __init__(self, spec: TrialSpec) -> None:
        from provetune.data.variants import keep_rows
        from provetune.models.loading import load_tokenizer
        from provetune.models.methods import METHODS
        from provetune.tasks import TASKS
        from provetune.training.features import encode_split
        from provetune.training.text_pairs import PairFeatures, PairTask

        if spec.backbone is None:
            raise UsageError(f"Candidate '{spec.candidate}' has no backbone to tune.")
        self.spec, self.targets = spec, spec.label_names
        self.task: Task = TASKS.get(spec.task)
        self.method = cast(ContrastMethod, METHODS.get(spec.settings["method"]))
        self.settings = self.method.settings(**spec.method_settings)
        cache, path = Path(spec.cache), str(spec.backbone["path"])
        self.tokenizer = load_tokenizer(path)
        train = seen_rows(spec, "train")
        kept = learned_from(spec, train)
        self.kept = np.arange(train.num_rows) if kept is None else kept
        # All rows are encoded, so that one file serves every draw of some.
        self.texts = encode_split(self.task, train, self.tokenizer, spec.encoding, None, cache).keep_rows(self.kept)
        self.labels = label_array(self.task, keep_rows(train, kept), self.targets)
        self.validation = seen_rows(spec, "validation")
        self.checked = encode_split(self.task, self.validation, self.tokenizer, spec.encoding, None, cache)
        drawn = self.method.draw_pairs(self.labels, self.settings, seed=derive(spec.seed, "fit"))
        self.pairs = PairFeatures(self.texts, self.kept, drawn)
        metric, seed = primary_metric(self.task), derive(spec.seed, "pairs")
        sampling = self.method.sampling(self.settings)
        self.pair_task = PairTask(self.task, self.pairs, self.labels, sampling, metric, seed)
        release_memory()  # of what encoding left, and the trial before this one
        self.model = _encoder(path, spec.device)
        self.head: HeadModel | None = None
        self.logits: Array | None = None
        self.scored: pa.Table = self.validation  # outcomes of the validation rows, once they are scored

    def events(self) -> Iterator[Event]:
        from provetune.study.objectives import objectives_of
        from provetune.training.loop import train
        from provetune.training.minimisation import Minimisation

        yield from train(
            self.model,
            cast("Task", self.pair_task),
            self.pairs,
            self.targets,
            train_settings(self.spec),
            minimise=partial(Minimisation, objectives_of(self.spec)),
            score=self._score,
            primary=primary_metric(self.task),
            row_values=lambda: row_values(self.task, self.scored, self.targets, primary_metric(self.task).name),
            checkpoint=self.spec.place / "checkpoint",
            seed=self.spec.seed,
            pad_id=self.tokenizer.pad_token_id,
            device=self.spec.device,
        )

    def learned(self, finished: Finished) -> Learned:
        """Fit the head on the best state's features, calibrate: the model as it will be kept."""
        if self.head is None or self.logits is None or finished.best_step != finished.step:
            self._fit(self.model)
        head, logits = cast("HeadModel", self.head), cast("Array", self.logits)
        found = calibrate(self.task, logits, None, self.validation, self.targets)
        self.targets = found.targets
        record = {"temperature": found.temperature, "metrics": {"validation": dict(found.scores)}}
        return Learned(
            outcomes=found.outcomes,
            write=self._writer(head.scaled(found.temperature), record),
            seconds=finished.seconds,
            temperature=found.temperature,
            details={
                "steps": finished.step,
                "best_step": finished.best_step,
                "examples": finished.examples,
                "features": len(self.texts),
                "pairs": len(self.pairs),
                "training_rows": len(self.kept),
                "cut_share": float(np.mean(np.asarray(self.texts.cut) > 0)),
            },
        )

    def _score(self, model: torch.nn.Module) -> Mapping[str, float]:
        self.scored = self._outcomes(self._fit(model))
        return self.task.score(self.scored, self.targets)

    def _fit(self, model: torch.nn.Module) -> Array:
        """The head on the features of the encoder as it stands; what it says of the validation rows (N, C)."""
        learned, checked = self._features(model, self.texts)[self.kept], self._features(model, self.checked)
        weights = self.spec.label_weights
        self.head = cast(
            "HeadModel",
            self.method.fit(
                learned,
                self.labels,
                self.targets,
                self.settings,
                seed=derive(self.spec.seed, "fit"),
                validation=(checked, label_array(self.task, self.validation, self.targets)),
                label_weights=None if weights is None else np.asarray(weights),
            ),
        )
        self.logits = self.head.logits(checked)
        return self.logits

    def _features(self, model: torch.nn.Module, store: FeatureColumns) -> Array:
        from provetune.models.features import frozen_features

        pad, precision = self.tokenizer.pad_token_id, str(self.spec.settings["precision"])
        return frozen_features(model, self.task, store, pad, device=self.spec.device, precision=precision)

    def _outcomes(self, logits: Array) -> Any:
        answers = self.task.answers(logits, None, self.validation, self.targets)
        return self.task.outcomes(self.validation, answers, self.targets)

    def _writer(self, head: HeadModel, record: Mapping[str, Any]) -> Callable[[Path], None]:
        from provetune.models.features import frozen_features
        from provetune.study.keeping import golden_examples, write_encoder_and_head
        from provetune.training.features import encode_split

        def write(folder: Path) -> None:
            examples = golden_examples(self.task, self.spec)
            store = encode_split(self.task, examples, self.tokenizer, self.spec.encoding, None)
            pad = self.tokenizer.pad_token_id
            features = frozen_features(self.model, self.task, store, pad, device=self.spec.device)
            parts = (self.method.bundle_kind, self.model, self.tokenizer, head)
            logits = head.logits(features)
            write_encoder_and_head(folder, self.spec, self.task, self.targets, parts, examples, logits, record)

        return write


def _encoder(path: str, device: str) -> torch.nn.Module:
    """The backbone without a head, all of it to be tuned but for a pooler, which mean pooling does not read."""
    from provetune.models.features import load_encoder

    model: torch.nn.Module = load_encoder(path, device=device).requires_grad_(True)
    pooler = getattr(model, "pooler", None)
    if pooler is not None:
        pooler.requires_grad_(False)
    return model
